//! The lines that a node works on: those of its slices, one by one.
//!
//! Owns: joining a run and leaving it, when a line may start, handing finished slices on.
//! Does not own: the tasks that lines become ([`crate::get`], [`super::files`]), the contract ([`haul_fleet`]).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use haul_engine::{Next, SourceWaker};
use haul_fetch::Begin;
use haul_fleet::{Connection, Ended, Finished, Node, Outcome, Settings, unpack};
use haul_pack::{Packer, PartGate, PartShard};

use super::address::node_name;
use super::durable::{Durable, FleetSink};
use super::limits::{FleetLimits, FleetShares};
use super::messages::Messages;
use super::slices::{LineEnd, NewSlice, NextLine, Publishing, Slices, Taken};
use crate::packs::slices::{ShardSearch, SliceShards};
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
    /// Where results are packed, if they are.
    shards: Option<SliceShards>,
    durable: Durable,
    waker: SourceWaker,
    state: Mutex<State>,
}

struct State {
    slices: Slices,
    /// Slices whose shards are looked for, by the numbers of the searches.
    opening: BTreeMap<u64, NewSlice>,
    /// How many searches there were.
    searches: u64,
    messages: Messages,
    ended: Option<Ended>,
    /// Whether the next line waits for its lease.
    waits_for_lease: bool,
    /// Slices whose shards are looked for, and slices that are to be durable and acknowledged.
    busy: usize,
}

/// A line, and what it is known by when its task ends.
pub(crate) struct FleetLine {
    pub(crate) line: String,
    pub(crate) key: Box<str>,
    /// Whether this node may have begun it before.
    pub(crate) is_repeated: bool,
    /// What packs its result, if it is packed.
    pub(crate) packer: Option<Packer>,
}

impl FleetNode {
    /// Joins the run of `server`, which has these settings, with results in `sink`. `limits` hold besides those of the
    /// run.
    pub(crate) fn join(
        server: Connection,
        settings: &Settings,
        limits: FleetLimits,
        sink: FleetSink,
        voice: &Voice,
    ) -> Result<Self, Problem> {
        let (waker, limits) = (SourceWaker::default(), limits.within(settings));
        let (wake, of_shares) = (waker.clone(), server.another());
        let node = Arc::new(Node::join(server, &node_name(), move || wake.wake())?);
        let shares = FleetShares::start(of_shares, &node.name(), limits, settings.lease)?;
        node.want(1);
        let wake = waker.clone();
        let shards = sink.shards.clone();
        let durable = Durable::start(sink, node.clone(), voice.clone(), move || wake.wake())?;
        let state = State {
            slices: Slices::default(),
            opening: BTreeMap::new(),
            searches: 0,
            messages: Messages::new(voice),
            ended: None,
            waits_for_lease: false,
            busy: 0,
        };
        Ok(Self(Arc::new(Shared { node, limits, shares, shards, durable, waker, state: Mutex::new(state) })))
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
            let has_all = state.slices.is_empty() && state.busy == 0;
            return if state.ended.is_some() && has_all { Next::End } else { Next::Later };
        };
        if !self.0.node.may_start(id) {
            state.waits_for_lease = true;
            return Next::Later;
        }
        let next = state.slices.next();
        self.0.node.want(state.wanted());
        let Some(NextLine { taken, line, is_repeated, packer }) = next else { return Next::Later };
        let key = format!("{} {}\n{line}", taken.id, taken.number).into();
        Next::Task(FleetLine { line, key, is_repeated, packer })
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
        drop(state);
        if self.0.shards.is_some() {
            // That may have been the last line that a shard waited for.
            self.0.waker.wake();
        }
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
        state.busy += 1;
        self.0.durable.finish(finished);
    }

    /// Handles what the server has answered.
    fn look(&self, state: &mut State) {
        for outcome in self.0.node.outcomes() {
            self.handle(state, outcome);
        }
        for number in self.0.durable.opened() {
            state.busy = state.busy.saturating_sub(1);
            if let Some(slice) = state.opening.remove(&number) {
                self.add(state, slice);
            }
        }
    }

    fn add(&self, state: &mut State, slice: NewSlice) {
        let attempt = slice.attempt;
        state.slices.add(slice, |taken| {
            let gate = SliceGate { node: Arc::downgrade(&self.0), taken: taken.clone() };
            Some(self.0.shards.as_ref()?.part(&taken.id, attempt, Arc::new(gate)))
        });
    }

    fn handle(&self, state: &mut State, outcome: Outcome) {
        if let Outcome::Unreached(failure) = &outcome {
            return state.messages.unreached(failure);
        }
        state.messages.reached();
        match outcome {
            Outcome::Taken { id, content, deliveries, prepared } => {
                let lines = texts(&content);
                let damage = lines.as_ref().err().map(ToString::to_string);
                let lines = lines.unwrap_or_default();
                state.messages.taken(&id, lines.len(), deliveries);
                let slice = NewSlice { id: id.clone(), lines, deliveries, attempt: prepared.len() };
                if self.0.shards.is_some() && damage.is_none() {
                    state.busy += 1;
                    state.searches += 1;
                    let number = state.searches;
                    state.opening.insert(number, slice);
                    return self.0.durable.open(ShardSearch {
                        number,
                        id,
                        prepared,
                        is_new: deliveries == 1,
                    });
                }
                self.add(state, slice);
                if let Some(finished) = damage.and_then(|reason| state.slices.damaged(&id, &reason)) {
                    self.finish(state, finished);
                }
            }
            Outcome::Lost(ids) => {
                for id in ids {
                    state.messages.lost(&id);
                    state.opening.retain(|_, slice| slice.id != id);
                    state.slices.remove(&id);
                }
            }
            Outcome::Prepared(id) => state.slices.set_announced(&id),
            Outcome::Acknowledged(id) => {
                state.busy = state.busy.saturating_sub(1);
                state.opening.retain(|_, slice| slice.id != id);
                state.messages.acknowledged(&id);
            }
            Outcome::Fenced(id) => {
                state.busy = state.busy.saturating_sub(1);
                state.opening.retain(|_, slice| slice.id != id);
                state.messages.fenced(&id);
            }
            Outcome::Ended(ended) => {
                if ended != Ended::Complete {
                    state.opening.clear();
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

/// Decides about the shard of a slice.
struct SliceGate {
    node: Weak<Shared>,
    taken: Taken,
}

impl PartGate for SliceGate {
    fn is_complete(&self, waiting: usize) -> bool {
        let Some(node) = self.node.upgrade().map(FleetNode) else { return true };
        let mut state = node.lock();
        node.look(&mut state);
        state.slices.is_complete(&self.taken, waiting)
    }

    fn may_publish(&self, shard: &PartShard) -> Option<bool> {
        let Some(node) = self.node.upgrade().map(FleetNode) else { return Some(false) };
        let mut state = node.lock();
        node.look(&mut state);
        match state.slices.publishing(&self.taken, shard) {
            Publishing::Never => Some(false),
            Publishing::Prepare(prepared) => {
                node.0.node.prepare(prepared);
                None
            }
            Publishing::Asked => None,
            Publishing::Now => Some(true),
        }
    }

    fn is_taken(&self) {
        let Some(node) = self.node.upgrade().map(FleetNode) else { return };
        let mut state = node.lock();
        if state.slices.has(&self.taken) {
            state.slices.remove(&self.taken.id);
            node.0.node.release(&self.taken.id);
        }
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
