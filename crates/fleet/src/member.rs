//! A node's side of the lease contract: which call comes next, and what an answer means.
//!
//! A pure state machine. The current time is an argument; calls are made by its user.
//!
//! Owns: tokens of leases, the time until which the node may work on a slice, repeating calls whose answers were lost.
//! Does not own: the clock, the server, the lines of a slice.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::ending::{Ending, Finished, Prepared, Results};
use crate::retry::Retry;
use crate::scripts::Script;
use crate::server::{Call, Failure, Reply};
use crate::slice::SliceId;

/// How long a node waits when all slices are leased: until one of them may be silent, or more are added.
const LATER: Duration = Duration::from_millis(500);
/// Bytes of a token.
const TOKEN_BYTES: usize = 16;

/// One node of a fleet.
pub struct Member<R> {
    node: String,
    name: String,
    /// Makes tokens. Fills the array with random bytes.
    random: R,
    /// Slices that the caller wants to hold.
    wanted: usize,
    leases: BTreeMap<SliceId, Lease>,
    prepared: VecDeque<Prepared>,
    finished: VecDeque<Ending>,
    released: VecDeque<SliceId>,
    /// When leases are to be renewed.
    renew_at: Duration,
    /// When a slice may be asked for.
    take_at: Duration,
    /// After lost calls: when the next one may be made, and the pause after that.
    retry: Option<Retry>,
    /// The call whose answer is awaited.
    asked: Option<Asked>,
    ended: Option<Ended>,
    leaving: Leaving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    Wanted,
    Left,
}

struct Lease {
    token: Vec<u8>,
    /// The time from which on another node may have it.
    until: Duration,
    length: Duration,
    is_finished: bool,
}

struct Asked {
    what: Ask,
    at: Duration,
}

enum Ask {
    Take { token: Vec<u8> },
    Renew(Vec<SliceId>),
    Prepare(SliceId),
    Finish,
    Release,
    Leave,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// To make this call.
    Call(Call),
    /// Nothing before this time, unless something is wanted, finished or released before.
    Sleep(Duration),
    /// Nothing any more.
    Left,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing that the caller has to know.
    Nothing,
    /// A slice to work on.
    Taken {
        /// Its name.
        id: SliceId,
        /// What it holds.
        content: Vec<u8>,
        /// How often it has been delivered, this time included.
        deliveries: u64,
        /// What was prepared of it, in this order: each has appeared, may still do, or can't any more.
        prepared: Vec<Results>,
    },
    /// The results of the slice may appear: nodes that take it later hear of them.
    Prepared(SliceId),
    /// These slices belong to others: nothing of them may be started, and they aren't to be finished.
    Lost(Vec<SliceId>),
    /// The slice is acknowledged, by this node alone.
    Acknowledged(SliceId),
    /// The slice was finished too late: it belongs to another node, which it counts for.
    Fenced(SliceId),
    /// No slices are left, or the run was cancelled or removed.
    Ended(Ended),
    /// The server wasn't reached.
    Unreached(Failure),
}

/// Why there are no more slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every slice was acknowledged or set aside.
    Complete,
    /// The run was cancelled.
    Cancelled,
    /// There is no such run.
    Missing,
}

impl<R: FnMut(&mut [u8])> Member<R> {
    /// A node that is called `name` in what people read. `random` fills its argument with random bytes.
    pub fn new(name: &str, mut random: R) -> Self {
        let node = hex(&random_bytes(&mut random));
        Self {
            node,
            name: name.to_owned(),
            random,
            wanted: 0,
            leases: BTreeMap::new(),
            prepared: VecDeque::new(),
            finished: VecDeque::new(),
            released: VecDeque::new(),
            renew_at: Duration::MAX,
            take_at: Duration::ZERO,
            retry: None,
            asked: None,
            ended: None,
            leaving: Leaving::No,
        }
    }

    /// The name of the node among consumers.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Wants to hold so many slices that aren't finished.
    pub fn want(&mut self, slices: usize) {
        self.wanted = slices;
    }

    /// Whether work on the slice may start: no other node can have it yet.
    pub fn may_start(&self, id: &str, now: Duration) -> bool {
        self.leases.get(id).is_some_and(|lease| now < lease.until)
    }

    /// Whether the node holds the slice, as far as it knows.
    pub fn holds(&self, id: &str) -> bool {
        self.leases.contains_key(id)
    }

    /// Has a slice acknowledged. Its results must be durable. Returns whether the node still holds it, as far as it
    /// knows; if not, nothing else is said of it.
    pub fn finish(&mut self, finished: Finished) -> bool {
        self.end(Ending::Finished(finished))
    }

    /// Has a slice acknowledged whose results have appeared, as it was prepared when `attempt` were prepared before.
    /// Returns what [`Member::finish`] does.
    pub fn adopt(&mut self, id: &str, attempt: usize) -> bool {
        self.end(Ending::Adopted { id: id.to_owned(), attempt })
    }

    fn end(&mut self, ending: Ending) -> bool {
        let Some(lease) = self.leases.get_mut(ending.id()) else { return false };
        lease.is_finished = true;
        self.finished.push_back(ending);
        true
    }

    /// Announces the results of a slice. What follows is [`Outcome::Prepared`] or [`Outcome::Lost`].
    pub fn prepare(&mut self, prepared: Prepared) {
        self.prepared.push_back(prepared);
    }

    /// Gives a slice back.
    pub fn release(&mut self, id: &str) {
        if self.leases.contains_key(id) {
            self.released.push_back(id.to_owned());
        }
    }

    /// Takes no more slices, and gives back those that aren't finished.
    pub fn leave(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Wanted;
            let open = self.leases.iter().filter(|(_, lease)| !lease.is_finished);
            let open: Vec<_> = open.map(|(id, _)| id.clone()).collect();
            self.released.extend(open);
        }
    }

    /// Whether all that was finished is acknowledged or fenced.
    pub fn is_idle(&self) -> bool {
        self.leases.is_empty() && self.finished.is_empty()
    }

    /// What to do at `now`. A call must be answered by [`Member::answered`] before the next.
    pub fn next(&mut self, now: Duration) -> Next {
        if self.leaving == Leaving::Left {
            return Next::Left;
        }
        // One that was finished meanwhile needn't be given back.
        self.released.retain(|id| self.leases.contains_key(id));
        self.prepared.retain(|prepared| self.leases.contains_key(&prepared.end.id));
        if let Some(retry) = &self.retry
            && now < retry.at
        {
            return Next::Sleep(retry.at);
        }
        let (what, call) = if now >= self.renew_at && !self.leases.is_empty() {
            let ids: Vec<_> = self.leases.keys().cloned().collect();
            let pairs =
                self.leases.iter().flat_map(|(id, lease)| [id.clone().into_bytes(), lease.token.clone()]);
            let arguments = std::iter::once(self.node.clone().into_bytes()).chain(pairs);
            (Ask::Renew(ids), Call::new(Script::Renew, arguments))
        } else if let Some((ending, lease)) =
            self.finished.front().and_then(|ending| Some((ending, self.leases.get(ending.id())?)))
        {
            (Ask::Finish, ending.call(&self.node, &lease.token))
        } else if let Some((prepared, lease)) =
            self.prepared.front().and_then(|prepared| Some((prepared, self.leases.get(&prepared.end.id)?)))
        {
            (Ask::Prepare(prepared.end.id.clone()), prepared.call(&self.node, &lease.token))
        } else if let Some((id, lease)) =
            self.released.front().and_then(|id| Some((id, self.leases.get(id)?)))
        {
            let arguments = [self.node.as_bytes(), id.as_bytes(), &lease.token];
            (Ask::Release, Call::new(Script::Release, arguments))
        } else if self.leaving == Leaving::Wanted && self.leases.is_empty() {
            (Ask::Leave, Call::new(Script::Leave, [self.node.as_bytes()]))
        } else if self.wants_more() && now >= self.take_at {
            let token = hex(&random_bytes(&mut self.random)).into_bytes();
            let arguments = [self.node.as_bytes(), self.name.as_bytes(), &token];
            let call = Call::new(Script::Take, arguments);
            (Ask::Take { token }, call)
        } else {
            let take_at = if self.wants_more() { self.take_at } else { Duration::MAX };
            let renew_at = if self.leases.is_empty() { Duration::MAX } else { self.renew_at };
            return Next::Sleep(take_at.min(renew_at));
        };
        self.asked = Some(Asked { what, at: now });
        Next::Call(call)
    }

    fn wants_more(&self) -> bool {
        let open = self.leases.values().filter(|lease| !lease.is_finished).count();
        self.ended.is_none() && self.leaving == Leaving::No && open < self.wanted
    }

    /// Takes the answer to the last call.
    pub fn answered(&mut self, answer: Result<Reply, Failure>, now: Duration) -> Outcome {
        let Some(Asked { what, at }) = self.asked.take() else { return Outcome::Nothing };
        let reply = match answer {
            Ok(reply) => reply,
            Err(failure) => {
                self.retry = Some(Retry::after(self.retry.as_ref(), now));
                if matches!(what, Ask::Leave) {
                    self.leaving = Leaving::Left;
                }
                return Outcome::Unreached(failure);
            }
        };
        self.retry = None;
        match what {
            Ask::Take { token } => self.taken(token, &reply, at, now),
            Ask::Renew(ids) => self.renewed(&ids, &reply, at),
            Ask::Finish => {
                let Some(ending) = self.finished.pop_front() else { return Outcome::Nothing };
                let id = ending.into_id();
                self.leases.remove(&id);
                // That may have been the last one of the run.
                self.take_at = Duration::ZERO;
                if reply.int() == Some(1) { Outcome::Acknowledged(id) } else { Outcome::Fenced(id) }
            }
            Ask::Prepare(id) => {
                self.prepared.retain(|prepared| prepared.end.id != id);
                if reply.int() == Some(1) {
                    return Outcome::Prepared(id);
                }
                self.leases.remove(&id);
                Outcome::Lost(vec![id])
            }
            Ask::Release => {
                if let Some(id) = self.released.pop_front() {
                    self.leases.remove(&id);
                }
                Outcome::Nothing
            }
            Ask::Leave => {
                self.leaving = Leaving::Left;
                Outcome::Nothing
            }
        }
    }

    fn taken(&mut self, token: Vec<u8>, reply: &Reply, at: Duration, now: Duration) -> Outcome {
        let ended = match reply.list() {
            [word, id, content, deliveries, length, prepared] if word.str() == Some("slice") => {
                let (Some(id), Some(content)) = (id.str(), content.bytes()) else { return Outcome::Nothing };
                let length =
                    Duration::from_millis(length.int().and_then(|ms| ms.try_into().ok()).unwrap_or(0));
                self.renew_at = self.renew_at.min(at + length / 3);
                // Its own slice, which fell silent while the call was on its way: the work goes on under the new token.
                if let Some(held) = self.leases.get_mut(id) {
                    (held.token, held.until, held.length) = (token, at + length, length);
                    return Outcome::Nothing;
                }
                let lease = Lease { token, until: at + length, length, is_finished: false };
                self.leases.insert(id.to_owned(), lease);
                if self.leaving != Leaving::No {
                    self.released.push_back(id.to_owned());
                    return Outcome::Nothing;
                }
                let deliveries = deliveries.int().and_then(|count| count.try_into().ok()).unwrap_or(1);
                let prepared = prepared.pairs().filter_map(|(name, identity)| {
                    Some(Results { name: name.to_owned(), identity: identity.str()?.to_owned() })
                });
                let (id, content, prepared) = (id.to_owned(), content.to_vec(), prepared.collect());
                return Outcome::Taken { id, content, deliveries, prepared };
            }
            [word] if word.str() == Some("end") => Ended::Complete,
            [word] if word.str() == Some("cancelled") => Ended::Cancelled,
            [word] if word.str() == Some("none") => Ended::Missing,
            _ => {
                self.take_at = now + LATER;
                return Outcome::Nothing;
            }
        };
        self.ended = Some(ended);
        Outcome::Ended(ended)
    }

    fn renewed(&mut self, ids: &[SliceId], reply: &Reply, at: Duration) -> Outcome {
        let Some((state, kept)) = reply.list().split_first() else { return Outcome::Nothing };
        let mut lost = Vec::new();
        for (id, kept) in ids.iter().zip(kept) {
            if kept.int() == Some(1) {
                if let Some(lease) = self.leases.get_mut(id) {
                    lease.until = at + lease.length;
                }
            } else if self.leases.get(id).is_some_and(|lease| !lease.is_finished) {
                // A finished one may have been acknowledged by a call whose answer was lost.
                self.leases.remove(id);
                self.released.retain(|released| released != id);
                lost.push(id.clone());
            }
        }
        let shortest = self.leases.values().map(|lease| lease.length).min();
        self.renew_at = shortest.map_or(Duration::MAX, |length| at + length / 3);
        let ended = match state.str() {
            Some("cancelled") => Some(Ended::Cancelled),
            Some("none") => Some(Ended::Missing),
            _ => None,
        };
        match ended {
            Some(ended) if self.ended.is_none() => {
                self.ended = Some(ended);
                Outcome::Ended(ended)
            }
            _ if lost.is_empty() => Outcome::Nothing,
            _ => Outcome::Lost(lost),
        }
    }
}

fn random_bytes(random: &mut impl FnMut(&mut [u8])) -> [u8; TOKEN_BYTES] {
    let mut bytes = [0; TOKEN_BYTES];
    random(&mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
