//! Hands work from the supervisor to workers of the same process, and their answers back.
//!
//! No thread is dedicated to supervising: the worker that needs work becomes the combiner ("flat combining"), takes the
//! answers that are there and hands out work, the first piece to itself. A dedicated thread would have to be woken for
//! nearly every task of a source with limits, which costs as much as a small task.
//!
//! Owns: the ring of work and the ring of answers, the combiner's state, when and how workers are woken.
//! Does not own: the order of work ([`crate::supervisor`]), threads, locking ([`haul_queue::Combiner`]).
//!
//! Source: `queue/PROTOCOL.md`, part 3; the step numbers in the comments are those of that file.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::Instant;

use haul_io::Unparker;
use haul_queue::{Combiner, Poisoned, Ring, Sleeper, TryPop};

use crate::config::POLL_INTERVAL;
use crate::event::{Event, Settled};
use crate::execute::{Returned, Work};
use crate::job::contract::Job;
use crate::job::source::Source;
use crate::stall::{LOOK_INTERVAL, Stall, StallWatch, StalledWorker};
use crate::supervisor::{Ready, Supervisor};
use crate::threads::recorders::{Recorders, RunningKey};

/// Pieces of work queued for each worker, so that workers seldom need to combine.
const QUEUED_PER_WORKER: usize = 16;
/// Upper bound of the work queued for all workers together.
const QUEUED_MAX: usize = 4_096;

/// The two rings between supervisor and workers, and the supervisor itself.
pub(crate) struct Dispatcher<J: Job, S> {
    work: Ring<Work<J>>,
    answers: Ring<Returned<J>>,
    combiner: Combiner<Combined<J, S>>,
    /// Upper bound of the tasks that are in flight or have ended unreported. Either ring holds as many, so that no push
    /// ever sleeps.
    outstanding_max: usize,
    /// With no more pieces of work than this on the ring, a worker combines before it takes one.
    low_water: usize,
    reporter: Arc<Reporter>,
    /// Wake-ups of workers that sleep elsewhere than on the ring of work.
    unparkers: Mutex<Vec<Unparker>>,
}

/// The thread that created the dispatcher and reports the ends of tasks.
struct Reporter(Sleeper);

/// The source wakes it when it may have a task.
impl Wake for Reporter {
    fn wake(self: Arc<Self>) {
        self.0.urge();
    }
}

/// The state that only the combiner touches.
struct Combined<J: Job, S> {
    supervisor: Supervisor<J, S>,
    /// Tasks that have ended and wait for the reporter.
    unreported: Vec<Settled<J>>,
    /// The number of ends that the reporter has taken and is reporting.
    reporting: usize,
    /// What the reporter waits for.
    waits: ReporterWaits,
    /// When the reporter wakes by itself.
    wakes_at: Option<Instant>,
    /// It does so to look at what the workers do.
    looks: bool,
    /// Every task has ended.
    ended: bool,
}

/// What ends the reporter's sleep.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReporterWaits {
    /// It is awake, or about to wake: it is woken only for what can't wait.
    Briefly,
    /// The first end of a task, the first piece of work under way, or a source that is to be asked again before it
    /// wakes by itself.
    ForAnything,
}

/// Closes the dispatcher when dropped.
pub(crate) struct CloseOnDrop<'a, J: Job, S>(&'a Dispatcher<J, S>);

impl<J: Job, S> Drop for CloseOnDrop<'_, J, S> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<J: Job, S> Dispatcher<J, S> {
    /// Closes the dispatcher when the returned guard is dropped. If the callback for events panics, the unwinding drops
    /// the guard; without it the workers would wait for ever.
    pub(crate) fn close_on_drop(&self) -> CloseOnDrop<'_, J, S> {
        CloseOnDrop(self)
    }

    /// Registers a worker that sleeps elsewhere than on the ring, to be woken for new work.
    pub(crate) fn add_unparker(&self, unparker: Unparker) {
        self.lock_unparkers().push(unparker);
    }

    fn close(&self) {
        self.work.close();
        self.unpark_workers();
    }

    fn unpark_workers(&self) {
        self.lock_unparkers().iter().for_each(Unparker::unpark);
    }

    fn lock_unparkers(&self) -> MutexGuard<'_, Vec<Unparker>> {
        self.unparkers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Job, S: Source<J::Task>> Dispatcher<J, S> {
    /// A dispatcher for `workers` jobs at a time. The calling thread becomes the reporter.
    pub(crate) fn new(mut supervisor: Supervisor<J, S>, workers: usize) -> Self {
        let outstanding_max = workers + QUEUED_MAX.min(workers * QUEUED_PER_WORKER);
        let reporter = Arc::new(Reporter(Sleeper::this_thread()));
        supervisor.set_waker(Waker::from(reporter.clone()));
        let combined = Combined {
            supervisor,
            unreported: Vec::new(),
            reporting: 0,
            waits: ReporterWaits::Briefly,
            wakes_at: None,
            looks: false,
            ended: false,
        };
        Self {
            work: Ring::with_capacity(outstanding_max),
            answers: Ring::with_capacity(outstanding_max),
            combiner: Combiner::new(combined),
            outstanding_max,
            low_water: 2 * workers,
            reporter,
            unparkers: Mutex::default(),
        }
    }

    /// The supervisor, if no worker has taken any work.
    pub(crate) fn into_supervisor(self) -> Option<Supervisor<J, S>> {
        self.combiner.into_inner().ok().map(|combined| combined.supervisor)
    }

    /// D1: publishes an answer. The worker must ask for more work next, which combines (D2).
    pub(crate) fn answer(&self, returned: Returned<J>) {
        if self.answers.push(returned).is_err() {
            unreachable!("the ring of answers is never closed");
        }
    }

    /// The next piece of work, sleeping until there is one; `None` once there won't be any more.
    pub(crate) fn next(&self) -> Option<Work<J>> {
        match self.try_next() {
            TryPop::Item(work) => Some(work),
            TryPop::Empty => self.work.pop(),
            TryPop::Closed => None,
        }
    }

    /// The next piece of work, if there is one now.
    pub(crate) fn try_next(&self) -> TryPop<Work<J>> {
        if self.work.len() > self.low_water {
            return self.work.try_pop();
        }
        let mut own = OwnWork::Wanted;
        self.combine(&mut own);
        match own {
            OwnWork::Taken(work) => TryPop::Item(work),
            OwnWork::Wanted | OwnWork::Unwanted => self.work.try_pop(),
        }
    }

    /// D2 to D5 for a worker that has answered and asks for no more work.
    pub(crate) fn settle_answers(&self) {
        self.combine(&mut OwnWork::Unwanted);
    }

    /// Reports the end of every task to `emit`, and what `watch` finds among the work that `recorders` know of. Returns
    /// once all tasks have ended, or once the source has panicked on a worker. To be called by the reporter.
    pub(crate) fn report_all(
        &self,
        recorders: &Recorders,
        mut watch: StallWatch<RunningKey>,
        emit: &mut dyn FnMut(Event<J>),
    ) {
        let mut last_look = Instant::now();
        loop {
            let begun = Instant::now();
            if last_look.elapsed() >= LOOK_INTERVAL {
                last_look = Instant::now();
                self.stalls(&mut watch, recorders).into_iter().for_each(|stall| emit(Event::Stalled(stall)));
            }
            let taken = self.combiner.visit(|combined| {
                let unreported = std::mem::take(&mut combined.unreported);
                combined.reporting = unreported.len();
                let is_idle = unreported.is_empty();
                combined.waits = if is_idle { ReporterWaits::ForAnything } else { ReporterWaits::Briefly };
                // A late source is asked by this thread: below if its time has come, else when that comes.
                let asks_again = combined.supervisor.asks_again().filter(|at| *at > begun);
                // Without work under way, there is nothing to look at.
                combined.looks = combined.supervisor.in_flight() > 0;
                let look = combined.looks.then(|| last_look + LOOK_INTERVAL);
                combined.wakes_at = asks_again.into_iter().chain(look).min();
                (unreported, combined.ended, combined.wakes_at)
            });
            let Ok((unreported, ended, wakes_at)) = taken else { return };
            // D6: a worker that answered during the visit found the lock taken.
            self.combine(&mut OwnWork::Unwanted);
            if unreported.is_empty() {
                if ended {
                    return;
                }
                self.reporter.0.sleep(wakes_at);
                // Ends that follow each other closely are reported together.
                if !self.reporter.0.take_urgency() {
                    self.reporter.0.sleep(Some(begun + POLL_INTERVAL));
                }
            }
            unreported.into_iter().for_each(|settled| emit(Event::Settled(settled)));
        }
    }

    /// Looks at what the workers do.
    fn stalls(&self, watch: &mut StallWatch<RunningKey>, recorders: &Recorders) -> Vec<Stall<J>> {
        let stalled = watch.look(recorders.running());
        if stalled.is_empty() {
            return Vec::new();
        }
        let found = self.combiner.visit(|combined| {
            let stall = |key: &RunningKey| {
                let task = combined.supervisor.task(key.id)?;
                let (worker, time) = (StalledWorker::Thread(key.thread), watch.time());
                Some(Stall { id: key.id, task, worker, time })
            };
            stalled.iter().filter_map(stall).collect()
        });
        found.unwrap_or_default()
    }

    /// D2 to D5: takes answers and hands out work, unless another thread is combining.
    fn combine(&self, own: &mut OwnWork<J>) {
        let apply = |combined: &mut Combined<J, S>| {
            self.take_answers(combined);
            self.hand_out(combined, own);
        };
        let is_due = || !self.answers.is_empty() && self.work.len() <= self.low_water;
        if self.combiner.combine(apply, is_due) == Err(Poisoned) {
            self.close();
            self.reporter.0.urge();
        }
    }

    fn take_answers(&self, combined: &mut Combined<J, S>) {
        while let TryPop::Item(returned) = self.answers.try_pop() {
            let Some(settled) = combined.supervisor.returned(returned) else { continue };
            let failed = settled.outcome.is_err();
            combined.unreported.push(settled);
            // The callback may end the run at a failure. Other ends can wait for a moment.
            if failed || combined.unreported.len() == self.outstanding_max / 2 {
                combined.waits = ReporterWaits::Briefly;
                self.reporter.0.urge();
            } else {
                self.end_wait(combined);
            }
        }
    }

    /// Has the reporter visit again, if it waits for anything.
    fn end_wait(&self, combined: &mut Combined<J, S>) {
        if combined.waits == ReporterWaits::ForAnything {
            combined.waits = ReporterWaits::Briefly;
            self.reporter.0.wake();
        }
    }

    /// Hands out work as long as there is room.
    fn hand_out(&self, combined: &mut Combined<J, S>, own: &mut OwnWork<J>) {
        let mut pushed = false;
        while combined.outstanding() < self.outstanding_max {
            match combined.supervisor.next(Instant::now()) {
                Ready::Work(work) if matches!(own, OwnWork::Wanted) && self.work.is_empty() => {
                    *own = OwnWork::Taken(work);
                }
                Ready::Work(work) => {
                    if self.work.push(work).is_err() {
                        // Closed early: the run is being abandoned, and no worker will take this work.
                        return;
                    }
                    pushed = true;
                }
                Ready::Wait => {
                    let asks_again = combined.supervisor.asks_again();
                    if asks_again.is_some_and(|at| combined.wakes_at.is_none_or(|wakes_at| at < wakes_at)) {
                        self.end_wait(combined);
                    }
                    break;
                }
                Ready::End => {
                    combined.ended = true;
                    self.close();
                    self.reporter.0.urge();
                    break;
                }
            }
        }
        if combined.supervisor.in_flight() > 0 && !combined.looks {
            self.end_wait(combined);
        }
        if pushed {
            self.unpark_workers();
        }
    }
}

impl<J: Job, S: Source<J::Task>> Combined<J, S> {
    fn outstanding(&self) -> usize {
        self.supervisor.in_flight() + self.unreported.len() + self.reporting
    }
}

/// The piece of work that a combining worker keeps for itself, which saves waking it.
enum OwnWork<J: Job> {
    Unwanted,
    Wanted,
    Taken(Work<J>),
}

#[cfg(test)]
mod tests;
