//! A node: a thread that makes the calls of a [`Member`].
//!
//! Owns: the thread, the clock.
//! Does not own: which call comes next ([`crate::member`]).

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;

use crate::member::{Finished, Member, Next, Outcome};
use crate::server::{Failure, Server};

type Random = fn(&mut [u8]);

/// A node of a fleet. Dropped, it stops without giving anything back: its leases run out.
pub struct Node {
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
    member: Member<Random>,
    outcomes: VecDeque<Outcome>,
    /// Whether the thread is to end at once.
    is_dropped: bool,
    has_left: bool,
}

impl Node {
    /// Joins the run of `server`. Calls `wake` whenever there is something to [take out](Node::outcomes).
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn join(
        server: impl Server + 'static,
        name: &str,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let random: Random = |out| {
            // A token that another lease may have would acknowledge work that nobody did.
            rand::fill(out).expect("the system has random bytes");
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                member: Member::new(name, random),
                outcomes: VecDeque::new(),
                is_dropped: false,
                has_left: false,
            }),
            changed: Condvar::new(),
            started: Instant::now(),
            wake: Box::new(wake),
        });
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new().name("fleet".to_owned());
        let thread = thread.spawn(move || of_thread.serve(server))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The name of the node among the consumers of the run.
    pub fn name(&self) -> String {
        self.shared.lock().member.node().to_owned()
    }

    /// Wants to hold so many slices that aren't finished.
    pub fn want(&self, slices: usize) {
        self.shared.change(|state| state.member.want(slices));
    }

    /// What happened since the last call.
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.shared.lock().outcomes.drain(..).collect()
    }

    /// Whether work on the slice may start: no other node can have it yet.
    pub fn may_start(&self, id: &str) -> bool {
        self.shared.lock().member.may_start(id, self.shared.started.elapsed())
    }

    /// Has a slice acknowledged. Its results must be durable. What follows is [`Outcome::Acknowledged`] or
    /// [`Outcome::Fenced`].
    pub fn finish(&self, finished: Finished) {
        let id = finished.id.clone();
        let mut is_lost = false;
        self.shared.change(|state| {
            is_lost = !state.member.finish(finished);
            if is_lost {
                state.tell(Outcome::Fenced(id));
            }
        });
        if is_lost {
            (self.shared.wake)();
        }
    }

    /// Gives a slice back.
    pub fn release(&self, id: &str) {
        self.shared.change(|state| state.member.release(id));
    }

    /// Whether all that was finished is acknowledged or fenced, and nothing is held.
    pub fn is_idle(&self) -> bool {
        self.shared.lock().member.is_idle()
    }

    /// Gives back what isn't finished, and leaves. Waits for that at most so long. Returns what happened meanwhile.
    pub fn leave(&self, patience: Duration) -> Vec<Outcome> {
        self.shared.change(|state| state.member.leave());
        let state = self.shared.lock();
        let left = self.shared.changed.wait_timeout_while(state, patience, |state| !state.has_left);
        let (mut state, _) = left.unwrap_or_else(PoisonError::into_inner);
        state.outcomes.drain(..).collect()
    }
}

impl Drop for Node {
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
            match state.member.next(self.started.elapsed()) {
                Next::Call(call) => {
                    drop(state);
                    let answer = server.call(&call);
                    state = self.lock();
                    let outcome = state.member.answered(answer, self.started.elapsed());
                    if !matches!(outcome, Outcome::Nothing) {
                        state.tell(outcome);
                        drop(state);
                        (self.wake)();
                        state = self.lock();
                    }
                }
                Next::Sleep(until) => {
                    let pause = until.saturating_sub(self.started.elapsed()).min(Duration::from_secs(3_600));
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

impl State {
    /// Keeps an outcome. Of a server that is away for long, only the last failure is kept.
    fn tell(&mut self, outcome: Outcome) {
        if let (Some(Outcome::Unreached(_)), Outcome::Unreached(Failure::Lost(_))) =
            (self.outcomes.back(), &outcome)
        {
            self.outcomes.pop_back();
        }
        self.outcomes.push_back(outcome);
    }
}
