//! What lies between the supervisor and workers of the same process.
//!
//! Owns: the ring of work and the ring of answers, who is woken when.
//! Does not own: the order of work ([`crate::supervisor`]), threads.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Thread;

use haul_io::Unparker;
use haul_queue::{Ring, TryPop};

use crate::config::NAP;
use crate::execute::{Returned, Work};
use crate::supervisor::{Ready, Supervisor};
use crate::{Job, Settled, Source};

/// Pieces of work that wait on the ring for each worker, so that none idles while the supervisor is busy.
const QUEUED_PER_WORKER: usize = 16;
/// Where workers are many, fewer wait for each.
const QUEUED_MAX: usize = 4_096;

/// What lies between the supervisor and its workers.
pub(crate) struct Desk<J: Job> {
    pub(crate) work: Ring<Work<J>>,
    answers: Ring<Returned<J>>,
    /// Work that may be out at a time. No more than either ring holds, so nobody ever waits to push.
    out_max: usize,
    workers: usize,
    supervisor: Thread,
    /// Workers that sleep elsewhere than on the ring of work.
    unparkers: Mutex<Vec<Unparker>>,
}

/// A desk that work may still come to.
pub(crate) struct OpenDesk<'a, J: Job>(&'a Desk<J>);

impl<J: Job> Drop for OpenDesk<'_, J> {
    fn drop(&mut self) {
        self.0.work.close();
        self.0.wake();
    }
}

impl<J: Job> Desk<J> {
    /// A desk for jobs of which `workers` run at once.
    pub(crate) fn new(workers: usize) -> Self {
        let out_max = workers + QUEUED_MAX.min(workers * QUEUED_PER_WORKER);
        let (work, answers) = (Ring::with_capacity(out_max), Ring::with_capacity(out_max));
        let (supervisor, unparkers) = (std::thread::current(), Mutex::default());
        Self { work, answers, out_max, workers, supervisor, unparkers }
    }

    /// Adds a worker that must be told of new work.
    pub(crate) fn tell(&self, unparker: Unparker) {
        self.lock_unparkers().push(unparker);
    }

    /// When what this gives is dropped, there will be no more work: also where a panic of whoever is told of events ends
    /// the run, as its workers would wait forever.
    pub(crate) fn open(&self) -> OpenDesk<'_, J> {
        OpenDesk(self)
    }

    fn wake(&self) {
        self.lock_unparkers().iter().for_each(Unparker::unpark);
    }

    fn lock_unparkers(&self) -> MutexGuard<'_, Vec<Unparker>> {
        self.unparkers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an answer back. The supervisor is woken only where something depends on it: waking it for every small task
    /// costs more than the task.
    pub(crate) fn answer(&self, returned: Returned<J>) {
        if self.answers.push(returned).is_err() {
            unreachable!("answers are taken until every worker has ended");
        }
        if self.work.len() <= 2 * self.workers || self.answers.len() >= self.out_max / 2 {
            self.supervisor.unpark();
        }
    }

    /// Hands out work and takes answers until every task has ended. On the thread that made the desk.
    pub(crate) fn supervise(
        &self,
        supervisor: &mut Supervisor<J, impl Source<J::Task>>,
        settled: &mut dyn FnMut(Settled<J>),
    ) {
        loop {
            if self.hand_out(supervisor) {
                return;
            }
            let mut answer = self.answers.try_pop();
            if matches!(answer, TryPop::Empty) {
                std::thread::park_timeout(NAP);
                answer = self.answers.try_pop();
            }
            while let TryPop::Item(returned) = answer {
                supervisor.returned(returned).map(&mut *settled);
                answer = self.answers.try_pop();
            }
        }
    }

    /// Hands out what there is room for; whether every task has ended.
    fn hand_out(&self, supervisor: &mut Supervisor<J, impl Source<J::Task>>) -> bool {
        let before = supervisor.in_flight();
        while supervisor.in_flight() < self.out_max {
            match supervisor.next() {
                Ready::Work(ready) => {
                    if self.work.push(ready).is_err() {
                        unreachable!("the ring is closed after the last task");
                    }
                }
                Ready::Wait => break,
                Ready::End => return true,
            }
        }
        if supervisor.in_flight() > before {
            self.wake();
        }
        false
    }
}
