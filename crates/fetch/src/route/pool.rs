//! Idle connections, kept for reuse.
//!
//! Owns: which idle connection serves a route, how many are kept.
//! Does not own: whether a connection is reusable (RFC 9112 section 9.3, in [`haul_http1`]).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::route::connection::Connection;
use crate::route::hops::Route;

pub(crate) struct Pool {
    /// Oldest first. Invariant: at most `idle_max` connections.
    idle: Mutex<VecDeque<Connection>>,
    idle_max: usize,
}

impl Pool {
    pub(crate) fn new(idle_max: usize) -> Self {
        Self { idle: Mutex::default(), idle_max }
    }

    /// The connection for `route` that was used last: the one least likely to have been closed by the server. A
    /// connection that may have shown the client's certificate serves only requests that may show it.
    pub(crate) fn take(&self, route: &Route, shows_identity: bool) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let index =
            idle.iter().rposition(|kept| kept.route() == route && kept.shows_identity == shows_identity)?;
        idle.remove(index)
    }

    /// Keeps `connection`. If there are too many, the oldest one is closed.
    pub(crate) fn put(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push_back(connection);
        let oldest = if idle.len() > self.idle_max { idle.pop_front() } else { None };
        // Closing is a system call, which must not happen under the lock.
        drop(idle);
        drop(oldest);
    }
}
