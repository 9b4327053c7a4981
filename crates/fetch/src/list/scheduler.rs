//! Which tasks may start now: the limits, rates and pauses of each host.
//!
//! A rate is kept on average: where the caller asks a little late, as engines do, the next start isn't put off by that.
//! It counts requests. A start counts as one; what the task really made is settled when it ends or waits.
//!
//! Where limits are shared with other programs, each host has a share of its own, which grows and shrinks while the run
//! lasts, and no task of a host without one starts.
//!
//! A pure state machine: the current time is an argument, tasks are opaque. Hosts take turns, so that a slow or dead
//! host uses no more than its own share. The cost of a step grows with the logarithm of the number of delayed tasks,
//! not with the number of hosts.
//!
//! Owns: the order of starts, the limit on tasks held.
//! Does not own: the clock, why a task starts again ([`crate::list::retry`]).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use crate::HostLimits;
use crate::list::shared_limits::HostShare;
use crate::route::origin::Origin;

pub(crate) struct Scheduler<T> {
    limits: HostLimits,
    hosts: HashMap<Origin, Host<T>>,
    /// Hosts that wait for their turn. Invariant: each at most once, and only if its `state` is [`HostState::InTurn`].
    turns: VecDeque<Origin>,
    /// Delayed tasks and hosts, by the time when they are due; the number makes the keys unique.
    timers: BTreeMap<(Duration, u64), Timer<T>>,
    timer_count: u64,
    /// Tasks held: those that are ready and those that are delayed.
    held: usize,
    started: usize,
    /// Whether hosts need shares.
    is_shared: bool,
    /// Hosts whose demands may have changed since [`Scheduler::demands`] was called last.
    touched: Vec<Origin>,
}

/// What is needed at a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) running: usize,
    /// Tasks that could run, the running ones included. At least one as long as the host is remembered: what its rate
    /// still has to make up for is made up for by its share.
    pub(crate) wanted: usize,
}

struct Host<T> {
    ready: VecDeque<T>,
    started: usize,
    /// The time before which the rate allows no start.
    next_start: Duration,
    /// The time before which the host wants no request.
    paused_until: Duration,
    /// Whether a start was put off until [`Self::not_before`].
    was_delayed: bool,
    state: HostState,
    /// The limits of this host alone.
    share: HostShare,
    /// Whether it is among [`Scheduler::touched`].
    is_touched: bool,
}

impl<T> Host<T> {
    /// The time before which no task may start.
    fn not_before(&self) -> Duration {
        self.next_start.max(self.paused_until)
    }

    /// The time between two requests, if there is a rate.
    fn interval(&self) -> Option<Duration> {
        Some(seconds(1.0 / self.share.rate?))
    }
}

/// As a duration, up to the longest interval.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(INTERVAL_MAX).min(INTERVAL_MAX)
}

/// What a host waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HostState {
    /// A new task, or the end of one of its tasks.
    Idle,
    /// Its turn.
    InTurn,
    /// A point in time.
    Delayed,
    /// [`Scheduler::release`].
    Held,
}

/// Starts that come up to this much late don't put off the ones after them.
const LATENESS_MAX: Duration = Duration::from_millis(50);

/// The time between two requests at the lowest rate, which no run lasts.
const INTERVAL_MAX: Duration = Duration::from_secs(1_000_000_000);

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
            is_shared: false,
            touched: Vec::new(),
        }
    }

    /// From now on, hosts need shares.
    pub(crate) fn share_hosts(&mut self) {
        self.is_shared = true;
    }

    /// Sets the share of a host. What its rate still has to make up for is made up for at the new rate.
    pub(crate) fn set_share(&mut self, origin: &Origin, share: HostShare, now: Duration) {
        let per_host_max = self.limits.per_host_max;
        let Some(host) = self.hosts.get_mut(origin) else { return };
        if share.active_max == 0 {
            // What runs is accounted for at the rate at which it started.
            host.share.active_max = 0;
        } else {
            if let (Some(old), Some(new)) = (host.share.rate, share.rate) {
                let left = host.next_start.saturating_sub(now).as_secs_f64();
                if old != new && left > 0.0 {
                    host.next_start = now.saturating_add(seconds(left * old / new));
                }
            }
            host.share = HostShare { active_max: share.active_max.min(per_host_max), ..share };
        }
        if host.state == HostState::Delayed {
            let due = host.not_before();
            self.at(due, Timer::Host(origin.clone()));
        }
        self.settle(origin, now);
    }

    /// What is needed now at the hosts whose demands may have changed since the last call.
    pub(crate) fn demands(&mut self) -> Vec<(Origin, Demand)> {
        let touched = std::mem::take(&mut self.touched);
        let demands = touched.into_iter().map(|origin| {
            let demand = self.hosts.get_mut(&origin).map(|host| {
                host.is_touched = false;
                let max = self.limits.per_host_max.min(self.limits.total_max);
                let wanted = (host.started + host.ready.len()).clamp(1, max.max(1));
                Demand { running: host.started, wanted }
            });
            (origin, demand.unwrap_or(Demand { running: 0, wanted: 0 }))
        });
        demands.collect()
    }

    /// Whether another task may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.started < self.limits.total_max && self.held + self.hosts.len() < self.limits.held_max
    }

    /// Whether no task is held; some may be active.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes out all tasks that are held.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.held = 0;
        let delayed = std::mem::take(&mut self.timers).into_values().filter_map(|timer| match timer {
            Timer::Task(_, task) => Some(task),
            Timer::Host(_) => None,
        });
        let ready = self.hosts.values_mut().flat_map(|host| host.ready.drain(..));
        delayed.chain(ready).collect()
    }

    /// Adds a task that may start at its host's turn.
    pub(crate) fn add(&mut self, origin: &Origin, task: T, now: Duration) {
        self.held += 1;
        self.host(origin).ready.push_back(task);
        self.settle(origin, now);
    }

    /// Adds a task that may start at `due`, before all tasks of its host that never started.
    pub(crate) fn add_at(&mut self, origin: &Origin, task: T, due: Duration) {
        self.held += 1;
        self.at(due, Timer::Task(origin.clone(), task));
    }

    /// Lets no task of the host start before `until`.
    pub(crate) fn pause(&mut self, origin: &Origin, until: Duration, now: Duration) {
        let host = self.host(origin);
        host.paused_until = host.paused_until.max(until);
        self.settle(origin, now);
    }

    /// Records that a task of the host made `requests` requests since its start, which counted as one.
    pub(crate) fn requested(&mut self, origin: &Origin, requests: u32, now: Duration) {
        let host = self.host(origin);
        let Some(interval) = host.interval() else { return };
        if requests == 0 {
            host.next_start = host.next_start.saturating_sub(interval);
            if host.state == HostState::Delayed {
                let due = host.not_before();
                self.at(due, Timer::Host(origin.clone()));
            }
        } else {
            let is_recent = now <= host.next_start + LATENESS_MAX;
            let from = if is_recent { host.next_start } else { now };
            host.next_start = from.saturating_add(interval.saturating_mul(requests - 1));
        }
        self.settle(origin, now);
    }

    /// Records that a task of the host has ended.
    pub(crate) fn ended(&mut self, origin: &Origin, now: Duration) {
        self.started -= 1;
        self.host(origin).started -= 1;
        self.settle(origin, now);
    }

    /// The next task that may start at `now`. A host whose turn it is and that isn't `ready` is held until it is
    /// released.
    pub(crate) fn next(&mut self, now: Duration, mut ready: impl FnMut(&Origin) -> bool) -> Option<T> {
        self.fire(now);
        if self.started >= self.limits.total_max {
            return None;
        }
        while let Some(origin) = self.turns.pop_front() {
            let task = self.start(&origin, now, &mut ready);
            self.settle(&origin, now);
            if task.is_some() {
                return task;
            }
        }
        None
    }

    /// The time at which the next delay ends. Before it, [`next`](Self::next) changes its answer only after another
    /// call.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.timers.first_key_value().map(|((due, _), _)| *due)
    }

    /// Lets the tasks of a host that was held start.
    pub(crate) fn release(&mut self, origin: &Origin, now: Duration) {
        if let Some(host) = self.hosts.get_mut(origin)
            && host.state == HostState::Held
        {
            host.state = HostState::Idle;
            self.settle(origin, now);
        }
    }

    fn start(
        &mut self,
        origin: &Origin,
        now: Duration,
        ready: &mut impl FnMut(&Origin) -> bool,
    ) -> Option<T> {
        let host = self.host(origin);
        let interval = host.interval();
        host.state = HostState::Idle;
        if host.started >= host.share.active_max || host.not_before() > now || host.ready.is_empty() {
            return None;
        }
        if !ready(origin) {
            host.state = HostState::Held;
            return None;
        }
        let task = host.ready.pop_front()?;
        host.started += 1;
        if let Some(interval) = interval {
            let due = host.not_before();
            host.was_delayed &= now - due <= LATENESS_MAX;
            host.next_start = if host.was_delayed { due } else { now }.saturating_add(interval);
        }
        self.started += 1;
        self.held -= 1;
        Some(task)
    }

    /// Handles everything that is due.
    fn fire(&mut self, now: Duration) {
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= now) {
            let origin = match entry.remove() {
                Timer::Host(origin) => {
                    let host = self.host(&origin);
                    // The host may have started again meanwhile, through an earlier timer.
                    if host.state == HostState::Delayed {
                        (host.state, host.was_delayed) = (HostState::Idle, true);
                    }
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

    /// Updates the state of a host after a change. A host without tasks and delays is forgotten.
    fn settle(&mut self, origin: &Origin, now: Duration) {
        if self.is_shared && !std::mem::replace(&mut self.host(origin).is_touched, true) {
            self.touched.push(origin.clone());
        }
        let host = self.host(origin);
        let per_host_max = host.share.active_max;
        if host.state != HostState::Idle {
            return;
        }
        let idle = host.ready.is_empty();
        if host.not_before() > now && (host.started < per_host_max || idle) {
            host.state = HostState::Delayed;
            let due = host.not_before();
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
        let active_max = if self.is_shared { 0 } else { self.limits.per_host_max };
        let share = HostShare { active_max, rate: self.limits.per_host_rate };
        // Hashing the origin once more would cost more than cloning it.
        self.hosts.entry(origin.clone()).or_insert_with(|| Host {
            ready: VecDeque::new(),
            started: 0,
            next_start: Duration::ZERO,
            paused_until: Duration::ZERO,
            was_delayed: false,
            state: HostState::Idle,
            share,
            is_touched: false,
        })
    }
}

#[cfg(test)]
mod tests;
