//! A source of fetches that keeps to the limits of their hosts, and starts tasks again after a pause.
//!
//! Owns: reading ahead in another source, reading the clock.
//! Does not own: the order of starts ([`crate::list::scheduler`]), which tasks start again ([`crate::list::retry`]).

use std::time::Duration;

use haul_engine::{Again, Next, Source, TaskId};

use crate::list::scheduler::Scheduler;
use crate::route::host_pause::HostPause;
use crate::route::origin::Origin;
use crate::{FetchTask, HostLimits};

/// Yields the tasks of another source as the limits of their hosts allow, and takes back those that are to be retried.
///
/// It reads ahead only while no task that it holds may start, and holds at most [`HostLimits::held_max`] tasks: memory
/// is bounded however long the list is. A waiting task occupies no worker.
pub struct HostSource<S, C> {
    source: S,
    source_ended: bool,
    scheduler: Scheduler<Item>,
    clock: C,
}

enum Item {
    New(Box<FetchTask>),
    Again(TaskId),
}

/// How many tasks are read in one call before the engine's events are handled.
const READ_MAX: usize = 1_024;

impl<S: Source<FetchTask>, C: FnMut() -> Duration> HostSource<S, C> {
    /// Schedules the tasks of `source`. `clock` returns the time since some fixed moment.
    pub fn new(source: S, limits: HostLimits, clock: C) -> Self {
        Self { source, source_ended: false, scheduler: Scheduler::new(limits), clock }
    }

    /// Reads one task of the source. Returns what [`Source::next`] returns, if that is settled now.
    fn read(&mut self, now: Duration) -> Option<Next<FetchTask>> {
        match self.source.next() {
            Next::Task(task) => match origin(&task) {
                // A task without a request fails without using any host.
                None => return Some(Next::Task(task)),
                Some(origin) => self.scheduler.add(&origin, Item::New(Box::new(task)), now),
            },
            Next::End => self.source_ended = true,
            other => return Some(other),
        }
        None
    }
}

impl<S: Source<FetchTask>, C: FnMut() -> Duration + Send> Source<FetchTask> for HostSource<S, C> {
    fn next(&mut self) -> Next<FetchTask> {
        let now = (self.clock)();
        for _ in 0..READ_MAX {
            match self.scheduler.next(now) {
                Some(Item::New(task)) => return Next::Task(*task),
                Some(Item::Again(id)) => return Next::Again(id),
                None if self.source_ended && self.scheduler.is_empty() => return Next::End,
                None if self.source_ended || !self.scheduler.has_room() => return Next::Later,
                None => {}
            }
            if let Some(next) = self.read(now) {
                return next;
            }
        }
        Next::Later
    }

    fn again(&mut self, id: TaskId, task: &FetchTask) -> Again {
        let Some(origin) = origin(task) else { return Again::AtOnce };
        let now = (self.clock)();
        let advice = task.advice();
        self.scheduler.add_at(&origin, Item::Again(id), now + advice.pause);
        self.pause(advice.host_pause, now);
        self.scheduler.ended(&origin, now);
        Again::WhenGiven
    }

    fn ended(&mut self, task: &FetchTask) {
        if let Some(origin) = origin(task) {
            let now = (self.clock)();
            self.pause(task.advice().host_pause, now);
            self.scheduler.ended(&origin, now);
        }
    }
}

impl<S, C> HostSource<S, C> {
    fn pause(&mut self, pause: Option<Box<HostPause>>, now: Duration) {
        if let Some(pause) = pause {
            self.scheduler.pause(&pause.origin, now + pause.duration, now);
        }
    }
}

/// The host that a task is scheduled for: that of its URL, whatever redirects follow.
fn origin(task: &FetchTask) -> Option<Origin> {
    task.request.as_ref().ok().map(|request| Origin::of(&request.url))
}
