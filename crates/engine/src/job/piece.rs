//! Pieces of work as they end, for those who want to see when each worker did what.
//!
//! Owns: what is known of a piece, calling the observer, the clock that processes share.
//! Does not own: measuring (the engines do), what becomes of it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::job::contract::TaskId;
use crate::job::phases::Phases;

/// A piece of work that has ended: the start of a task, a part of it, or its finish.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The task's number.
    pub id: TaskId,
    /// Which start of the task this belongs to, from 1 on.
    pub attempt: u32,
    /// Which piece of the task.
    pub kind: PieceKind,
    /// The worker that carried it out.
    pub row: TraceRow,
    /// When the worker began, since the [`Trace`] was made.
    pub began: Duration,
    /// The time from there to the end.
    pub took: Duration,
    /// Where that time went, and the time in the queue before.
    pub phases: Phases,
    /// Payload bytes, as the job reported them.
    pub bytes: u64,
}

/// Which piece of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PieceKind {
    /// [`Job::start`](crate::Job::start).
    Start,
    /// [`Job::part`](crate::Job::part) with this index.
    Part(u64),
    /// [`Job::finish`](crate::Job::finish).
    Finish,
}

/// What carries out one piece of work at a time. All numbers count from 0 and are used again: a row stands for one
/// worker after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TraceRow {
    /// The thread that called [`run`](crate::run): the serial engine, or what an engine of processes does itself.
    Caller,
    /// A thread of this process.
    Thread(u32),
    /// A job in flight on a ring. A ring carries out several at a time.
    Lane {
        /// The ring.
        ring: u32,
        /// The place among the jobs in flight on it.
        lane: u32,
    },
    /// A thread of a worker process.
    Process {
        /// The process.
        process: u32,
        /// Its thread.
        thread: u32,
    },
}

/// An observer of pieces of work ([`Config::trace`](crate::Config::trace)).
#[derive(Clone)]
pub struct Trace {
    started: Instant,
    /// The same moment on the clock that all processes share.
    started_shared: Duration,
    on_piece: Arc<dyn Fn(&Piece) + Send + Sync>,
}

impl Trace {
    /// An observer that calls `on_piece` for every piece of work as it ends, on the thread that carried it out (for a
    /// worker process: on the thread that called [`run_portable`](crate::run_portable)). Calls may come from several
    /// threads at the same time, and workers wait for them. A panic of `on_piece` is ignored.
    pub fn new(on_piece: impl Fn(&Piece) + Send + Sync + 'static) -> Self {
        Self { started: Instant::now(), started_shared: shared_clock(), on_piece: Arc::new(on_piece) }
    }

    pub(crate) fn call(&self, piece: &Piece) {
        (self.on_piece)(piece);
    }

    /// The time from the making of this value to `moment`.
    pub(crate) fn since_start(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.started)
    }

    /// As [`Trace::since_start`], for a moment on the clock that all processes share.
    pub(crate) fn since_start_shared(&self, moment: Duration) -> Duration {
        moment.saturating_sub(self.started_shared)
    }
}

/// The time on the clock that all processes share.
pub(crate) fn shared_clock() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}
