//! The shares of a node: a thread that makes the calls of [`Shares`].
//!
//! Owns: the thread, the clock.
//! Does not own: which call comes next ([`crate::shares`]).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::member::Next;
use crate::server::Server;
use crate::shares::{HostNews, Shares, Terms};

/// The limits of hosts that a node shares with the others of its fleet. No call waits for the server but
/// [`Limiter::leave`]. Dropped, it gives nothing back: its shares run out.
pub struct Limiter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    started: Instant,
    wake: Box<dyn Fn() + Send + Sync>,
}

struct State {
    shares: Shares,
    /// Whether the thread is to end at once.
    is_dropped: bool,
    has_left: bool,
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
        let shared = Arc::new(Shared {
            state: Mutex::new(State { shares: Shares::new(node, terms), is_dropped: false, has_left: false }),
            changed: Condvar::new(),
            started: Instant::now(),
            wake: Box::new(wake),
        });
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new().name("limits".to_owned());
        let thread = thread.spawn(move || of_thread.serve(server))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Whether hosts need shares.
    pub fn has_shares(&self) -> bool {
        self.shared.lock().shares.has_shares()
    }

    /// See [`Shares::want`].
    pub fn want(&self, host: &str, running: u32, wanted: u32) {
        let now = self.now();
        self.shared.change(|state| state.shares.want(host, running, wanted, now));
    }

    /// See [`Shares::may_start`].
    pub fn may_start(&self, host: &str) -> bool {
        let now = self.now();
        self.shared.lock().shares.may_start(host, now)
    }

    /// See [`Shares::pause`].
    pub fn pause(&self, host: &str, pause: Duration) {
        let now = self.now();
        self.shared.change(|state| state.shares.pause(host, pause, now));
    }

    /// What has changed since the last call.
    pub fn news(&self) -> Vec<HostNews> {
        self.shared.lock().shares.news()
    }

    /// Whether there are news.
    pub fn has_news(&self) -> bool {
        self.shared.lock().shares.has_news()
    }

    /// Gives everything back. Waits for that at most so long.
    pub fn leave(&self, patience: Duration) {
        let now = self.now();
        self.shared.change(|state| state.shares.leave(now));
        let state = self.shared.lock();
        let left = self.shared.changed.wait_timeout_while(state, patience, |state| !state.has_left);
        drop(left.unwrap_or_else(PoisonError::into_inner));
    }

    fn now(&self) -> Duration {
        self.shared.started.elapsed()
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.shared.change(|state| state.is_dropped = true);
        let has_left = self.shared.lock().has_left;
        // A thread that waits for an answer isn't waited for.
        if let Some(thread) = self.thread.take().filter(|_| has_left) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn serve(&self, mut server: impl Server) {
        let mut state = self.lock();
        while !state.is_dropped {
            match state.shares.next(self.started.elapsed()) {
                Next::Call(call) => {
                    drop(state);
                    let answer = server.call(&call);
                    state = self.lock();
                    // The node says why the server isn't reached.
                    let _ = state.shares.answered(answer, self.started.elapsed());
                    if state.shares.has_news() {
                        drop(state);
                        (self.wake)();
                        state = self.lock();
                    }
                }
                Next::Sleep(until) => {
                    let pause = until.saturating_sub(self.started.elapsed());
                    state = self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
                }
                Next::Left => break,
            }
        }
        state.has_left = true;
        drop(state);
        self.changed.notify_all();
    }
}
