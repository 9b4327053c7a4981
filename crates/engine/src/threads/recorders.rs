//! Where the workers of a run record what they work on and the times of their work.
//!
//! A set of distributions takes 150 KiB, so threads don't have one each: there are as many as cores, and a thread
//! shares one with others that seldom run at the same time.
//!
//! Owns: the distributions while the workers run, the list of what runs.
//! Does not own: the times, judging what runs ([`crate::stall`]).

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::job::contract::TaskId;
use crate::job::phases::{Phases, Spreads};

/// The distributions of all workers.
pub(crate) struct Recorders(Box<[Recorder]>);

/// One set of distributions, and what its workers work on.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Recorded>);

#[derive(Default)]
struct Recorded {
    spreads: Spreads,
    running: Vec<Running>,
}

thread_local! {
    /// The system's number of this thread, asked for once instead of for each piece of work.
    static THREAD: u32 = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
}

/// A piece of work that a worker carries out.
struct Running {
    id: TaskId,
    thread: u32,
    /// Rises with every operation. It belongs to one worker, and so identifies it.
    activity: Arc<AtomicU64>,
}

/// Identifies a piece of work that runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RunningKey {
    pub(crate) id: TaskId,
    /// The system's number of the thread.
    pub(crate) thread: u32,
    worker: *const AtomicU64,
}

impl Recorder {
    /// Notes that the worker with this `activity` begins with a piece of work. To be called by its thread.
    pub(crate) fn begin(&self, id: TaskId, activity: &Arc<AtomicU64>) {
        let thread = THREAD.with(|thread| *thread);
        self.lock().running.push(Running { id, thread, activity: activity.clone() });
    }

    /// Records the times of the piece of work that the worker has ended.
    pub(crate) fn end(&self, activity: &Arc<AtomicU64>, phases: &Phases) {
        let mut recorded = self.lock();
        recorded.spreads.record(phases);
        recorded.running.retain(|running| !Arc::ptr_eq(&running.activity, activity));
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorders {
    pub(crate) fn for_workers(workers: NonZeroUsize) -> Self {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self((0..workers.min(cores).get()).map(|_| Recorder::default()).collect())
    }

    /// The recorder of a worker, by its number.
    pub(crate) fn of(&self, worker: usize) -> &Recorder {
        &self.0[worker % self.0.len()]
    }

    /// What runs, each with a mark that changes whenever it makes progress.
    pub(crate) fn running(&self) -> Vec<(RunningKey, u64)> {
        let mut all = Vec::new();
        for recorder in &self.0 {
            all.extend(recorder.lock().running.iter().map(|running| {
                let Running { id, thread, activity } = running;
                let key = RunningKey { id: *id, thread: *thread, worker: Arc::as_ptr(activity) };
                (key, activity.load(Ordering::Relaxed))
            }));
        }
        all
    }

    /// The distributions over all workers.
    pub(crate) fn into_spreads(self) -> Spreads {
        let mut spreads = Spreads::default();
        for recorder in self.0 {
            spreads.merge(&recorder.0.into_inner().unwrap_or_else(PoisonError::into_inner).spreads);
        }
        spreads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_workers_share_as_many_distributions_as_cores() {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let recorders = Recorders::for_workers(NonZeroUsize::new(4_096).unwrap());
        assert_eq!(recorders.0.len(), cores.min(4_096));
        let activity = Arc::default();
        (0..4_096).for_each(|worker| {
            recorders.of(worker).begin(TaskId(7), &activity);
            assert_eq!(recorders.running().len(), 1);
            recorders.of(worker).end(&activity, &Phases::default());
        });
        assert!(recorders.running().is_empty());
        assert_eq!(recorders.into_spreads().compute.count(), 4_096);
        assert_eq!(Recorders::for_workers(NonZeroUsize::MIN).0.len(), 1);
    }
}
