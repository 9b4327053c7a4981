//! One request on the ring, from its submission until its result is taken.
//!
//! Owns: the states of a request and what goes with it.
//! Does not own: the transitions ([`super::driver`]).

use std::io;
use std::time::Instant;

use super::request::Request;
use super::slab::Key;
use crate::uring::jobs::JobId;
use crate::{Completion, cancelled};

/// Memory that an operation in flight takes besides its buffer.
pub(crate) const REQUEST_BYTES: usize = size_of::<PendingRequest>();

pub(super) struct PendingRequest {
    pub(super) request: Request,
    pub(super) state: RequestState,
    pub(super) submitted: Instant,
    pub(super) deadline: Option<Instant>,
    /// Which entry of the ring it is, counted from 1; `None` if it isn't in the submission queue.
    pub(super) entry_number: Option<u64>,
    /// Why it was interrupted, if it was.
    pub(super) interruption: Option<Interruption>,
}

impl PendingRequest {
    pub(super) fn new(request: Request, state: RequestState, deadline: Option<Instant>) -> Self {
        let submitted = Instant::now();
        Self { request, state, submitted, deadline, entry_number: None, interruption: None }
    }

    /// The error that the job gets for `error`.
    pub(super) fn error(&self, error: io::Error) -> io::Error {
        match self.interruption {
            Some(Interruption::TimedOut) => io::ErrorKind::TimedOut.into(),
            Some(Interruption::Cancelled) => cancelled(),
            None => error,
        }
    }
}

pub(super) enum RequestState {
    /// A job awaits it.
    Awaited(JobId),
    /// Completed, for the job to take.
    Completed { result: io::Result<u32>, at: Instant },
    /// Awaited by a job, which is on the list of those with a result to take. The ring broke, and the kernel may still
    /// write to its memory.
    Lost { at: Instant },
    /// Its job was dropped, or has taken its result while the kernel may still write to its memory.
    Orphaned,
    /// It belongs to the driver itself, which starts it again whenever it completes.
    Internal,
}

#[derive(Clone, Copy)]
pub(super) enum Interruption {
    TimedOut,
    Cancelled,
}

/// A request with its result.
pub(crate) struct CompletedRequest {
    pub(crate) request: Request,
    pub(crate) result: io::Result<u32>,
    pub(crate) submitted: Instant,
    pub(crate) completed: Instant,
}

/// A completion by a pool thread.
pub(crate) struct PooledCompletion {
    pub(crate) key: Key,
    pub(crate) completion: std::thread::Result<Completion>,
    pub(crate) at: Instant,
}
