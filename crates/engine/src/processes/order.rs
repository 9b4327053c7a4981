//! The messages between the supervising process and its workers.
//!
//! Owns: the handshake, the order for a piece of work, the reply to it.
//! Does not own: their encoding ([`crate::processes::encoding`]); how the bytes travel (a pipe for the handshake, the
//! lease table for the rest).

use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::execute::{Answer, Returned, Stage, Work, catch};
use crate::job::contract::{Failure, Step};
use crate::job::phases::Phases;
use crate::job::portable::Portable;
use crate::processes::encoding::to_bytes;

/// The first message to a worker process. The job's specification follows it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Handshake {
    /// The worker must not outlive this process.
    pub(crate) supervisor_pid: i32,
    /// The owner number for the worker's leases.
    pub(crate) owner: u16,
    /// The number of jobs to run at once.
    pub(crate) threads: usize,
}

/// A piece of work for a worker process. `T` is the task, `K` the token of its state.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order<T, K> {
    /// The task's number.
    pub(crate) id: u64,
    /// Which start of the task this belongs to.
    pub(crate) attempt: u32,
    /// Whether no other order may be carried out in the same process at the same time.
    pub(crate) alone: bool,
    /// The time at which the order was queued, by [`monotonic_now`].
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
    /// All parts succeeded. (A failed task is undone by the supervising process itself.)
    Finish {
        token: K,
    },
}

/// A worker's reply to an order.
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
    /// An earlier attempt at the part died, and the part can't be repeated.
    Lost,
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

/// The time on the clock that all processes share.
pub(crate) fn monotonic_now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

/// The order for `work`, encoded.
pub(crate) fn order_for<J: Portable>(job: &J, work: &Work<J>, random: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
    let stage = match &work.stage {
        Stage::Start => OrderStage::Start,
        Stage::Part { state, index } => OrderStage::Part { token: job.token(state, random), index: *index },
        Stage::Finish { state, .. } => OrderStage::Finish { token: job.token(state, random) },
    };
    let queued = monotonic_now();
    let Work { id, attempt, alone, .. } = *work;
    to_bytes(&Order { id: id.0, attempt, alone, queued, task: &*work.task, stage })
}

/// The reply for `returned`. For a split task also the state that the token stands for. If the job panics over the
/// token, the state comes back without one, to be undone.
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
            let token = catch(|| job.token(&state, random));
            kept = Some(state);
            token.map(|token| ReplyValue::Split { token, parts }).map_err(ReplyFailure::Panicked)
        }
        Answer::Started(Ok(Step::Again)) => Ok(ReplyValue::Again),
        Answer::PartDone(Ok(())) => Ok(ReplyValue::Part),
        Answer::PartLost => Ok(ReplyValue::Lost),
        Answer::Started(Err(failure))
        | Answer::SplitLost(failure)
        | Answer::PartDone(Err(failure))
        | Answer::Finished(Err(failure)) => Err(failure.into()),
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
                unreachable!("only the supervising process fails tasks this way")
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
