//! The lines that a node works on: those of its slices, one by one.
//!
//! Owns: joining a run and leaving it, when a line may start, handing finished slices on.
//! Does not own: the tasks that lines become ([`crate::get`], [`super::files`]), the contract ([`haul_fleet`]).

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use haul_engine::{Next, SourceWaker};
use haul_fetch::Begin;
use haul_fleet::{Connection, Ended, Finished, Node, Outcome, Settings, unpack};

use super::address::node_name;
use super::durable::Durable;
use super::limits::{FleetLimits, FleetShares};
use super::messages::Messages;
use super::slices::{LineEnd, NextLine, Slices, Taken};
use crate::report::exit::{Exit, Problem};
use crate::report::voice::Voice;

/// How long the last acknowledgements, or giving slices back, may take when the run was interrupted.
const PATIENCE: Duration = Duration::from_secs(5);
/// When a slice that must wait for its lease is looked at again.
const LEASE_INTERVAL: Duration = Duration::from_millis(100);

/// This process as a node of a fleet. Clones are the same node.
#[derive(Clone)]
pub(crate) struct FleetNode(Arc<Shared>);

struct Shared {
    node: Arc<Node>,
    limits: FleetLimits,
    shares: FleetShares,
    durable: Durable,
    waker: SourceWaker,
    state: Mutex<State>,
}

struct State {
    slices: Slices,
    messages: Messages,
    ended: Option<Ended>,
    /// Whether the next line waits for its lease.
    waits_for_lease: bool,
    /// Slices that are to be durable and acknowledged.
    finishing: usize,
}

/// A line, and what it is known by when its task ends.
pub(crate) struct FleetLine {
    pub(crate) line: String,
    pub(crate) key: Box<str>,
    /// Whether this node may have begun it before.
    pub(crate) is_repeated: bool,
}

impl FleetNode {
    /// Joins the run of `server`, which has these settings, with results in `directory` or in a bucket. `limits` hold
    /// besides those of the run.
    pub(crate) fn join(
        server: Connection,
        settings: &Settings,
        limits: FleetLimits,
        directory: Option<PathBuf>,
        voice: &Voice,
    ) -> Result<Self, Problem> {
        let (waker, limits) = (SourceWaker::default(), limits.within(settings));
        let (wake, of_shares) = (waker.clone(), server.another());
        let node = Arc::new(Node::join(server, &node_name(), move || wake.wake())?);
        let shares = FleetShares::start(of_shares, &node.name(), limits, settings.lease)?;
        node.want(1);
        let wake = waker.clone();
        let durable = Durable::start(directory, node.clone(), voice.clone(), move || wake.wake())?;
        let state = State {
            slices: Slices::default(),
            messages: Messages::new(voice),
            ended: None,
            waits_for_lease: false,
            finishing: 0,
        };
        Ok(Self(Arc::new(Shared { node, limits, shares, durable, waker, state: Mutex::new(state) })))
    }

    /// The limits of hosts that hold over the whole fleet.
    pub(crate) fn limits(&self) -> FleetLimits {
        self.0.limits
    }

    /// What this node may do at each host.
    pub(crate) fn shares(&self) -> &FleetShares {
        &self.0.shares
    }

    /// The next line that may be worked on now.
    pub(crate) fn next(&self) -> Next<FleetLine> {
        let mut state = self.lock();
        self.look(&mut state);
        state.waits_for_lease = false;
        if self.0.durable.has_failed() {
            state.slices.clear();
            return Next::End;
        }
        let Some(id) = state.slices.front() else {
            let has_all = state.slices.is_empty() && state.finishing == 0;
            return if state.ended.is_some() && has_all { Next::End } else { Next::Later };
        };
        if !self.0.node.may_start(id) {
            state.waits_for_lease = true;
            return Next::Later;
        }
        let next = state.slices.next();
        self.0.node.want(state.wanted());
        let Some(NextLine { taken, line, is_repeated }) = next else { return Next::Later };
        let key = format!("{} {}\n{line}", taken.id, taken.number).into();
        Next::Task(FleetLine { line, key, is_repeated })
    }

    pub(crate) fn set_waker(&self, waker: Waker) {
        self.0.waker.set(waker);
    }

    pub(crate) fn ask_again_in(&self) -> Duration {
        if self.lock().waits_for_lease { LEASE_INTERVAL } else { self.0.waker.ask_again_in() }
    }

    /// Whether the line that is known by `key` may be begun: it may have waited for its host for long.
    pub(crate) fn may_begin(&self, key: &str) -> Begin {
        let Some((taken, _)) = parsed(key) else { return Begin::Now };
        let mut state = self.lock();
        self.look(&mut state);
        if !state.slices.has(&taken) {
            Begin::Never
        } else if self.0.node.may_start(&taken.id) {
            Begin::Now
        } else {
            Begin::Later
        }
    }

    /// Takes the end of the line that is known by `key`.
    pub(crate) fn ended(&self, key: &str, end: LineEnd) {
        let Some((taken, line)) = parsed(key) else { return };
        let mut state = self.lock();
        if let Some(finished) = state.slices.end(&taken, line, end) {
            self.finish(&mut state, finished);
        }
        self.0.node.want(state.wanted());
    }

    /// Gives back what isn't finished, and leaves. Returns the exit code of the run, which ended with `exit`: it failed
    /// if results could not be made durable.
    pub(crate) fn leave(&self, exit: Exit) -> Exit {
        self.0.shares.leave();
        let outcomes = self.0.node.leave(PATIENCE);
        let mut state = self.lock();
        for outcome in outcomes {
            self.handle(&mut state, outcome);
        }
        if self.0.durable.has_failed() { exit.max(Exit::Failed) } else { exit }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, state: &mut State, finished: Finished) {
        state.finishing += 1;
        self.0.durable.finish(finished);
    }

    /// Handles what the server has answered.
    fn look(&self, state: &mut State) {
        for outcome in self.0.node.outcomes() {
            self.handle(state, outcome);
        }
    }

    fn handle(&self, state: &mut State, outcome: Outcome) {
        if let Outcome::Unreached(failure) = &outcome {
            return state.messages.unreached(failure);
        }
        state.messages.reached();
        match outcome {
            Outcome::Taken { id, content, deliveries } => {
                let lines = texts(&content);
                let damage = lines.as_ref().err().map(ToString::to_string);
                let lines = lines.unwrap_or_default();
                state.messages.taken(&id, lines.len(), deliveries);
                state.slices.add(id.clone(), lines, deliveries);
                if let Some(finished) = damage.and_then(|reason| state.slices.damaged(&id, &reason)) {
                    self.finish(state, finished);
                }
            }
            Outcome::Lost(ids) => {
                for id in ids {
                    state.messages.lost(&id);
                    state.slices.remove(&id);
                }
            }
            Outcome::Acknowledged(id) => {
                state.finishing = state.finishing.saturating_sub(1);
                state.messages.acknowledged(&id);
            }
            Outcome::Fenced(id) => {
                state.finishing = state.finishing.saturating_sub(1);
                state.messages.fenced(&id);
            }
            Outcome::Ended(ended) => {
                if ended != Ended::Complete {
                    state.slices.clear();
                }
                state.ended = Some(ended);
                state.messages.ended(ended);
            }
            Outcome::Unreached(_) | Outcome::Nothing => {}
        }
        self.0.node.want(state.wanted());
    }
}

/// The parts of a line's key.
fn parsed(key: &str) -> Option<(Taken, &str)> {
    let (taken, line) = key.split_once('\n')?;
    let (id, number) = taken.split_once(' ')?;
    Some((Taken { id: id.to_owned(), number: number.parse().ok()? }, line))
}

/// The lines of a slice, of which there is at least one.
fn texts(content: &[u8]) -> io::Result<Vec<String>> {
    let lines = unpack(content)?.into_iter().map(String::from_utf8);
    let lines: Vec<_> = lines.collect::<Result<_, _>>().map_err(io::Error::other)?;
    if lines.is_empty() { Err(io::Error::other("a slice without lines")) } else { Ok(lines) }
}

impl State {
    fn wanted(&self) -> usize {
        self.slices.wanted()
    }
}
