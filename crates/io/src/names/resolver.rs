//! Addresses of host names: one lookup for all callers that ask at the same time, remembered for a while.
//!
//! The first caller to ask for an unknown name leads: it carries out the lookup. Callers that ask meanwhile leave a
//! callback. So any number of tasks cost one lookup, and those that wait occupy no thread of a ring's pool.
//!
//! - A success is remembered for a short, fixed time, because lookups report no time to live.
//! - A failure is remembered for a second. A list with a thousand URLs of one missing host then costs a single lookup,
//!   and a network that comes back is noticed soon.
//!
//! Addresses keep the resolver's order (for the system's resolver, RFC 6724): rotating them would overrule its
//! preferences.
//!
//! Owns: which caller leads, what is remembered and for how long.
//! Does not own: the order of connection attempts ([`crate::Op::Connect`]), fixed addresses that the user gave.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::answer::{Answer, Callback, at_port};
use super::waiter;
use crate::Cancel;

/// Looks up addresses and remembers them. Clones share what they remember.
#[derive(Clone)]
pub struct Names(Arc<Inner>);

/// How long and how much [`Names`] remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamesLimits {
    /// How long addresses are used without another lookup. Defaults to 60 s.
    pub found_for: Duration,
    /// How long a failed lookup is remembered. Defaults to 1 s.
    pub missed_for: Duration,
    /// Names that are remembered; beyond it the oldest answer is forgotten. Defaults to 1024.
    pub names_max: usize,
}

/// Looks up a name and returns its addresses in order of preference. Their ports are ignored.
type Resolver = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type Clock = dyn Fn() -> Duration + Send + Sync;

struct Inner {
    limits: NamesLimits,
    resolver: Box<Resolver>,
    clock: Box<Clock>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<Arc<str>, Entry>,
    /// Answers in the order in which they arrived. Invariant: at most [`NamesLimits::names_max`].
    order: VecDeque<(Arc<str>, Duration)>,
}

enum Entry {
    /// A caller looks it up; these callbacks receive its answer.
    Pending(Vec<Callback>),
    Known {
        answer: Answer,
        until: Duration,
    },
}

/// The part of a caller in a lookup.
enum Role {
    Known(Answer),
    /// The caller carries out the lookup.
    Leader(Lookup),
    /// Another caller carries it out, and calls the callback.
    Follower,
}

/// The leader's duty to look up a name. The callbacks receive an answer however it ends.
struct Lookup {
    names: Names,
    name: Arc<str>,
    answer: Option<Answer>,
}

impl Names {
    /// The system's resolver and clock, with the default limits.
    pub fn system() -> Self {
        let started = Instant::now();
        Self::new(by_system, move || started.elapsed(), NamesLimits::default())
    }

    /// Names that `resolver` looks up. It returns addresses in order of preference, with ports that are ignored, and
    /// may block. `clock` returns the time since some fixed moment.
    pub fn new(
        resolver: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
        limits: NamesLimits,
    ) -> Self {
        let (resolver, clock) = (Box::new(resolver), Box::new(clock));
        Self(Arc::new(Inner { limits, resolver, clock, table: Mutex::default() }))
    }

    /// The addresses of `name`, if they are known without a lookup.
    pub(crate) fn known(&self, name: &str, port: u16) -> Option<io::Result<Vec<SocketAddr>>> {
        let now = (self.0.clock)();
        self.lock().known(name, now).map(|answer| at_port(&answer, port))
    }

    /// The addresses of `name`. Blocks; if another caller looks the name up, until that is done or `cancel` is
    /// triggered.
    pub(crate) fn find(&self, name: &str, port: u16, cancel: &Cancel) -> io::Result<Vec<SocketAddr>> {
        let mut waiting = None;
        let role = self.join(name, || {
            let (callback, answer) = waiter::pair()?;
            waiting = Some(answer);
            Ok(callback)
        })?;
        let answer = match (role, waiting) {
            (Role::Known(answer), _) => answer,
            (Role::Leader(lookup), _) => lookup.run(),
            (Role::Follower, waiting) => waiting.expect("a follower has a waiter").wait(cancel)?,
        };
        at_port(&answer, port)
    }

    /// Calls `callback` with the addresses of `name`: in this call, which may block to look them up, or on the thread
    /// that is already looking them up.
    pub(crate) fn find_then(&self, name: &str, callback: Callback) {
        let mut callback = Some(callback);
        let role = self.join(name, || Ok(callback.take().expect("the callback is taken once")));
        let answer = match role {
            Ok(Role::Known(answer)) => answer,
            Ok(Role::Leader(lookup)) => lookup.run(),
            Ok(Role::Follower) => return,
            Err(error) => Err(Arc::new(error)),
        };
        callback.into_iter().for_each(|callback| callback(&answer));
    }

    /// Joins or starts a lookup. `callback` is made, and will be called, only if another caller leads.
    fn join(&self, name: &str, callback: impl FnOnce() -> io::Result<Callback>) -> io::Result<Role> {
        let now = (self.0.clock)();
        let mut table = self.lock();
        if let Some(answer) = table.known(name, now) {
            return Ok(Role::Known(answer));
        }
        if let Some(Entry::Pending(waiting)) = table.entries.get_mut(name) {
            waiting.push(callback()?);
            return Ok(Role::Follower);
        }
        let name = Arc::<str>::from(name);
        table.entries.insert(name.clone(), Entry::Pending(Vec::new()));
        Ok(Role::Leader(Lookup { names: self.clone(), name, answer: None }))
    }

    /// No foreign code runs under this lock, so a poisoned one is still consistent.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Names {
    fn default() -> Self {
        Self::system()
    }
}

impl Default for NamesLimits {
    fn default() -> Self {
        let (found_for, missed_for) = (Duration::from_secs(60), Duration::from_secs(1));
        Self { found_for, missed_for, names_max: 1_024 }
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl Lookup {
    fn run(mut self) -> Answer {
        let found = (self.names.0.resolver)(&self.name).and_then(|found| {
            if found.is_empty() {
                Err(io::Error::new(io::ErrorKind::NotFound, "the name has no addresses"))
            } else {
                Ok(found)
            }
        });
        let answer = found.map(Arc::from).map_err(Arc::new);
        self.answer = Some(answer.clone());
        answer
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| {
            let error = io::Error::other("internal error: the lookup panicked");
            Err(Arc::new(error))
        });
        let now = (self.names.0.clock)();
        let waiting = self.names.lock().learn(&self.name, &answer, now, &self.names.0.limits);
        waiting.into_iter().for_each(|callback| callback(&answer));
    }
}

impl Table {
    fn known(&self, name: &str, now: Duration) -> Option<Answer> {
        match self.entries.get(name)? {
            Entry::Known { answer, until } if now < *until => Some(answer.clone()),
            _ => None,
        }
    }

    /// Remembers `answer` and returns the callbacks that wait for it.
    fn learn(
        &mut self,
        name: &Arc<str>,
        answer: &Answer,
        now: Duration,
        limits: &NamesLimits,
    ) -> Vec<Callback> {
        let until = now + if answer.is_ok() { limits.found_for } else { limits.missed_for };
        let entry = Entry::Known { answer: answer.clone(), until };
        let previous = self.entries.insert(name.clone(), entry);
        self.order.push_back((name.clone(), until));
        while self.order.len() > limits.names_max {
            let Some((oldest, its_until)) = self.order.pop_front() else { break };
            // It may have been looked up again since.
            if matches!(self.entries.get(&oldest), Some(Entry::Known { until, .. }) if *until == its_until) {
                self.entries.remove(&oldest);
            }
        }
        match previous {
            Some(Entry::Pending(waiting)) => waiting,
            _ => Vec::new(),
        }
    }
}

fn by_system(name: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((name, 0).to_socket_addrs()?.collect())
}

#[cfg(test)]
mod tests;
