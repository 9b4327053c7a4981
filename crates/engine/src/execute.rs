//! One piece of work, carried out by one worker.
//!
//! Owns: calling the job, catching its panics, measuring its times.
//! Does not own: the order of work.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use haul_io::{Blocking, Io, Meter, TaskIo};

use crate::job::contract::{Failure, Job, Outcome, Step, TaskId};
use crate::job::phases::Phases;

/// A piece of work for a worker.
pub(crate) struct Work<J: Job> {
    pub(crate) id: TaskId,
    /// Which start of the task this belongs to, from 1 on. States of different attempts have nothing in common.
    pub(crate) attempt: u32,
    pub(crate) task: Arc<J::Task>,
    pub(crate) stage: Stage<J>,
    pub(crate) queued: Instant,
}

pub(crate) enum Stage<J: Job> {
    Start,
    Part { state: Arc<J::State>, index: u64 },
    Finish { state: Arc<J::State>, succeeded: bool },
}

/// A worker's answer to a [`Work`].
pub(crate) struct Returned<J: Job> {
    pub(crate) id: TaskId,
    pub(crate) answer: Answer<J>,
    pub(crate) phases: Phases,
    pub(crate) bytes: u64,
}

pub(crate) type Started<J> = Result<Step<<J as Job>::State, <J as Job>::Output>, Failure<<J as Job>::Error>>;

pub(crate) enum Answer<J: Job> {
    Started(Started<J>),
    PartDone(Result<(), Failure<J::Error>>),
    /// A worker died in the part, which can't be repeated: the task starts anew.
    PartLost,
    Finished(Outcome<J>),
}

/// Operations that measure the times of one task.
pub(crate) trait Metered: Io {
    /// The times since the last call.
    fn take_meter(&self) -> Meter;
}

impl Metered for Blocking {
    fn take_meter(&self) -> Meter {
        Blocking::take_meter(self)
    }
}

impl Metered for TaskIo {
    fn take_meter(&self) -> Meter {
        TaskIo::take_meter(self)
    }
}

/// Carries out `work`. Never panics: a panic of the job becomes the answer.
pub(crate) async fn execute<J: Job>(job: &J, io: &impl Metered, work: Work<J>) -> Returned<J> {
    let Work { id, task, stage, queued, .. } = work;
    let taken_up = Instant::now();
    io.take_meter();
    let answer = match stage {
        Stage::Start => Answer::Started(caught::<J, _>(pin!(job.start(io, &task))).await),
        Stage::Part { state, index } => {
            Answer::PartDone(caught::<J, _>(pin!(job.part(io, &task, &state, index))).await)
        }
        Stage::Finish { state, succeeded } => {
            match caught::<J, _>(pin!(job.finish(io, &task, &state, succeeded))).await {
                Err(Failure::Job(_)) if job.starts_again(&task) => Answer::Started(Ok(Step::Again)),
                outcome => Answer::Finished(outcome),
            }
        }
    };
    let meter = io.take_meter();
    let busy = taken_up.elapsed();
    let phases = Phases {
        queue: taken_up.saturating_duration_since(queued),
        device: meter.device,
        executor: meter.executor,
        compute: busy.saturating_sub(meter.device + meter.executor),
    };
    Returned { id, answer, phases, bytes: meter.bytes }
}

/// Polls `job` and catches its panic. The future is pinned by the caller: moving it into this one would double the
/// memory of a job in flight.
async fn caught<J: Job, T>(
    mut job: Pin<&mut impl Future<Output = Result<T, J::Error>>>,
) -> Result<T, Failure<J::Error>> {
    // Unwind safety: a job shares only tasks and states, which are read-only to it or guarded by locks.
    let poll = |context: &mut Context<'_>| match catch_unwind(AssertUnwindSafe(|| job.as_mut().poll(context)))
    {
        Ok(poll) => poll.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    };
    match std::future::poll_fn(poll).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if J::is_cancelled(&error) => Err(Failure::Cancelled),
        Ok(Err(error)) => Err(Failure::Job(error)),
        Err(payload) => Err(Failure::Panicked(panic_message(payload.as_ref()))),
    }
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
