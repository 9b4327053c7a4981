//! What supervisor and worker processes say to each other, as bytes.
//!
//! Owns: the handshake of a worker, the order for a piece of work, the reply to it.
//! Does not own: how the bytes travel: a pipe for the handshake, the lease table for the rest.

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::execute::{Answer, Returned, Stage, Work};
use crate::job::contract::{Failure, Step};
use crate::job::phases::Phases;
use crate::job::portable::Portable;
use crate::processes::encoding::to_bytes;

/// The first thing that a worker process is told; the job's specification follows.
#[derive(Serialize, Deserialize)]
pub(crate) struct Handshake {
    /// Whom to outlive in no case.
    pub(crate) supervisor_pid: i32,
    /// The name for its leases.
    pub(crate) owner: u16,
    /// How many jobs run at once.
    pub(crate) threads: usize,
}

/// A piece of work. `T` is the task, `K` the token of its state.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order<T, K> {
    /// The task's number.
    pub(crate) id: u64,
    /// When it was queued, by [`monotonic_now`].
    pub(crate) queued: Duration,
    pub(crate) task: T,
    pub(crate) stage: OrderStage<K>,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum OrderStage<K> {
    Start,
    Part {
        token: K,
        index: u64,
    },
    /// All parts succeeded. What failed is undone by the supervisor itself.
    Finish {
        token: K,
    },
}

/// What came of an order.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reply<O, E, K> {
    pub(crate) result: Result<ReplyValue<O, K>, ReplyFailure<E>>,
    pub(crate) phases: Phases,
    pub(crate) bytes: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum ReplyValue<O, K> {
    /// The task is done.
    Output(O),
    Split {
        token: K,
        parts: u64,
    },
    /// The part is done.
    Part,
    /// The task goes back to its source.
    Again,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum ReplyFailure<E> {
    Job(E),
    Cancelled,
    Panicked(String),
}

pub(crate) type ReplyOf<J> =
    Reply<<J as crate::Job>::Output, <J as crate::Job>::Error, <J as Portable>::Token>;
pub(crate) type OrderOf<J> = Order<<J as crate::Job>::Task, <J as Portable>::Token>;

/// The clock that all processes share.
pub(crate) fn monotonic_now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

/// The order for `work`.
pub(crate) fn order_for<J: Portable>(job: &J, work: &Work<J>, random: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
    let stage = match &work.stage {
        Stage::Start => OrderStage::Start,
        Stage::Part { state, index } => OrderStage::Part { token: job.token(state, random), index: *index },
        Stage::Finish { state, .. } => OrderStage::Finish { token: job.token(state, random) },
    };
    let queued = monotonic_now();
    to_bytes(&Order { id: work.id.0, queued, task: &*work.task, stage })
}

/// The reply for `returned`, which keeps what the token stands for.
pub(crate) fn reply_for<J: Portable>(
    job: &J,
    returned: Returned<J>,
    random: &mut dyn FnMut(&mut [u8]),
) -> (ReplyOf<J>, Option<Arc<J::State>>) {
    let Returned { answer, phases, bytes, .. } = returned;
    let mut kept = None;
    let result = match answer {
        Answer::Started(Ok(Step::Done(output))) | Answer::Finished(Ok(output)) => {
            Ok(ReplyValue::Output(output))
        }
        Answer::Started(Ok(Step::Split { state, parts })) => {
            let token = job.token(&state, random);
            kept = Some(state);
            Ok(ReplyValue::Split { token, parts })
        }
        Answer::Started(Ok(Step::Again)) => Ok(ReplyValue::Again),
        Answer::PartDone(Ok(())) => Ok(ReplyValue::Part),
        Answer::Started(Err(failure)) | Answer::PartDone(Err(failure)) | Answer::Finished(Err(failure)) => {
            Err(failure.into())
        }
    };
    (Reply { result, phases, bytes }, kept)
}

impl<E> From<Failure<E>> for ReplyFailure<E> {
    fn from(failure: Failure<E>) -> Self {
        match failure {
            Failure::Job(error) => Self::Job(error),
            Failure::Cancelled => Self::Cancelled,
            Failure::Panicked(message) => Self::Panicked(message),
            Failure::WorkersDied { .. } | Failure::NoWorker => {
                unreachable!("a worker that lives says neither")
            }
        }
    }
}

impl<E> From<ReplyFailure<E>> for Failure<E> {
    fn from(failure: ReplyFailure<E>) -> Self {
        match failure {
            ReplyFailure::Job(error) => Self::Job(error),
            ReplyFailure::Cancelled => Self::Cancelled,
            ReplyFailure::Panicked(message) => Self::Panicked(message),
        }
    }
}
