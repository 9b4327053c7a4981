//! What an engine runs.
//!
//! Owns: the shape of a job: start, parts, finish.
//! Does not own: when and where each is run.

use std::sync::Arc;

use haul_io::Io;

/// A way to do one kind of task, written once for every engine.
///
/// `start` either does the whole task or splits it. The parts of a split task are independent of each other and are run in
/// any order, on any worker; `finish` runs once, after the last part has ended, and always if `start` split.
pub trait Job: Sync {
    /// One thing to do.
    type Task: Send + Sync;
    /// What the parts of a split task share.
    type State: Send + Sync;
    /// What a task comes to.
    type Output: Send;
    /// Why a task failed.
    type Error: Send;

    /// Does the task, or prepares it and says how many parts it has.
    fn start<I: Io>(
        &self,
        io: &I,
        task: &Self::Task,
    ) -> impl Future<Output = Result<Step<Self::State, Self::Output>, Self::Error>>;

    /// Does part `index` (from 0) of a split task.
    fn part<I: Io>(
        &self,
        io: &I,
        task: &Self::Task,
        state: &Self::State,
        index: u64,
    ) -> impl Future<Output = Result<(), Self::Error>>;

    /// Completes a split task all of whose parts `succeeded`, or undoes it. The task then fails with what the first failed
    /// part said, unless this has an error of its own.
    fn finish<I: Io>(
        &self,
        io: &I,
        task: &Self::Task,
        state: &Self::State,
        succeeded: bool,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>>;

    /// Whether `task`, which was split and failed in `finish`, is to start again instead of failing: as with [`Step::Again`] it
    /// goes back to the source, and the task itself keeps what the next start needs to know.
    fn starts_again(&self, task: &Self::Task) -> bool {
        let _ = task;
        false
    }

    /// Whether the failure says no more than that the run was cancelled.
    fn is_cancelled(error: &Self::Error) -> bool;
}

/// How far [`Job::start`] came.
#[derive(Debug)]
pub enum Step<S, O> {
    /// The task is done.
    Done(O),
    /// The task has `parts` parts. With none, what is left to be done is [`Job::finish`]: a step of its own, which no
    /// cancellation keeps from being taken.
    Split {
        /// What the parts share.
        state: Arc<S>,
        /// How many there are.
        parts: u64,
    },
    /// The task is not done and not lost: it goes back to the source, which says when it starts again
    /// ([`Source::again`](crate::job::source::Source::again)). What the next start needs to know, the task itself keeps.
    Again,
}

/// Why a task has no output.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure<E> {
    /// The job says why.
    Job(E),
    /// The run was cancelled before the task was done.
    Cancelled,
    /// The job panicked: an error in the program. The message is the panic's.
    Panicked(String),
    /// So many worker processes died over the task that it isn't tried again.
    WorkersDied {
        /// How many.
        count: u8,
    },
    /// Worker processes die of themselves: there is none left to do the task.
    NoWorker,
}

/// Number of a task within its run, from 0, in the order of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// How a task ended.
pub type Outcome<J> = Result<<J as Job>::Output, Failure<<J as Job>::Error>>;
