//! The addresses of names, looked up once for all who ask at the same time, and remembered for a while.
//!
//! A name is either known, or somebody looks it up at this moment and the others leave word of what is to happen when the answer
//! comes: so any number of tasks cost one lookup, and those that wait occupy no thread of a ring's pool. A failure is
//! remembered too, for a second: long enough that a list with a thousand URLs of a name that is gone doesn't ask for it a
//! thousand times, short enough that a network which comes back is noticed. Lookups give no time to live, so success is remembered
//! for a fixed time, which is short.
//!
//! The order of addresses is the resolver's (for the system's, RFC 6724), and stays: turning it would overrule those preferences.
//!
//! Owns: who looks up what, what is remembered and for how long.
//! Does not own: the order of attempts to connect ([`crate::Op::Connect`]), names that the user explained.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::answer::{Answer, Callback, at_port};
use super::waiter;
use crate::Cancel;

/// Finds addresses and remembers them. Clones share what they remember.
#[derive(Clone)]
pub struct Names(Arc<Inner>);

/// How long and how much [`Names`] remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamesLimits {
    /// How long addresses are used without another lookup. Defaults to 60 s.
    pub found_for: Duration,
    /// How long a failed lookup stands. Defaults to 1 s.
    pub missed_for: Duration,
    /// Names that are remembered; beyond it the one that was looked up first is forgotten. Defaults to 1024.
    pub names_max: usize,
}

/// Looks up a name: its addresses, whose ports don't matter, in the order in which they are to be tried.
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
    /// Answers in the order in which they came. Invariant: at most [`NamesLimits::names_max`].
    order: VecDeque<(Arc<str>, Duration)>,
}

enum Entry {
    /// Somebody looks it up; these are told.
    UnderWay(Vec<Callback>),
    Known {
        answer: Answer,
        until: Duration,
    },
}

/// What there is to do for somebody who asks.
enum Claim {
    Known(Answer),
    /// It is up to the asker to look it up.
    Mine(LookUp),
    /// Somebody else does, and tells.
    UnderWay,
}

/// The duty to look up a name. Those who wait are answered however it ends.
struct LookUp {
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

    /// Names that `resolver` looks up. It gives addresses, whose ports don't matter, in the order in which they are to be tried; it
    /// may block. `clock` gives the time since some fixed moment.
    pub fn new(
        resolver: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
        limits: NamesLimits,
    ) -> Self {
        let (resolver, clock) = (Box::new(resolver), Box::new(clock));
        Self(Arc::new(Inner { limits, resolver, clock, table: Mutex::default() }))
    }

    /// The addresses of `name`, where they are known without a lookup.
    pub(crate) fn known(&self, name: &str, port: u16) -> Option<io::Result<Vec<SocketAddr>>> {
        let now = (self.0.clock)();
        self.lock().known(name, now).map(|answer| at_port(&answer, port))
    }

    /// The addresses of `name`. Blocks; where somebody else looks it up, until that is done or `cancel` is thrown.
    pub(crate) fn find(&self, name: &str, port: u16, cancel: &Cancel) -> io::Result<Vec<SocketAddr>> {
        let mut waiting = None;
        let begun = self.begin(name, || {
            let (told, answer) = waiter::pair()?;
            waiting = Some(answer);
            Ok(told)
        })?;
        let answer = match (begun, waiting) {
            (Claim::Known(answer), _) => answer,
            (Claim::Mine(look_up), _) => look_up.run(),
            (Claim::UnderWay, waiting) => waiting.expect("made while it was under way").wait(cancel)?,
        };
        at_port(&answer, port)
    }

    /// Has `told` called with the addresses of `name`: by this call, which may block to look them up, or by the thread that
    /// looks them up already.
    pub(crate) fn find_then(&self, name: &str, told: Callback) {
        let mut told = Some(told);
        let begun = self.begin(name, || Ok(told.take().expect("wanted once")));
        let answer = match begun {
            Ok(Claim::Known(answer)) => answer,
            Ok(Claim::Mine(look_up)) => look_up.run(),
            Ok(Claim::UnderWay) => return,
            Err(error) => Err(Arc::new(error)),
        };
        told.into_iter().for_each(|told| told(&answer));
    }

    /// What there is to do for somebody who asks; `told` is wanted, and called, only if somebody else looks it up.
    fn begin(&self, name: &str, told: impl FnOnce() -> io::Result<Callback>) -> io::Result<Claim> {
        let now = (self.0.clock)();
        let mut table = self.lock();
        if let Some(answer) = table.known(name, now) {
            return Ok(Claim::Known(answer));
        }
        if let Some(Entry::UnderWay(waiting)) = table.entries.get_mut(name) {
            waiting.push(told()?);
            return Ok(Claim::UnderWay);
        }
        let name = Arc::<str>::from(name);
        table.entries.insert(name.clone(), Entry::UnderWay(Vec::new()));
        Ok(Claim::Mine(LookUp { names: self.clone(), name, answer: None }))
    }

    /// No foreign code runs under this lock, so a poisoned one is as good as any.
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

impl LookUp {
    fn run(mut self) -> Answer {
        let found = (self.names.0.resolver)(&self.name).and_then(|found| match found.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no addresses")),
            false => Ok(found),
        });
        let answer = found.map(Arc::from).map_err(Arc::new);
        self.answer = Some(answer.clone());
        answer
    }
}

impl Drop for LookUp {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| {
            let error = io::Error::other("internal error: the lookup panicked");
            Err(Arc::new(error))
        });
        let now = (self.names.0.clock)();
        let waiting = self.names.lock().learn(&self.name, &answer, now, &self.names.0.limits);
        waiting.into_iter().for_each(|told| told(&answer));
    }
}

impl Table {
    fn known(&self, name: &str, now: Duration) -> Option<Answer> {
        match self.entries.get(name)? {
            Entry::Known { answer, until } if now < *until => Some(answer.clone()),
            _ => None,
        }
    }

    /// Remembers `answer`; who is to be told of it.
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
            Some(Entry::UnderWay(waiting)) => waiting,
            _ => Vec::new(),
        }
    }
}

fn by_system(name: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((name, 0).to_socket_addrs()?.collect())
}

#[cfg(test)]
mod tests;
