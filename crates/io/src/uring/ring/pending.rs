//! One request on the ring, from its submission until its result is taken.
//!
//! Owns: the states of a request and what goes with it.
//! Does not own: the transitions ([`super::driver`]).

use std::io;
use std::time::Instant;

use super::request::Request;
use super::slab::Key;
use crate::Completion;
use crate::uring::jobs::JobId;

/// Memory that an operation in flight takes besides its buffer.
pub(crate) const REQUEST_BYTES: usize = size_of::<PendingRequest>();

pub(super) struct PendingRequest {
    pub(super) request: Request,
    pub(super) state: RequestState,
    pub(super) submitted: Instant,
    pub(super) deadline: Option<Instant>,
    /// Why it was interrupted, if it was.
    pub(super) interruption: Option<Interruption>,
}

pub(super) enum RequestState {
    /// A job awaits it.
    Awaited(JobId),
    /// Completed, for the job to take.
    Completed { result: io::Result<u32>, at: Instant },
    /// Its job was dropped.
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
