//! A node: a thread makes the calls of a [`Member`].
//!
//! Owns: what happened to slices until it is taken out.
//! Does not own: the thread ([`crate::caller`]), which call comes next ([`crate::member`]).

use std::collections::VecDeque;
use std::time::Duration;

use aws_lc_rs::rand;

use crate::caller::{Caller, Machine};
use crate::ending::{Finished, Prepared};
use crate::member::{Member, Next, Outcome};
use crate::server::{Failure, Reply, Server};
use crate::slice::SliceId;

type Random = fn(&mut [u8]);

/// A node of a fleet. Dropped, it stops without giving anything back: its leases run out.
pub struct Node(Caller<State>);

struct State {
    member: Member<Random>,
    outcomes: VecDeque<Outcome>,
}

impl Machine for State {
    fn next(&mut self, now: Duration) -> Next {
        self.member.next(now)
    }

    fn answered(&mut self, answer: Result<Reply, Failure>, now: Duration) -> bool {
        let outcome = self.member.answered(answer, now);
        let is_told = !matches!(outcome, Outcome::Nothing);
        if is_told {
            self.tell(outcome);
        }
        is_told
    }
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
        let state = State { member: Member::new(name, random), outcomes: VecDeque::new() };
        Caller::start("fleet", server, state, wake).map(Self)
    }

    /// The name of the node among the consumers of the run.
    pub fn name(&self) -> String {
        self.0.look(|state, _| state.member.node().to_owned())
    }

    /// Wants to hold so many slices that aren't finished.
    pub fn want(&self, slices: usize) {
        self.0.change(|state, _| state.member.want(slices));
    }

    /// What happened since the last call.
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.0.look(|state, _| state.outcomes.drain(..).collect())
    }

    /// Whether work on the slice may start: no other node can have it yet.
    pub fn may_start(&self, id: &str) -> bool {
        self.0.look(|state, now| state.member.may_start(id, now))
    }

    /// Whether the node holds the slice, as far as it knows.
    pub fn holds(&self, id: &str) -> bool {
        self.0.look(|state, _| state.member.holds(id))
    }

    /// Has a slice acknowledged. Its results must be durable. What follows is [`Outcome::Acknowledged`] or
    /// [`Outcome::Fenced`].
    pub fn finish(&self, finished: Finished) {
        let id = finished.id.clone();
        self.end(id, |member| member.finish(finished));
    }

    /// Announces the results of a slice before they appear under one name, all at once. What follows is
    /// [`Outcome::Prepared`] or [`Outcome::Lost`].
    pub fn prepare(&self, prepared: Prepared) {
        self.0.change(|state, _| state.member.prepare(prepared));
    }

    /// Has a slice acknowledged whose results have appeared, as it was prepared when `attempt` were prepared before.
    /// What follows is [`Outcome::Acknowledged`] or [`Outcome::Fenced`].
    pub fn adopt(&self, id: &str, attempt: usize) {
        self.end(id.to_owned(), |member| member.adopt(id, attempt));
    }

    fn end(&self, id: SliceId, end: impl FnOnce(&mut Member<Random>) -> bool) {
        let is_lost = self.0.change(|state, _| {
            let is_lost = !end(&mut state.member);
            if is_lost {
                state.tell(Outcome::Fenced(id));
            }
            is_lost
        });
        if is_lost {
            self.0.wake();
        }
    }

    /// Gives a slice back.
    pub fn release(&self, id: &str) {
        self.0.change(|state, _| state.member.release(id));
    }

    /// Whether all that was finished is acknowledged or fenced, and nothing is held.
    pub fn is_idle(&self) -> bool {
        self.0.look(|state, _| state.member.is_idle())
    }

    /// Gives back what isn't finished, and leaves. Waits for that at most so long. Returns what happened meanwhile.
    pub fn leave(&self, patience: Duration) -> Vec<Outcome> {
        self.0.change(|state, _| state.member.leave());
        self.0.wait(patience);
        self.outcomes()
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
