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

use crate::config::Config;
use crate::job::contract::{Failure, Job, Outcome, Step, TaskId};
use crate::job::phases::Phases;
use crate::job::piece::{Piece, PieceKind, Trace, TraceRow};

/// A piece of work for a worker.
pub(crate) struct Work<J: Job> {
    pub(crate) id: TaskId,
    /// Which start of the task this belongs to, from 1 on. States of different attempts have nothing in common.
    pub(crate) attempt: u32,
    pub(crate) task: Arc<J::Task>,
    pub(crate) stage: Stage<J>,
    pub(crate) queued: Instant,
    /// Workers have died over it before: it runs with no other work in its process.
    pub(crate) alone: bool,
}

pub(crate) enum Stage<J: Job> {
    Start,
    Part { state: Arc<J::State>, index: u64 },
    Finish { state: Arc<J::State>, succeeded: bool },
}

/// The stages, without what they work on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StageKind {
    Start,
    Part,
    Finish,
}

impl<J: Job> Stage<J> {
    pub(crate) fn kind(&self) -> StageKind {
        match self {
            Self::Start => StageKind::Start,
            Self::Part { .. } => StageKind::Part,
            Self::Finish { .. } => StageKind::Finish,
        }
    }

    pub(crate) fn piece_kind(&self) -> PieceKind {
        match self {
            Self::Start => PieceKind::Start,
            Self::Part { index, .. } => PieceKind::Part(*index),
            Self::Finish { .. } => PieceKind::Finish,
        }
    }
}

impl StageKind {
    /// The answer of a stage that failed.
    pub(crate) fn failed<J: Job>(self, failure: Failure<J::Error>) -> Answer<J> {
        match self {
            Self::Start => Answer::Started(Err(failure)),
            Self::Part => Answer::PartDone(Err(failure)),
            Self::Finish => Answer::Finished(Err(failure)),
        }
    }
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
    /// What a worker prepared for the parts was gone before this process held it: the task starts anew, a few times.
    SplitLost(Failure<J::Error>),
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

/// Where pieces of work are recorded for an observer, if there is one.
#[derive(Clone, Copy)]
pub(crate) struct Track<'a> {
    trace: Option<&'a Trace>,
    row: TraceRow,
}

impl<'a> Track<'a> {
    /// The track of the worker `row`.
    pub(crate) fn of(config: &'a Config, row: TraceRow) -> Self {
        Self { trace: config.trace.as_ref(), row }
    }

    /// No track: the pieces are recorded elsewhere.
    pub(crate) fn none() -> Self {
        Self { trace: None, row: TraceRow::Caller }
    }

    /// Tells the observer, if there is one, of the piece that `piece` makes for it and the row.
    pub(crate) fn record(&self, piece: impl FnOnce(&Trace, TraceRow) -> Piece) {
        if let Some(trace) = self.trace {
            let _ = catch(|| trace.call(&piece(trace, self.row)));
        }
    }
}

/// Carries out `work`. Never panics: a panic of the job becomes the answer, also one of a destructor.
pub(crate) async fn execute<J: Job>(
    job: &J,
    io: &impl Metered,
    work: Work<J>,
    track: Track<'_>,
) -> Returned<J> {
    let Work { id, attempt, task, stage, queued, .. } = work;
    let taken_up = Instant::now();
    io.take_meter();
    let (kind, piece_kind) = (stage.kind(), stage.piece_kind());
    let answer = match caught(pin!(answer_to(job, io, task, stage))).await {
        Ok(answer) => answer,
        Err(message) => kind.failed(Failure::Panicked(message)),
    };
    let meter = io.take_meter();
    let busy = taken_up.elapsed();
    let phases = Phases {
        queue: taken_up.saturating_duration_since(queued),
        device: meter.device,
        executor: meter.executor,
        compute: busy.saturating_sub(meter.device + meter.executor),
    };
    track.record(|trace, row| {
        let (kind, began, took, bytes) = (piece_kind, trace.since_start(taken_up), busy, meter.bytes);
        Piece { id, attempt, kind, row, began, took, phases, bytes }
    });
    Returned { id, answer, phases, bytes: meter.bytes }
}

/// Calls the job. Task and state are dropped here, where their panics are caught.
async fn answer_to<J: Job>(job: &J, io: &impl Metered, task: Arc<J::Task>, stage: Stage<J>) -> Answer<J> {
    match stage {
        Stage::Start => Answer::Started(job.start(io, &task).await.map_err(failure_of::<J>)),
        Stage::Part { state, index } => {
            Answer::PartDone(job.part(io, &task, &state, index).await.map_err(failure_of::<J>))
        }
        Stage::Finish { state, succeeded } => {
            match job.finish(io, &task, &state, succeeded).await.map_err(failure_of::<J>) {
                Err(Failure::Job(_)) if job.starts_again(&task) => Answer::Started(Ok(Step::Again)),
                outcome => Answer::Finished(outcome),
            }
        }
    }
}

fn failure_of<J: Job>(error: J::Error) -> Failure<J::Error> {
    if J::is_cancelled(&error) { Failure::Cancelled } else { Failure::Job(error) }
}

/// Polls `job`; the message of its panic is the error. The future is pinned by the caller: moving it into this one
/// would double the memory of a job in flight.
async fn caught<T>(mut job: Pin<&mut impl Future<Output = T>>) -> Result<T, String> {
    std::future::poll_fn(|context: &mut Context<'_>| match catch(|| job.as_mut().poll(context)) {
        Ok(poll) => poll.map(Ok),
        Err(message) => Poll::Ready(Err(message)),
    })
    .await
}

/// Calls code of a job; the message of its panic is the error.
pub(crate) fn catch<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    // Unwind safety: a job shares only tasks and states, which are read-only to it or guarded by locks.
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        let message = panic_message(payload.as_ref());
        // A payload may be a value whose destructor panics.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload))).map_err(std::mem::forget);
        message
    })
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
