//! A node's side of the limits of hosts: which call comes next, and what its share of each host is.
//!
//! A pure state machine. The current time is an argument; calls are made by its user.
//!
//! Owns: what the node wants and was given at each host, until when, what others say of hosts.
//! Does not own: the clock, the server, when a task starts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::member::Next;
use crate::retry::Retry;
use crate::scripts::Script;
use crate::server::{Call, Failure, Reply};

/// How often a node looks for news, and asks anew at a host where others want more, at most.
const POLL: Duration = Duration::from_millis(100);
/// That takes as much longer for each host that the node has a share of.
const POLL_PER_HOST: Duration = Duration::from_micros(200);
/// How long a share is kept at a host where nothing is wanted: the next task may be on its way.
const KEEP: Duration = Duration::from_millis(200);
/// The shortest lease, so that a third of it is some time.
const LEASE_MIN: Duration = Duration::from_millis(1);
/// Hosts in one call.
const HOSTS_MAX: usize = 64;
/// News in one answer, beyond which there are more.
const NEWS_MAX: usize = 100;
/// The whole of a rate.
const WHOLE: u32 = 1_000_000;

/// What holds over the whole fleet, as a node sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// How long a share lasts that isn't renewed: the lease of the run.
    pub lease: Duration,
    /// Transfers at once from one host; `None` for no limit.
    pub per_host: Option<u32>,
    /// Requests per second to one host; `None` for no limit.
    pub rate: Option<f64>,
}

/// A change at a host.
#[derive(Clone, Debug, PartialEq)]
pub enum HostNews {
    /// What the node may do there from now on.
    Share {
        /// The host.
        host: String,
        /// Transfers at once.
        permits: u32,
        /// Requests per second; `None` for no limit.
        rate: Option<f64>,
    },
    /// The host wants no request for so long.
    Paused {
        /// The host.
        host: String,
        /// How long.
        pause: Duration,
    },
}

/// The shares of one node.
pub struct Shares {
    node: String,
    terms: Terms,
    hosts: BTreeMap<String, Host>,
    /// When each host is to be asked for. Invariant: has all hosts, each with its `ask_at`.
    due: BTreeSet<(Duration, String)>,
    /// Pauses that the server doesn't know of, and their ends.
    pauses: BTreeMap<String, Duration>,
    news: VecDeque<HostNews>,
    /// The position in the news; empty if the node may have missed some.
    cursor: String,
    poll_at: Duration,
    call_count: u64,
    retry: Option<Retry>,
    asked: Option<Asked>,
    is_leaving: bool,
    has_left: bool,
}

#[derive(Default)]
struct Host {
    running: u32,
    wanted: u32,
    permits: u32,
    part: u32,
    /// The time from which on others may have them.
    until: Duration,
    /// What the server counts for this node, as far as it is known.
    counted: u32,
    counted_part: u32,
    asked_wanted: u32,
    is_contended: bool,
    /// Whether the user knows of the share.
    is_told: bool,
    ask_at: Duration,
}

struct Asked {
    at: Duration,
    hosts: Vec<AskedHost>,
    pauses: Vec<AskedPause>,
}

struct AskedHost {
    name: String,
    used: u32,
    used_part: u32,
    wanted: u32,
}

struct AskedPause {
    host: String,
    until: Duration,
}

impl Terms {
    /// Whether hosts need shares.
    pub fn has_shares(&self) -> bool {
        self.per_host.is_some() || self.rate.is_some()
    }
}

impl Shares {
    /// The shares of `node`, a name among consumers.
    pub fn new(node: &str, terms: Terms) -> Self {
        Self {
            node: node.to_owned(),
            terms: Terms { lease: terms.lease.max(LEASE_MIN), ..terms },
            hosts: BTreeMap::new(),
            due: BTreeSet::new(),
            pauses: BTreeMap::new(),
            news: VecDeque::new(),
            cursor: String::new(),
            poll_at: Duration::ZERO,
            call_count: 0,
            retry: None,
            asked: None,
            is_leaving: false,
            has_left: false,
        }
    }

    /// Whether hosts need shares.
    pub fn has_shares(&self) -> bool {
        self.terms.has_shares()
    }

    /// Takes what is needed at a host: `running` transfers, and `wanted` ones, which includes these. With none wanted,
    /// the share is given back.
    pub fn want(&mut self, name: &str, running: u32, wanted: u32, now: Duration) {
        if !self.has_shares() || self.is_leaving || wanted == 0 && !self.hosts.contains_key(name) {
            return;
        }
        // Of a rate alone, every node that wants anything has an equal part.
        let is_counted = self.terms.per_host.is_some();
        let (running, wanted) = if is_counted { (running, wanted) } else { (0, wanted.min(1)) };
        let is_new = !self.hosts.contains_key(name);
        let host = self.hosts.entry(name.to_owned()).or_default();
        if is_new {
            self.due.insert((host.ask_at, name.to_owned()));
        }
        let was_unwanted = host.wanted == 0;
        (host.running, host.wanted) = (running, wanted);
        let mut ask_at = host.ask_at;
        if wanted == 0 {
            host.is_told = false;
            ask_at = ask_at.min(now + KEEP);
        } else if was_unwanted && host.is_valid(now) {
            self.tell(name);
        } else if was_unwanted || host.must_ask() {
            ask_at = now;
        }
        self.ask_at(name, ask_at);
    }

    /// Whether another transfer may start at the host: the node has a permit that [none uses](Shares::want), and no
    /// other node can have its share yet.
    pub fn may_start(&mut self, name: &str, now: Duration) -> bool {
        let is_counted = self.terms.per_host.is_some();
        let Some(host) = self.hosts.get_mut(name) else { return !self.terms.has_shares() };
        let is_free = !is_counted || host.running < host.permits;
        let may_start = host.is_valid(now) && is_free && (self.terms.rate.is_none() || host.part > 0);
        // The user doesn't know of the share as it is now.
        host.is_told &= may_start;
        may_start
    }

    /// Takes a pause that a host has asked this node for.
    pub fn pause(&mut self, host: &str, pause: Duration, now: Duration) {
        let until = self.pauses.entry(host.to_owned()).or_default();
        *until = (*until).max(now.saturating_add(pause));
    }

    /// What has changed since the last call.
    pub fn news(&mut self) -> Vec<HostNews> {
        self.news.drain(..).collect()
    }

    /// Whether something has changed since [`Shares::news`] was called.
    pub fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// Gives everything back.
    pub fn leave(&mut self, now: Duration) {
        self.is_leaving = true;
        let names: Vec<_> = self.hosts.keys().cloned().collect();
        for name in names {
            if let Some(host) = self.hosts.get_mut(&name) {
                (host.running, host.wanted) = (0, 0);
            }
            self.ask_at(&name, now);
        }
    }

    /// What to do at `now`. A call must be answered by [`Shares::answered`] before the next.
    pub fn next(&mut self, now: Duration) -> Next {
        if self.has_left || self.is_leaving && self.hosts.is_empty() && self.pauses.is_empty() {
            return Next::Left;
        }
        if let Some(retry) = self.retry.as_ref().filter(|retry| now < retry.at) {
            return Next::Sleep(retry.at);
        }
        let first = self.due.first().map_or(Duration::MAX, |(at, _)| *at);
        let call_at = if self.pauses.is_empty() { first.min(self.poll_at) } else { now };
        if now < call_at {
            return Next::Sleep(call_at);
        }
        Next::Call(self.call(now))
    }

    fn call(&mut self, now: Duration) -> Call {
        self.call_count += 1;
        let Terms { lease, per_host, rate } = &self.terms;
        let text = |number: u64| number.to_string();
        let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let mut arguments = vec![self.node.clone(), self.cursor.clone(), text(self.call_count)];
        let most = text(per_host.unwrap_or(0).into());
        arguments.extend([most, text(rate.is_some().into()), text(lease_ms)]);
        let mut hosts = Vec::new();
        for (_, name) in self.due.iter().take_while(|(at, _)| *at <= now).take(HOSTS_MAX) {
            let Some(host) = self.hosts.get_mut(name) else { continue };
            if host.wanted == 0 || !host.is_valid(now) {
                // What is given back isn't used from now on.
                (host.permits, host.part) = (0, 0);
            }
            let (used, used_part) = (host.permits.max(host.running), host.part);
            arguments.extend([
                name.clone(),
                text(used.into()),
                text(used_part.into()),
                text(host.wanted.into()),
            ]);
            arguments.push(text(0));
            hosts.push(AskedHost { name: name.clone(), used, used_part, wanted: host.wanted });
        }
        let mut pauses = Vec::new();
        for (host, until) in self.pauses.iter().take(HOSTS_MAX) {
            let left = until.saturating_sub(now).as_millis().try_into().unwrap_or(u64::MAX);
            arguments.extend([host.clone(), text(0), text(0), "-1".to_owned(), text(left)]);
            pauses.push(AskedPause { host: host.clone(), until: *until });
        }
        self.asked = Some(Asked { at: now, hosts, pauses });
        Call::new(Script::Hosts, arguments)
    }

    /// Takes the answer to the last call. Returns why the server wasn't reached, if it wasn't.
    pub fn answered(&mut self, answer: Result<Reply, Failure>, now: Duration) -> Option<Failure> {
        let asked = self.asked.take()?;
        let reply = match answer {
            Ok(reply) => reply,
            Err(failure) => {
                self.retry = Some(Retry::after(self.retry.as_ref(), now));
                self.cursor.clear();
                self.has_left |= self.is_leaving;
                return Some(failure);
            }
        };
        self.retry = None;
        self.poll_at = now + POLL.min(self.terms.lease / 3);
        let [_, cursor, told, given] = reply.list() else {
            // The run was removed.
            asked.hosts.iter().for_each(|asked| self.ask_at(&asked.name, now + KEEP));
            self.pauses.clear();
            self.has_left |= self.is_leaving;
            return None;
        };
        for AskedPause { host, until } in &asked.pauses {
            if self.pauses.get(host) == Some(until) {
                self.pauses.remove(host);
            }
        }
        for (of, given) in asked.hosts.iter().zip(given.list().chunks_exact(3)) {
            self.given(of, given, asked.at, now);
        }
        cursor.str().unwrap_or_default().clone_into(&mut self.cursor);
        if told.list().len() >= 2 * NEWS_MAX {
            self.poll_at = now;
        }
        for (host, left) in told.pairs() {
            let pause = Duration::from_millis(left.int().and_then(|ms| ms.try_into().ok()).unwrap_or(0));
            if !pause.is_zero() {
                self.news.push_back(HostNews::Paused { host: host.to_owned(), pause });
            }
            self.ask_at(host, now);
        }
        None
    }

    /// Takes what the server gives at a host that was asked for at `at`.
    fn given(&mut self, asked: &AskedHost, given: &[Reply], at: Duration, now: Duration) {
        let [permits, part, is_contended] =
            [0, 1, 2].map(|index| given[index].int().and_then(|number| number.try_into().ok()).unwrap_or(0));
        let (lease, soon) = (self.terms.lease, POLL + POLL_PER_HOST * self.hosts.len() as u32);
        let Some(host) = self.hosts.get_mut(&asked.name) else { return };
        if asked.wanted == 0 && host.wanted == 0 && host.running == 0 {
            self.due.remove(&(host.ask_at, asked.name.clone()));
            self.hosts.remove(&asked.name);
            return;
        }
        let is_changed = (host.permits, host.part) != (permits, part);
        (host.permits, host.part, host.until) = (permits, part, at + lease);
        (host.counted, host.counted_part) = (permits.max(asked.used), part.max(asked.used_part));
        (host.asked_wanted, host.is_contended) = (asked.wanted, is_contended == 1);
        let ask_at = if host.must_ask() {
            now
        } else if host.is_contended {
            now + soon.min(lease / 3)
        } else {
            at + lease / 3
        };
        if is_changed || !host.is_told {
            self.tell(&asked.name);
        }
        self.ask_at(&asked.name, ask_at);
    }

    /// Has the user told of the share of a host.
    fn tell(&mut self, name: &str) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        host.is_told = true;
        let rate = self.terms.rate.map(|rate| rate * f64::from(host.part) / f64::from(WHOLE));
        let has_part = rate.is_none() || host.part > 0;
        let permits = match self.terms.per_host {
            Some(_) => host.permits,
            None => u32::MAX,
        };
        let permits = if has_part { permits } else { 0 };
        self.news.push_back(HostNews::Share { host: name.to_owned(), permits, rate });
    }

    fn ask_at(&mut self, name: &str, at: Duration) {
        let Some(host) = self.hosts.get_mut(name) else { return };
        if host.ask_at != at {
            self.due.remove(&(host.ask_at, name.to_owned()));
            host.ask_at = at;
            self.due.insert((at, name.to_owned()));
        }
    }
}

impl Host {
    fn is_valid(&self, now: Duration) -> bool {
        now < self.until && self.permits > 0
    }

    /// Whether the server is to hear at once what is used or wanted.
    fn must_ask(&self) -> bool {
        let has_less = self.counted > self.permits.max(self.running) || self.counted_part > self.part;
        let wants_more = self.wanted > self.asked_wanted && self.permits < self.wanted;
        has_less || wants_more && !self.is_contended || self.asked_wanted == 0 && self.wanted > 0
    }
}
