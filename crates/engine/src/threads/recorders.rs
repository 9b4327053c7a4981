//! Where the workers of a run record the times of their work.
//!
//! A set of distributions takes 150 KiB, so threads don't have one each: there are as many as cores, and a thread
//! shares one with others that seldom run at the same time.
//!
//! Owns: the distributions while the workers run.
//! Does not own: the times.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use crate::job::phases::{Phases, Spreads};

/// The distributions of all workers.
pub(crate) struct Recorders(Box<[Recorder]>);

/// One set of distributions.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Spreads>);

impl Recorder {
    /// Records the times of one piece of work.
    pub(crate) fn record(&self, phases: &Phases) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).record(phases);
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

    /// The distributions over all workers.
    pub(crate) fn into_spreads(self) -> Spreads {
        let mut spreads = Spreads::default();
        for recorder in self.0 {
            spreads.merge(&recorder.0.into_inner().unwrap_or_else(PoisonError::into_inner));
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
        (0..4_096).for_each(|worker| recorders.of(worker).record(&Phases::default()));
        assert_eq!(recorders.into_spreads().compute.count(), 4_096);
        assert_eq!(Recorders::for_workers(NonZeroUsize::MIN).0.len(), 1);
    }
}
