//! What became of a member's shard.
//!
//! Owns: the state that all members of a shard share.
//! Does not own: the shard ([`super::shard`]).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use haul_io::{Shortfalls, is_cancelled, reason};

use super::gate::PartGate;

/// The claim of a member on the end of its shard; clones are the same.
#[derive(Clone)]
pub struct Ticket(pub(super) Arc<ShardEnd>);

/// The shared state of a shard and its members.
pub(super) struct ShardEnd {
    /// Unique within its run.
    pub(super) id: u64,
    /// Decides about it, if it is that of a part.
    pub(super) gate: Option<Arc<dyn PartGate>>,
    state: Mutex<State>,
}

enum State {
    /// It is being written.
    Open,
    Published(PathBuf, Shortfalls),
    Failed(Unpublished),
}

/// Why a shard was not published, for each of its members.
#[derive(Clone, Debug)]
pub struct Unpublished(Arc<io::Error>);

impl Ticket {
    /// Whether the shard is published, or failed.
    pub fn is_settled(&self) -> bool {
        !matches!(*self.0.lock(), State::Open)
    }

    /// The path of the published shard, and what its file system couldn't do; `None` while it is being written.
    ///
    /// # Errors
    /// Why it was not published.
    pub fn end(&self) -> Option<io::Result<(PathBuf, Shortfalls)>> {
        match &*self.0.lock() {
            State::Open => None,
            State::Published(path, shortfalls) => Some(Ok((path.clone(), *shortfalls))),
            State::Failed(unpublished) => Some(Err(unpublished.clone().into())),
        }
    }
}

impl ShardEnd {
    pub(super) fn new(id: u64, gate: Option<Arc<dyn PartGate>>) -> Arc<Self> {
        Arc::new(Self { id, gate, state: Mutex::new(State::Open) })
    }

    pub(super) fn settle(&self, end: io::Result<(PathBuf, Shortfalls)>) {
        *self.lock() = match end {
            Ok((path, shortfalls)) => State::Published(path, shortfalls),
            Err(error) => State::Failed(Unpublished(Arc::new(error))),
        };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Unpublished> for io::Error {
    fn from(unpublished: Unpublished) -> Self {
        if is_cancelled(&unpublished.0) {
            return haul_io::cancelled();
        }
        Self::new(unpublished.0.kind(), unpublished)
    }
}

impl fmt::Display for Unpublished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its shard: {}", reason(&self.0))
    }
}

impl std::error::Error for Unpublished {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("shard", &self.0.id).finish_non_exhaustive()
    }
}
