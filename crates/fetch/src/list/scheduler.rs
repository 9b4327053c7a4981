//! Which of the tasks at hand may start now: connections and rate of each host, pauses, turns.
//!
//! A pure state machine: time is an argument, tasks are opaque. Hosts take turns, so that one that is slow or dead
//! occupies its own share and no more. The cost of a step grows with the logarithm of what rests, not with the number
//! of hosts.
//!
//! Owns: the order of starts, bounds on what is held.
//! Does not own: clocks, why a task starts again ([`crate::list::retry`]).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use crate::HostLimits;
use crate::route::origin::Origin;

pub(crate) struct Scheduler<T> {
    limits: HostLimits,
    hosts: HashMap<Origin, Host<T>>,
    /// Hosts whose turn will come. Invariant: each at most once, and then its `state` says so.
    turns: VecDeque<Origin>,
    /// What is due at which moment; the number makes moments unique.
    timers: BTreeMap<(Duration, u64), Timer<T>>,
    timer_count: u64,
    /// Tasks that are held: those that are ready and those that rest.
    held: usize,
    started: usize,
}

struct Host<T> {
    ready: VecDeque<T>,
    started: usize,
    /// No start before this moment.
    not_before: Duration,
    state: HostState,
}

/// Where a host waits for something to change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HostState {
    /// For a new task, or for one of its tasks to end.
    Idle,
    /// Among the turns.
    InTurn,
    /// For a moment, among the timers.
    Delayed,
}

enum Timer<T> {
    Task(Origin, T),
    Host(Origin),
}

impl<T> Scheduler<T> {
    pub(crate) fn new(limits: HostLimits) -> Self {
        Self {
            limits,
            hosts: HashMap::new(),
            turns: VecDeque::new(),
            timers: BTreeMap::new(),
            timer_count: 0,
            held: 0,
            started: 0,
        }
    }

    /// Whether a further task may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.started < self.limits.total_max && self.held + self.hosts.len() < self.limits.held_max
    }

    /// Whether no task is held. Some may be under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Adds a task that may start when its host's turn comes.
    pub(crate) fn add(&mut self, origin: &Origin, task: T, now: Duration) {
        self.held += 1;
        self.host(origin).ready.push_back(task);
        self.settle(origin, now);
    }

    /// Adds a task that may start at `due`, and then before those that were never started.
    pub(crate) fn add_at(&mut self, origin: &Origin, task: T, due: Duration) {
        self.held += 1;
        self.at(due, Timer::Task(origin.clone(), task));
    }

    /// Lets no task of the host start before `until`.
    pub(crate) fn pause(&mut self, origin: &Origin, until: Duration, now: Duration) {
        let host = self.host(origin);
        host.not_before = host.not_before.max(until);
        self.settle(origin, now);
    }

    /// A task of the host is no longer under way.
    pub(crate) fn ended(&mut self, origin: &Origin, now: Duration) {
        self.started -= 1;
        self.host(origin).started -= 1;
        self.settle(origin, now);
    }

    /// A task that starts now.
    pub(crate) fn next(&mut self, now: Duration) -> Option<T> {
        self.fire(now);
        if self.started >= self.limits.total_max {
            return None;
        }
        while let Some(origin) = self.turns.pop_front() {
            let task = self.start(&origin, now);
            self.settle(&origin, now);
            if task.is_some() {
                return task;
            }
        }
        None
    }

    fn start(&mut self, origin: &Origin, now: Duration) -> Option<T> {
        let (per_host_max, rate) = (self.limits.per_host_max, self.limits.per_host_rate);
        let host = self.host(origin);
        host.state = HostState::Idle;
        if host.started >= per_host_max || host.not_before > now {
            return None;
        }
        let task = host.ready.pop_front()?;
        host.started += 1;
        if let Some(rate) = rate {
            host.not_before = now + Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX / 2);
        }
        self.started += 1;
        self.held -= 1;
        Some(task)
    }

    /// Does what is due.
    fn fire(&mut self, now: Duration) {
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= now) {
            let origin = match entry.remove() {
                Timer::Host(origin) => {
                    self.host(&origin).state = HostState::Idle;
                    origin
                }
                Timer::Task(origin, task) => {
                    self.host(&origin).ready.push_front(task);
                    origin
                }
            };
            self.settle(&origin, now);
        }
    }

    /// Puts a host where it waits for what it needs; forgets one of which there is nothing to know.
    fn settle(&mut self, origin: &Origin, now: Duration) {
        let per_host_max = self.limits.per_host_max;
        let host = self.host(origin);
        if host.state != HostState::Idle {
            return;
        }
        let idle = host.ready.is_empty();
        if host.not_before > now && (host.started < per_host_max || idle) {
            host.state = HostState::Delayed;
            let due = host.not_before;
            self.at(due, Timer::Host(origin.clone()));
        } else if idle && host.started == 0 {
            self.hosts.remove(origin);
        } else if !idle && host.started < per_host_max {
            host.state = HostState::InTurn;
            self.turns.push_back(origin.clone());
        }
    }

    fn at(&mut self, due: Duration, timer: Timer<T>) {
        self.timers.insert((due, self.timer_count), timer);
        self.timer_count += 1;
    }

    fn host(&mut self, origin: &Origin) -> &mut Host<T> {
        if !self.hosts.contains_key(origin) {
            let host = Host {
                ready: VecDeque::new(),
                started: 0,
                not_before: Duration::ZERO,
                state: HostState::Idle,
            };
            self.hosts.insert(origin.clone(), host);
        }
        self.hosts.get_mut(origin).expect("inserted above")
    }
}

#[cfg(test)]
mod tests;
