//! The job: what an engine runs.
//!
//! Owns: the stages of a job (start, parts, finish), its results, the names of tasks.
//! Does not own: when and where each stage runs.

use std::sync::Arc;

use haul_io::Io;

/// A way to carry out one kind of task, written once for every engine.
///
/// [`start`](Job::start) either completes the task or splits it. The parts of a split task are independent of each
/// other and run in any order, on any worker. [`finish`](Job::finish) then runs once for every split task, after its
/// last part has ended.
pub trait Job: Sync {
    /// The input of one execution.
    type Task: Send + Sync;
    /// The state that the parts of a split task share.
    type State: Send + Sync;
    /// The result of a successful task.
    type Output: Send;
    /// Why a task failed.
    type Error: Send;

    /// Completes the task, or prepares it and splits it.
    fn start<I: Io>(
        &self,
        io: &I,
        task: &Self::Task,
    ) -> impl Future<Output = Result<Step<Self::State, Self::Output>, Self::Error>>;

    /// Carries out part `index` (from 0) of a split task.
    fn part<I: Io>(
        &self,
        io: &I,
        task: &Self::Task,
        state: &Self::State,
        index: u64,
    ) -> impl Future<Output = Result<(), Self::Error>>;

    /// Completes a split task if all its parts `succeeded`; otherwise undoes it. An undone task fails with the
    /// failure of its first failed part, unless this call returns an error of its own.
    fn finish<I: Io>(
        &self,
        io: &I,
        task: &Self::Task,
        state: &Self::State,
        succeeded: bool,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>>;

    /// Whether `task`, which was split and failed in `finish`, starts again instead of failing. As with
    /// [`Step::Again`], it returns to the source, and the task itself stores what the next start needs.
    fn starts_again(&self, task: &Self::Task) -> bool {
        let _ = task;
        false
    }

    /// Whether the error only says that the run was cancelled.
    fn is_cancelled(error: &Self::Error) -> bool;
}

/// The result of [`Job::start`].
#[derive(Debug)]
pub enum Step<S, O> {
    /// The task is done.
    Done(O),
    /// The task has `parts` parts. With 0 parts, only [`Job::finish`] is left: a step of its own, which runs even if
    /// the run is cancelled.
    Split {
        /// The state that the parts share.
        state: Arc<S>,
        /// The number of parts.
        parts: u64,
    },
    /// The task is unfinished. It returns to the source, which decides when it starts again
    /// ([`Source::again`](crate::job::source::Source::again)). The task itself stores
    /// what the next start needs.
    Again,
}

/// Why a task has no output.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure<E> {
    /// The job's error.
    Job(E),
    /// The run was cancelled before the task was done.
    Cancelled,
    /// The job panicked, which is a bug; the text is the panic's message.
    Panicked(String),
    /// The task was given up after the deaths of workers that ran it.
    WorkersDied {
        /// The number of deaths.
        count: u8,
    },
    /// No worker process is left: they die whatever they run.
    NoWorker,
}

/// The number of a task within its run, from 0, in the order of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// How a task ended.
pub type Outcome<J> = Result<<J as Job>::Output, Failure<<J as Job>::Error>>;
