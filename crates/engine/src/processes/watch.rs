//! Worker processes that carry out a piece of work for too long.
//!
//! Owns: which process holds which lease, and since when.
//! Does not own: how long is too long ([`crate::stall`]).

use std::time::Duration;

use haul_queue::lease::SlotId;

use crate::processes::worker_pool::WorkerPool;
use crate::stall::StallWatch;

/// Watches the leases of a table.
pub(super) struct ProcessWatch(StallWatch<SlotId>);

impl ProcessWatch {
    pub(super) fn new(stalled_after: Duration) -> Self {
        Self(StallWatch::new(stalled_after))
    }

    /// For how long a stalled worker has made no progress.
    pub(super) fn time(&self) -> Duration {
        self.0.time()
    }

    /// The slots whose work has been carried out by one process for too long, and that process. To be called every
    /// [`LOOK_INTERVAL`](crate::stall::LOOK_INTERVAL).
    pub(super) fn look(&mut self, pool: &WorkerPool) -> Vec<(SlotId, u32)> {
        let running: Vec<_> = pool.table.running().collect();
        let marks = running
            .iter()
            .map(|(slot, owner, generation)| (*slot, u64::from(*generation) << 16 | u64::from(*owner)));
        let stalled = self.0.look(marks);
        let held = running.iter().filter(|(slot, ..)| stalled.contains(slot));
        held.filter_map(|(slot, owner, _)| Some((*slot, pool.pid(*owner)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use haul_io::Io;
    use haul_queue::lease::Worker;

    use super::*;
    use crate::job::contract::{Job, Step};
    use crate::job::portable::{Portable, WorkerCommand};
    use crate::processes::handles::Workers;
    use crate::processes::worker_pool::PoolSize;

    struct Nothing;

    impl Job for Nothing {
        type Task = ();
        type State = ();
        type Output = ();
        type Error = ();

        async fn start<I: Io>(&self, _: &I, (): &()) -> Result<Step<(), ()>, ()> {
            unreachable!("nothing is carried out")
        }

        async fn part<I: Io>(&self, _: &I, (): &(), (): &(), _: u64) -> Result<(), ()> {
            unreachable!("nothing is carried out")
        }

        async fn finish<I: Io>(&self, _: &I, (): &(), (): &(), _: bool) -> Result<(), ()> {
            unreachable!("nothing is carried out")
        }

        fn is_cancelled((): &()) -> bool {
            false
        }
    }

    impl Portable for Nothing {
        type JobSpec = ();
        type Token = ();

        fn job_spec(&self, _: &mut dyn FnMut(&mut [u8])) {}

        fn from_job_spec((): ()) -> Result<Self, String> {
            Ok(Self)
        }

        fn token(&self, (): &(), _: &mut dyn FnMut(&mut [u8])) {}

        async fn join<I: Io>(&self, _: &I, (): &(), (): ()) -> Result<(), ()> {
            Ok(())
        }

        async fn published<I: Io>(&self, _: &I, (): &()) -> Result<(), ()> {
            Ok(())
        }
    }

    #[test]
    fn a_process_that_holds_a_lease_for_a_minute_is_named() {
        let command = WorkerCommand {
            program: "sleep".into(),
            arguments: vec!["1000".into()],
            workers: Workers::default(),
        };
        let size = PoolSize { processes: NonZeroUsize::MIN, threads: NonZeroUsize::MIN };
        let mut pool = WorkerPool::open(&Nothing, &command, size, false, &mut |_| {}).unwrap();
        let pid = pool.pid(0).expect("the first worker was started");
        // This process claims in the name of that one.
        let worker = Worker::attach(pool.table.memfd()).unwrap();
        let (held, waiting) = (pool.table.offer(b"held").unwrap(), pool.table.offer(b"waiting").unwrap());
        let lease = worker.claim(0).expect("a ready task");
        let mut watch = ProcessWatch::new(Duration::from_secs(60));
        let mut named: Vec<_> = (0..3 * 240).flat_map(|_| watch.look(&pool)).collect();
        assert_eq!(named, [(held, pid)], "not the one that waits, {waiting:?}");
        worker.finish(&lease, b"").unwrap();
        worker.claim(0).expect("the other one");
        named = (0..240).flat_map(|_| watch.look(&pool)).collect();
        assert!(named.is_empty(), "every piece of work has its own minute");
        assert_eq!(watch.look(&pool), [(waiting, pid)]);
    }
}
