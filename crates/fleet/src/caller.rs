//! A thread that makes the calls of a state machine.
//!
//! Owns: the thread and its end, the clock.
//! Does not own: which call comes next ([`crate::member`], [`crate::shares`]).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::member::Next;
use crate::server::{Failure, Reply, Server};

/// The longest sleep, so that no time overflows.
const SLEEP_MAX: Duration = Duration::from_secs(3_600);

/// What says which call comes next.
pub(crate) trait Machine: Send + 'static {
    /// What to do at `now`.
    fn next(&mut self, now: Duration) -> Next;
    /// Takes the answer to the last call. Returns whether the user is to be woken.
    fn answered(&mut self, answer: Result<Reply, Failure>, now: Duration) -> bool;
}

/// A machine and its thread. Dropped, it ends without another call.
pub(crate) struct Caller<M: Machine> {
    shared: Arc<Shared<M>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared<M> {
    state: Mutex<State<M>>,
    changed: Condvar,
    started: Instant,
    wake: Box<dyn Fn() + Send + Sync>,
}

struct State<M> {
    machine: M,
    /// Whether the thread is to end at once.
    is_dropped: bool,
    has_left: bool,
}

impl<M: Machine> Caller<M> {
    /// Starts the thread `name`, which calls `wake` when the machine says so, and at its end.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub(crate) fn start(
        name: &str,
        server: impl Server + 'static,
        machine: M,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State { machine, is_dropped: false, has_left: false }),
            changed: Condvar::new(),
            started: Instant::now(),
            wake: Box::new(wake),
        });
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || of_thread.serve(server))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Looks at the machine, now.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut M, Duration) -> T) -> T {
        look(&mut self.shared.lock().machine, self.shared.started.elapsed())
    }

    /// Changes the machine, now, so that another call may come next.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut M, Duration) -> T) -> T {
        let changed = self.look(change);
        self.shared.changed.notify_all();
        changed
    }

    pub(crate) fn wake(&self) {
        (self.shared.wake)();
    }

    /// Waits until the machine has left, at most so long.
    pub(crate) fn wait(&self, patience: Duration) {
        let state = self.shared.lock();
        let left = self.shared.changed.wait_timeout_while(state, patience, |state| !state.has_left);
        drop(left.unwrap_or_else(PoisonError::into_inner));
    }
}

impl<M: Machine> Drop for Caller<M> {
    fn drop(&mut self) {
        let has_left = {
            let mut state = self.shared.lock();
            state.is_dropped = true;
            state.has_left
        };
        self.shared.changed.notify_all();
        // A thread that waits for an answer isn't waited for.
        if let Some(thread) = self.thread.take().filter(|_| has_left) {
            let _ = thread.join();
        }
    }
}

impl<M: Machine> Shared<M> {
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut server: impl Server) {
        let mut state = self.lock();
        while !state.is_dropped {
            match state.machine.next(self.started.elapsed()) {
                Next::Call(call) => {
                    drop(state);
                    let answer = server.call(&call);
                    state = self.lock();
                    if state.machine.answered(answer, self.started.elapsed()) {
                        drop(state);
                        (self.wake)();
                        state = self.lock();
                    }
                }
                Next::Sleep(until) => {
                    let pause = until.saturating_sub(self.started.elapsed()).min(SLEEP_MAX);
                    state = self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
                }
                Next::Left => break,
            }
        }
        state.has_left = true;
        drop(state);
        self.changed.notify_all();
        (self.wake)();
    }
}
