//! What lies between the source and workers of the same process.
//!
//! No thread of its own decides what is done next: whichever worker needs work takes the combiner, takes the answers that lie
//! there, and hands out. A supervising thread would have to be woken for nearly every task of a source with limits, and
//! that costs as much as a small task.
//!
//! No answer is left lying. (A1) A worker puts its answer on the ring, then tries the combiner. (A2) Who leaves the combiner looks at the
//! ring afterwards, and takes the combiner again if answers are there while work is short. Between the two steps of either
//! stands a fence, so that of a worker that found the combiner taken and the one who left it, one sees the other: either the worker gets
//! the combiner, or its answer is found. Besides, the teller takes the combiner every few milliseconds.
//!
//! Owns: the ring of work and the ring of answers, the combiner, who is woken when.
//! Does not own: the order of work ([`crate::supervisor`]), threads.

use std::sync::atomic::{Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::Thread;

use haul_io::Unparker;
use haul_queue::{Ring, TryPop};

use crate::config::NAP;
use crate::event::Settled;
use crate::execute::{Returned, Work};
use crate::job::contract::Job;
use crate::job::source::Source;
use crate::supervisor::{Ready, Supervisor};

/// Pieces of work that wait on the ring for each worker, so that few look for more.
const QUEUED_PER_WORKER: usize = 16;
/// Where workers are many, fewer wait for each.
const QUEUED_MAX: usize = 4_096;

/// What lies between a source and its workers.
pub(crate) struct Dispatcher<J: Job, S> {
    work: Ring<Work<J>>,
    answers: Ring<Returned<J>>,
    combiner: Mutex<Combiner<J, S>>,
    /// Tasks that may be out, or ended and not told, at a time. No more than either ring holds, so nobody ever waits to push.
    out_max: usize,
    /// With so few pieces of work on the ring, it is time for more.
    short: usize,
    /// The thread that made the dispatcher, and tells.
    teller: Thread,
    /// Workers that sleep elsewhere than on the ring of work.
    unparkers: Mutex<Vec<Unparker>>,
}

/// What only one thread at a time does.
struct Combiner<J: Job, S> {
    supervisor: Supervisor<J, S>,
    /// Tasks that ended, and that nobody was told of.
    untold: Vec<Settled<J>>,
    /// How many ends the teller is telling of.
    telling: usize,
    /// Every task has ended.
    ended: bool,
}

/// A dispatcher that work may still come to.
pub(crate) struct CloseOnDrop<'a, J: Job, S>(&'a Dispatcher<J, S>);

impl<J: Job, S> Drop for CloseOnDrop<'_, J, S> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<J: Job, S> Dispatcher<J, S> {
    /// When what this gives is dropped, there will be no more work: also where a panic of whoever is told of events ends
    /// the run, as its workers would wait forever.
    pub(crate) fn open(&self) -> CloseOnDrop<'_, J, S> {
        CloseOnDrop(self)
    }

    /// Adds a worker that must be told of new work.
    pub(crate) fn tell(&self, unparker: Unparker) {
        self.lock_unparkers().push(unparker);
    }

    fn close(&self) {
        self.work.close();
        self.wake();
    }

    fn wake(&self) {
        self.lock_unparkers().iter().for_each(Unparker::unpark);
    }

    fn lock_unparkers(&self) -> MutexGuard<'_, Vec<Unparker>> {
        self.unparkers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Job, S: Source<J::Task>> Dispatcher<J, S> {
    /// A dispatcher for jobs of which `workers` run at once.
    pub(crate) fn new(supervisor: Supervisor<J, S>, workers: usize) -> Self {
        let out_max = workers + QUEUED_MAX.min(workers * QUEUED_PER_WORKER);
        let (work, answers) = (Ring::with_capacity(out_max), Ring::with_capacity(out_max));
        let combiner = Mutex::new(Combiner { supervisor, untold: Vec::new(), telling: 0, ended: false });
        let (teller, unparkers) = (std::thread::current(), Mutex::default());
        Self { work, answers, combiner, out_max, short: 2 * workers, teller, unparkers }
    }

    /// Gives an answer back. Who does so asks for more work next.
    pub(crate) fn answer(&self, returned: Returned<J>) {
        if self.answers.push(returned).is_err() {
            unreachable!("answers are taken until every worker has ended");
        }
    }

    /// The next piece of work, once there is one; `None` when there won't be any.
    pub(crate) fn next(&self) -> Option<Work<J>> {
        match self.try_next() {
            TryPop::Item(work) => Some(work),
            TryPop::Empty => self.work.pop(),
            TryPop::Closed => None,
        }
    }

    /// The next piece of work, if there is one now.
    pub(crate) fn try_next(&self) -> TryPop<Work<J>> {
        if self.work.len() > self.short {
            return self.work.try_pop();
        }
        let mut own = Own::Wanted;
        self.supervise(&mut own);
        match own {
            Own::Taken(work) => TryPop::Item(work),
            _ => self.work.try_pop(),
        }
    }

    /// Tells of every end, until every task has ended or the source has panicked on a worker. On the thread that made the dispatcher.
    pub(crate) fn tell_all(&self, settled: &mut dyn FnMut(Settled<J>)) {
        loop {
            let Ok(mut combiner) = self.combiner.lock() else { return };
            let (untold, ended) = (std::mem::take(&mut combiner.untold), combiner.ended);
            combiner.telling = untold.len();
            drop(combiner);
            self.supervise(&mut Own::None);
            if untold.is_empty() {
                if ended {
                    return;
                }
                std::thread::park_timeout(NAP);
            }
            untold.into_iter().for_each(&mut *settled);
        }
    }

    /// Takes answers and hands out work, unless somebody else is at it.
    fn supervise(&self, own: &mut Own<J>) {
        loop {
            fence(Ordering::SeqCst);
            match self.combiner.try_lock() {
                Ok(mut combiner) => {
                    self.take_answers(&mut combiner);
                    self.hand_out(&mut combiner, own);
                }
                Err(TryLockError::WouldBlock) => return,
                Err(TryLockError::Poisoned(_)) => {
                    self.close();
                    self.teller.unpark();
                    return;
                }
            }
            fence(Ordering::SeqCst);
            if self.answers.is_empty() || self.work.len() > self.short {
                return;
            }
        }
    }

    fn take_answers(&self, combiner: &mut Combiner<J, S>) {
        while let TryPop::Item(returned) = self.answers.try_pop() {
            let Some(settled) = combiner.supervisor.returned(returned) else { continue };
            let failed = settled.outcome.is_err();
            combiner.untold.push(settled);
            // A failure may end the run. Other ends can wait for the teller's nap to end.
            if failed || combiner.untold.len() == self.out_max / 2 {
                self.teller.unpark();
            }
        }
    }

    /// Hands out what there is room for.
    fn hand_out(&self, combiner: &mut Combiner<J, S>, own: &mut Own<J>) {
        let mut pushed = false;
        while combiner.supervisor.in_flight() + combiner.untold.len() + combiner.telling < self.out_max {
            match combiner.supervisor.next() {
                Ready::Work(work) if matches!(own, Own::Wanted) && self.work.is_empty() => {
                    *own = Own::Taken(work);
                }
                Ready::Work(work) => {
                    if self.work.push(work).is_err() {
                        // The run is being given up: what is handed out now comes to nobody.
                        return;
                    }
                    pushed = true;
                }
                Ready::Wait => break,
                Ready::End => {
                    combiner.ended = true;
                    self.close();
                    self.teller.unpark();
                    break;
                }
            }
        }
        if pushed {
            self.wake();
        }
    }
}

/// A piece of work for whoever supervises: it needn't be woken for it.
enum Own<J: Job> {
    None,
    Wanted,
    Taken(Work<J>),
}
