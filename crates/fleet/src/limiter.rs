//! The shares of a node: a thread makes the calls of [`Shares`].
//!
//! Owns: what of them other threads may call.
//! Does not own: the thread ([`crate::caller`]), which call comes next ([`crate::shares`]).

use std::time::Duration;

use crate::caller::{Caller, Machine};
use crate::member::Next;
use crate::server::{Failure, Reply, Server};
use crate::shares::{HostNews, Shares, Terms};

/// The limits of hosts that a node shares with the others of its fleet. No call waits for the server but
/// [`Limiter::leave`]. Dropped, it gives nothing back: its shares run out.
pub struct Limiter(Caller<Shares>);

impl Machine for Shares {
    fn next(&mut self, now: Duration) -> Next {
        self.next(now)
    }

    fn answered(&mut self, answer: Result<Reply, Failure>, now: Duration) -> bool {
        // The node says why the server isn't reached.
        let _ = self.answered(answer, now);
        self.has_news()
    }
}

impl Limiter {
    /// Shares the limits of `terms` as `node`, which is [its name](crate::Node::name) among consumers, by a connection
    /// of its own. Calls `wake` whenever there are [news](Limiter::news).
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(
        server: impl Server + 'static,
        node: &str,
        terms: Terms,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        Caller::start("limits", server, Shares::new(node, terms), wake).map(Self)
    }

    /// Whether hosts need shares.
    pub fn has_shares(&self) -> bool {
        self.0.look(|shares, _| shares.has_shares())
    }

    /// See [`Shares::want`].
    pub fn want(&self, host: &str, running: u32, wanted: u32) {
        self.0.change(|shares, now| shares.want(host, running, wanted, now));
    }

    /// See [`Shares::may_start`].
    pub fn may_start(&self, host: &str) -> bool {
        self.0.look(|shares, now| shares.may_start(host, now))
    }

    /// See [`Shares::pause`].
    pub fn pause(&self, host: &str, pause: Duration) {
        self.0.change(|shares, now| shares.pause(host, pause, now));
    }

    /// What has changed since the last call.
    pub fn news(&self) -> Vec<HostNews> {
        self.0.look(|shares, _| shares.news())
    }

    /// Whether there are news.
    pub fn has_news(&self) -> bool {
        self.0.look(|shares, _| shares.has_news())
    }

    /// Gives everything back. Waits for that at most so long.
    pub fn leave(&self, patience: Duration) {
        self.0.change(|shares, now| shares.leave(now));
        self.0.wait(patience);
    }
}
