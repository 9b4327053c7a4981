//! The messages between the supervising process and its workers.
//!
//! Owns: the handshake, the order for a piece of work, the reply to it.
//! Does not own: their encoding ([`crate::processes::encoding`]); how the bytes travel (a pipe for the handshake, the
//! lease table for the rest).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::execute::{Answer, Returned, Stage, Track, Work, catch};
use crate::job::contract::{Failure, Step};
use crate::job::phases::Phases;
use crate::job::piece::{Piece, TraceRow, shared_clock};
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
    /// Whether replies say when each piece of work was carried out.
    pub(crate) is_traced: bool,
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
    /// The time at which the order was queued, by [`shared_clock`].
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
    /// When it was carried out, and where; `None` if it wasn't, or if nobody observes it.
    pub(crate) span: Option<Span>,
}

/// When a worker process carried out a piece of work, and which of them.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Span {
    /// The owner number of the process.
    pub(crate) process: u16,
    pub(crate) thread: u32,
    /// When it began, by [`shared_clock`].
    pub(crate) began: Duration,
    pub(crate) took: Duration,
}

impl Span {
    /// The span from `began` until now.
    pub(crate) fn until_now(process: u16, thread: u32, began: Duration) -> Self {
        Self { process, thread, began, took: shared_clock().saturating_sub(began) }
    }
}

/// Tells the observer of `work`, which a worker process has carried out.
pub(crate) fn record<J: Portable>(config: &Config, work: &Work<J>, reply: &ReplyOf<J>) {
    let Some(span) = reply.span else { return };
    let row = TraceRow::Process { process: span.process.into(), thread: span.thread };
    Track::of(config, row).record(|trace, row| Piece {
        id: work.id,
        attempt: work.attempt,
        kind: work.stage.piece_kind(),
        row,
        began: trace.since_start_shared(span.began),
        took: span.took,
        phases: reply.phases,
        bytes: reply.bytes,
    });
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

/// The order for `work`, encoded.
pub(crate) fn order_for<J: Portable>(job: &J, work: &Work<J>, random: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
    let stage = match &work.stage {
        Stage::Start => OrderStage::Start,
        Stage::Part { state, index } => OrderStage::Part { token: job.token(state, random), index: *index },
        Stage::Finish { state, .. } => OrderStage::Finish { token: job.token(state, random) },
    };
    let queued = shared_clock();
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
    (Reply { result, phases, bytes, span: None }, kept)
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
