//! A source of fetches that keeps to the limits of their hosts, and starts tasks again after a pause.
//!
//! Owns: reading ahead in another source, reading the clock, telling other programs what is needed at hosts whose
//! limits they share.
//! Does not own: the order of starts ([`crate::list::scheduler`]), names ([`crate::list::lookahead`]), which tasks
//! start again ([`crate::list::retry`]), how programs agree ([`crate::list::shared_limits`]).

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use haul_engine::{Again, Next, Source, TaskId};
use url::Url;

use crate::list::lookahead::Lookahead;
use crate::list::progress::Retry;
use crate::list::scheduler::{Demand, Scheduler};
use crate::list::shared_limits::{Begin, HostChange, LimitChange, SharedLimits};
use crate::list::task::Rescheduled;
use crate::route::host_pause::HostPause;
use crate::route::origin::Origin;
use crate::{Config, FetchTask, HostLimits};

/// Yields the tasks of another source as the limits of their hosts allow, and takes back those that are to be retried.
///
/// It reads ahead only while no task that it holds may start, and holds at most [`HostLimits::held_max`] tasks: memory
/// is bounded however long the list is. A waiting task occupies no worker.
pub struct HostSource<S, C, R = fn(TaskId, &FetchTask, &Retry)> {
    source: S,
    source_ended: bool,
    /// After which time the source, or more of it, may be read.
    read_again_in: Duration,
    scheduler: Scheduler<Item>,
    lookahead: Option<Lookahead>,
    shared: Option<Arc<dyn SharedLimits>>,
    clock: C,
    on_retry: R,
}

enum Item {
    New(Box<FetchTask>),
    Again(TaskId),
}

/// How many tasks are read in one call before the engine's events are handled.
const READ_MAX: usize = 1_024;

/// When a task is looked at again that another program may have.
const BEGIN_INTERVAL: Duration = Duration::from_millis(500);

impl<S: Source<FetchTask>, C: FnMut() -> Duration> HostSource<S, C> {
    /// Schedules the tasks of `source`. `clock` returns the time since some fixed moment.
    pub fn new(source: S, limits: HostLimits, clock: C) -> Self {
        let scheduler = Scheduler::new(limits);
        let read_again_in = Duration::MAX;
        Self {
            source,
            source_ended: false,
            read_again_in,
            scheduler,
            lookahead: None,
            shared: None,
            clock,
            on_retry: |_, _, _| (),
        }
    }
}

impl<S, C, R> HostSource<S, C, R> {
    /// Calls `on_retry` with each task that is to be tried again, before its pause.
    pub fn on_retry<F: FnMut(TaskId, &FetchTask, &Retry)>(self, on_retry: F) -> HostSource<S, C, F> {
        let Self { source, source_ended, read_again_in, scheduler, lookahead, shared, clock, on_retry: _ } =
            self;
        HostSource { source, source_ended, read_again_in, scheduler, lookahead, shared, clock, on_retry }
    }

    /// Looks names up before their tasks start, so that none of these waits for name servers while it occupies a
    /// worker. `config` is that of the job.
    pub fn looking_up(self, config: &Config) -> Self {
        Self { lookahead: Some(Lookahead::new(config)), ..self }
    }

    /// Shares limits of hosts with other programs. The limits on the number of tasks of this source hold as well.
    pub fn sharing(mut self, shared: Arc<dyn SharedLimits>) -> Self {
        if shared.has_shares() {
            self.scheduler.share_hosts();
        }
        self.shared = Some(shared);
        self
    }
}

impl<S: Source<FetchTask>, C, R> HostSource<S, C, R> {
    /// Takes out the tasks that never started, after the end of a run that was cancelled. Returns whether these are
    /// all: a source that answers [`Next::Later`] isn't waited for.
    pub fn take_unstarted(&mut self, mut each: impl FnMut(&FetchTask)) -> bool {
        for item in self.scheduler.drain() {
            // The engine holds the others, and has ended them.
            if let Item::New(task) = item {
                each(&task);
            }
        }
        while !self.source_ended {
            match self.source.next() {
                Next::Task(task) => each(&task),
                Next::End => self.source_ended = true,
                Next::Again(_) | Next::Later => return false,
            }
        }
        true
    }

    /// The next task that may start now, of those held and of the source.
    fn next_at(&mut self, now: Duration) -> Next<FetchTask> {
        for _ in 0..READ_MAX {
            let (lookahead, shared) = (&mut self.lookahead, &self.shared);
            let is_ready = |host: &Origin| {
                shared
                    .as_ref()
                    .is_none_or(|shared| !shared.has_shares() || shared.may_start(&host.to_string()))
                    && lookahead.as_mut().is_none_or(|lookahead| lookahead.is_ready(host, now))
            };
            match self.scheduler.next(now, is_ready) {
                Some(Item::New(task)) => match self.begun(task, now) {
                    Some(task) => return Next::Task(*task),
                    None => continue,
                },
                Some(Item::Again(id)) => return Next::Again(id),
                None if self.source_ended && self.scheduler.is_empty() => return Next::End,
                None if self.source_ended || !self.scheduler.has_room() => return Next::Later,
                None => {}
            }
            if let Some(next) = self.read(now) {
                return next;
            }
        }
        // Much was read, and none of it may start: the engine takes its answers before more is read.
        self.read_again_in = Duration::ZERO;
        Next::Later
    }

    /// Reads one task of the source. Returns what [`Source::next`] returns, if that is settled now.
    fn read(&mut self, now: Duration) -> Option<Next<FetchTask>> {
        match self.source.next() {
            Next::Task(task) => match task.host() {
                // A task without a request fails without using any host.
                None => return Some(Next::Task(task)),
                Some(origin) => self.scheduler.add(&origin, Item::New(Box::new(task)), now),
            },
            Next::End => self.source_ended = true,
            Next::Later => {
                self.read_again_in = self.source.ask_again_in();
                return Some(Next::Later);
            }
            again => return Some(again),
        }
        None
    }
}

impl<S, C, R> Source<FetchTask> for HostSource<S, C, R>
where
    S: Source<FetchTask>,
    C: FnMut() -> Duration + Send,
    R: FnMut(TaskId, &FetchTask, &Retry) + Send,
{
    fn next(&mut self) -> Next<FetchTask> {
        let now = (self.clock)();
        self.read_again_in = Duration::MAX;
        let ended = self.lookahead.as_mut().map(|lookahead| lookahead.ended(now)).unwrap_or_default();
        ended.iter().for_each(|host| self.scheduler.release(host, now));
        self.take_changes(now);
        let next = self.next_at(now);
        self.tell_demands();
        next
    }

    fn set_waker(&mut self, waker: Waker) {
        if let Some(lookahead) = &self.lookahead {
            lookahead.set_waker(waker.clone());
        }
        if let Some(shared) = &self.shared {
            shared.set_waker(waker.clone());
        }
        self.source.set_waker(waker);
    }

    fn ask_again_in(&mut self) -> Duration {
        let now = (self.clock)();
        let due = self.scheduler.next_due().map_or(Duration::MAX, |due| due.saturating_sub(now));
        let lookups = self.lookahead.as_ref().map_or(Duration::MAX, |lookahead| lookahead.ask_again_in(now));
        let shared = self.shared.as_ref().map_or(Duration::MAX, |shared| shared.ask_again_in());
        due.min(lookups).min(shared).min(self.read_again_in)
    }

    fn again(&mut self, id: TaskId, task: &FetchTask) -> Again {
        let Some(Rescheduled { from, to, is_hop, pause, retry }) = task.reschedule() else {
            return Again::AtOnce;
        };
        let now = (self.clock)();
        self.scheduler.add_at(&to, Item::Again(id), now + pause);
        self.pause(task.host_pause(), now);
        self.scheduler.requested(&from, task.requests(), now);
        self.scheduler.ended(&from, now);
        if let (Some(lookahead), false) = (&self.lookahead, is_hop) {
            lookahead.ask_again(&from);
        }
        if let Some(retry) = retry {
            (self.on_retry)(id, task, &retry);
        }
        self.tell_demands();
        Again::WhenGiven
    }

    fn ended(&mut self, task: &FetchTask) {
        if let Some(origin) = task.host() {
            let now = (self.clock)();
            self.pause(task.host_pause(), now);
            self.scheduler.requested(&origin, task.requests(), now);
            self.scheduler.ended(&origin, now);
            self.tell_demands();
        }
    }
}

impl<S, C, R> HostSource<S, C, R> {
    fn pause(&mut self, pause: Option<Box<HostPause>>, now: Duration) {
        if let Some(pause) = pause {
            self.scheduler.pause(&pause.origin, now + pause.duration, now);
            if let Some(shared) = &self.shared {
                shared.pause(&pause.origin.to_string(), pause.duration);
            }
        }
    }

    /// The task, if it may begin. If not, its turn is given back.
    fn begun(&mut self, task: Box<FetchTask>, now: Duration) -> Option<Box<FetchTask>> {
        let begin = self.shared.as_ref().map_or(Begin::Now, |shared| shared.may_begin(&task));
        let Some(origin) = task.host().filter(|_| begin != Begin::Now) else { return Some(task) };
        self.scheduler.requested(&origin, 0, now);
        self.scheduler.ended(&origin, now);
        if begin == Begin::Later {
            self.scheduler.add_at(&origin, Item::New(task), now + BEGIN_INTERVAL);
        }
        None
    }

    /// Takes what other programs have changed.
    fn take_changes(&mut self, now: Duration) {
        let Some(shared) = &self.shared else { return };
        for HostChange { host, change } in shared.changes() {
            // It is one that the scheduler has named, or another program's.
            let Ok(origin) = Url::parse(&host).map(|url| Origin::of(&url)) else { continue };
            match change {
                LimitChange::Pause(pause) => self.scheduler.pause(&origin, now.saturating_add(pause), now),
                LimitChange::Share(share) => {
                    self.scheduler.set_share(&origin, share, now);
                    if self.lookahead.as_ref().is_none_or(|lookahead| !lookahead.is_waiting(&origin)) {
                        self.scheduler.release(&origin, now);
                    }
                }
            }
        }
    }

    /// Tells what is needed at hosts where that has changed.
    fn tell_demands(&mut self) {
        let Some(shared) = &self.shared else { return };
        for (origin, Demand { running, wanted }) in self.scheduler.demands() {
            shared.want(&origin.to_string(), running, wanted);
        }
    }
}
