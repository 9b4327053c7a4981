//! Addresses of host names: one lookup for all callers that ask at the same time, remembered for a while.
//!
//! The first caller to ask for an unknown name starts a lookup, on a thread of [`super::lookups`]. Callers that ask
//! meanwhile leave a callback. So any number of tasks cost one lookup, and no worker or ring is blocked by one.
//!
//! - A success is remembered for a short, fixed time, because lookups report no time to live.
//! - A failure is remembered for a second. A list with a thousand URLs of one missing host then costs a single lookup,
//!   and a network that comes back is noticed soon.
//! - "Try again" and silence are no answers, and aren't remembered.
//! - A lookup that was started ahead of its use ([`Names::look_up_ahead`]) is for tasks that wait for it elsewhere, so
//!   its failure is kept until they have started, or one of them asks again ([`Names::forget_failure`]).
//! - `localhost` and the names below it are this host, whatever the resolver says (RFC 6761, section 6.3).
//!
//! Addresses keep the resolver's order (for the system's resolver, RFC 6724): rotating them would overrule its
//! preferences.
//!
//! Owns: which caller starts a lookup, what is remembered and for how long.
//! Does not own: the order of connection attempts ([`crate::Op::Connect`]), fixed addresses that the user gave.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::answer::{Answer, Callback, at_port};
use super::lookups::Lookups;
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
    /// Names that are remembered; beyond it the oldest answer is forgotten. Defaults to 16 384.
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
    lookups: Lookups,
}

#[derive(Default)]
struct Table {
    entries: HashMap<Arc<str>, Entry>,
    /// Answers in the order in which they arrived. Invariant: at most [`NamesLimits::names_max`].
    order: VecDeque<(Arc<str>, Duration)>,
    /// Lookups started so far.
    lookup_count: u64,
}

enum Entry {
    /// A lookup has been started.
    Pending {
        /// Its number. A lookup that was given up may end while a later one of the same name runs.
        lookup: u64,
        /// These receive its answer.
        waiting: Vec<Callback>,
        /// Whether some of them asked ahead.
        is_ahead: bool,
    },
    Known {
        answer: Answer,
        until: Duration,
    },
}

/// A failure that was asked for ahead is kept for this time.
const MISSED_AHEAD_FOR: Duration = Duration::from_secs(30);
/// The system's resolver has asked name servers several times when it says "try again" after this time: none answers.
const SILENCE: Duration = Duration::from_secs(2);

/// A lookup of a name. The callbacks receive an answer however it ends.
struct Lookup {
    names: Names,
    number: u64,
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
    /// may block; the error `WouldBlock` says that another lookup may succeed ([`is_try_again`]). `clock` returns the
    /// time since some fixed moment.
    pub fn new(
        resolver: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
        limits: NamesLimits,
    ) -> Self {
        let (resolver, clock) = (Box::new(resolver), Box::new(clock));
        Self(Arc::new(Inner {
            limits,
            resolver,
            clock,
            table: Mutex::default(),
            lookups: Lookups::default(),
        }))
    }

    /// The addresses of `name`, if they are known without a lookup.
    pub(crate) fn known(&self, name: &str, port: u16) -> Option<io::Result<Vec<SocketAddr>>> {
        let now = (self.0.clock)();
        let known = loopback(name).or_else(|| self.lock().known(name, now));
        known.map(|answer| at_port(&answer, port))
    }

    /// The addresses of `name`. Blocks until they are known, at most for `timeout`, or until `cancel` is triggered.
    pub(crate) fn find(
        &self,
        name: &str,
        port: u16,
        timeout: Duration,
        cancel: &Cancel,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Some(known) = self.known(name, port) {
            return known;
        }
        let (callback, waiter) = waiter::pair()?;
        self.find_then(name, callback);
        at_port(&waiter.wait(timeout, cancel)?, port)
    }

    /// Calls `callback` with the addresses of `name`: in this call if they are known, else on the thread that looks
    /// them up.
    pub(crate) fn find_then(&self, name: &str, callback: Callback) {
        self.ask(name, callback, false);
    }

    /// Looks `name` up before it is used. Returns true if an answer is known already; else calls `done` when there is
    /// one, on another thread, which it must not block. A failure is an answer, and is kept for 30 seconds.
    pub fn look_up_ahead(&self, name: &str, done: impl FnOnce() + Send + 'static) -> bool {
        let is_known = self.known(name, 0).is_some();
        if !is_known {
            self.ask(name, Box::new(move |_| done()), true);
        }
        is_known
    }

    /// Ends the wait for a lookup of `name` that has no answer yet: its callers learn that the name servers don't
    /// answer.
    pub fn give_up(&self, name: &str) {
        let now = (self.0.clock)();
        let answer: Answer = Err(Arc::new(silence()));
        let mut table = self.lock();
        if !matches!(table.entries.get(name), Some(Entry::Pending { .. })) {
            return;
        }
        let waiting = table.learn(&Arc::from(name), &answer, now, &self.0.limits);
        drop(table);
        waiting.into_iter().for_each(|callback| callback(&answer));
    }

    /// Forgets that a lookup of `name` failed, so that the next one asks the name servers.
    pub fn forget_failure(&self, name: &str) {
        let mut table = self.lock();
        if matches!(table.entries.get(name), Some(Entry::Known { answer: Err(_), .. })) {
            table.entries.remove(name);
        }
    }

    fn ask(&self, name: &str, callback: Callback, ahead: bool) {
        let now = (self.0.clock)();
        let mut table = self.lock();
        if let Some(answer) = loopback(name).or_else(|| table.known(name, now)) {
            drop(table);
            return callback(&answer);
        }
        if let Some(Entry::Pending { waiting, is_ahead, .. }) = table.entries.get_mut(name) {
            *is_ahead |= ahead;
            return waiting.push(callback);
        }
        let name = Arc::<str>::from(name);
        let number = table.lookup_count;
        table.lookup_count += 1;
        let pending = Entry::Pending { lookup: number, waiting: vec![callback], is_ahead: ahead };
        table.entries.insert(name.clone(), pending);
        drop(table);
        let lookup = Lookup { names: self.clone(), number, name, answer: None };
        self.0.lookups.add(Box::new(move || lookup.run()));
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
        Self { found_for, missed_for, names_max: 16_384 }
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl Lookup {
    /// Returns whether a name server answered.
    fn run(mut self) -> bool {
        let begun = (self.names.0.clock)();
        let found = (self.names.0.resolver)(&self.name).and_then(|found| {
            if found.is_empty() {
                Err(io::Error::new(io::ErrorKind::NotFound, "the name has no addresses"))
            } else {
                Ok(found)
            }
        });
        let took = (self.names.0.clock)().saturating_sub(begun);
        let found =
            found.map_err(|error| if is_try_again(&error) && took >= SILENCE { silence() } else { error });
        let is_answered = !found.as_ref().is_err_and(is_no_answer);
        self.answer = Some(found.map(Arc::from).map_err(Arc::new));
        is_answered
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| {
            let error = io::Error::other("internal error: the lookup panicked");
            Err(Arc::new(error))
        });
        let now = (self.names.0.clock)();
        let mut table = self.names.lock();
        if answer.is_err() && !table.is_pending(&self.name, self.number) {
            // It was given up.
            return;
        }
        let waiting = table.learn(&self.name, &answer, now, &self.names.0.limits);
        drop(table);
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

    fn is_pending(&self, name: &str, number: u64) -> bool {
        matches!(self.entries.get(name), Some(Entry::Pending { lookup, .. }) if *lookup == number)
    }

    /// Remembers `answer` and returns the callbacks that wait for it.
    fn learn(
        &mut self,
        name: &Arc<str>,
        answer: &Answer,
        now: Duration,
        limits: &NamesLimits,
    ) -> Vec<Callback> {
        let is_ahead = matches!(self.entries.get(name), Some(Entry::Pending { is_ahead: true, .. }));
        let remembered_for = match answer {
            Ok(_) => Some(limits.found_for),
            Err(_) if is_ahead => Some(MISSED_AHEAD_FOR),
            Err(error) if is_no_answer(error) => None,
            Err(_) => Some(limits.missed_for),
        };
        let previous = match remembered_for {
            None => self.entries.remove(name),
            Some(time) => {
                let until = now + time;
                self.order.push_back((name.clone(), until));
                self.entries.insert(name.clone(), Entry::Known { answer: answer.clone(), until })
            }
        };
        while self.order.len() > limits.names_max {
            let Some((oldest, its_until)) = self.order.pop_front() else { break };
            // It may have been looked up again since.
            if matches!(self.entries.get(&oldest), Some(Entry::Known { until, .. }) if *until == its_until) {
                self.entries.remove(&oldest);
            }
        }
        match previous {
            Some(Entry::Pending { waiting, .. }) => waiting,
            _ => Vec::new(),
        }
    }
}

/// Whether the lookup that failed with `error` may succeed when it is repeated: the name servers had a failure of their
/// own or didn't answer (EAI_AGAIN).
pub fn is_try_again(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Whether no name server gave an answer.
fn is_no_answer(error: &io::Error) -> bool {
    is_try_again(error) || error.kind() == io::ErrorKind::TimedOut
}

fn silence() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the name servers don't answer")
}

/// The addresses of `localhost` and of the names below it.
fn loopback(name: &str) -> Option<Answer> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next()?;
    let addresses = || [(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
    last.eq_ignore_ascii_case("localhost").then(|| Ok(Arc::from(addresses())))
}

fn by_system(name: &str) -> io::Result<Vec<SocketAddr>> {
    match (name, 0).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) if says_try_again(&error.to_string()) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, error))
        }
        Err(error) => Err(error),
    }
}

/// Whether the text is that of EAI_AGAIN, in glibc or musl; the standard library keeps nothing else of it.
fn says_try_again(text: &str) -> bool {
    text.contains("Temporary failure in name resolution") || text.contains("Try again")
}

#[cfg(test)]
mod tests;
