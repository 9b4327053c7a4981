//! The handle on a ring.
//!
//! Owns: the order of setting up and ending.
//! Does not own: jobs; which engine is used instead if there is no ring.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::config::UringConfig;
use super::core::Core;
use super::group_sync::GroupSync;
use super::jobs::{Feed, LocalJob};
use super::placement::PlacementCounts;
use super::pool::Pool;
use super::ring::driver::Driver;
use super::ring::park::{Park, Unparker};
use super::ring::setup::{self, RingParams, RingRefused};
use super::spare::Spare;
use super::task::TaskIo;
use crate::system::ring_broke;
use crate::system::room::cached_max;
use crate::system::shortage::Patience;
use crate::{Cancel, DirectoryCache};

/// Directories that a ring keeps open for its next jobs, at most.
const DIRECTORIES_MAX: usize = 16;

/// A ring, and the jobs on it. Belongs to the thread that made it.
///
/// ```
/// use haul_io::{Cancel, Feed, Io, Uring, UringConfig};
///
/// let Ok(uring) = Uring::new(UringConfig::default(), Cancel::new()?, Default::default()) else {
///     return Ok(()); // another engine does it
/// };
/// let mut names = ["/proc/self/status", "/proc/self/maps"].into_iter();
/// uring.run(|| {
///     let Some(name) = names.next() else { return Feed::End };
///     let io = uring.task();
///     Feed::Job(Box::pin(async move {
///         io.stat_at(None, name.as_ref()).await.expect("a process has them");
///     }))
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Uring {
    core: Rc<Core>,
    params: RingParams,
    park: Arc<Park>,
}

impl Uring {
    /// Sets up a ring for this thread, with as many of the optional flags as the kernel supports. `cancel` interrupts
    /// its operations; payload bytes are added to `progress` as jobs report them.
    ///
    /// # Errors
    /// Why no ring is available. The caller falls back to another engine.
    pub fn new(config: UringConfig, cancel: Cancel, progress: Arc<AtomicU64>) -> Result<Self, RingRefused> {
        let in_flight_max = config.in_flight_max.max(1);
        let (ring, params) = setup::ring(config.entries(), config.kernel_workers_max.max(1))?;
        let park = Arc::new(Park::new().map_err(|error| RingRefused::from(&error))?);
        let driver = Driver::new(ring, in_flight_max, cancel.clone(), park.clone());
        let now = Instant::now();
        let core = Core {
            driver: RefCell::new(driver),
            pool: Pool::new(config.pool_threads, park.clone(), cancel.clone()),
            cancel,
            progress,
            started: now,
            clock: Cell::new(now),
            placement_counts: Cell::default(),
            spare: RefCell::new(Spare::new(config.spare_bytes_max)),
            directory_cache: RefCell::new(DirectoryCache::new(cached_max(DIRECTORIES_MAX))),
            group_sync: GroupSync::default(),
            kernel_workers_refused: Cell::new(false),
            patience: Patience::default(),
            writes_by_pool: config.pool_threads > 0,
            in_flight_max,
            current: Cell::new(None),
            awaited: RefCell::new(vec![0; in_flight_max]),
        };
        Ok(Self { core: Rc::new(core), params, park })
    }

    /// The parameters that the kernel accepted.
    pub fn params(&self) -> RingParams {
        self.params
    }

    /// Where operations were carried out so far.
    pub fn placement_counts(&self) -> PlacementCounts {
        self.core.placement_counts.get()
    }

    /// Whether the kernel could not start a worker of its own, so that pool threads carried out what blocks.
    pub fn kernel_workers_refused(&self) -> bool {
        self.core.kernel_workers_refused.get()
    }

    /// Why the ring broke, if it did: the kernel refuses to enter it any more. Operations that it had begun have
    /// failed; pool threads carry out all others. The caller should give it no further jobs.
    pub fn failure(&self) -> Option<io::Error> {
        self.core.driver.borrow().failure().map(ring_broke)
    }

    /// How many threads the pool has, and why it could not start another; `None` if it always could.
    pub fn pool_thread_refused(&self) -> Option<(usize, io::Error)> {
        self.core.pool.take_refusal()
    }

    /// The operations of one job, with an account of their own.
    pub fn task(&self) -> TaskIo {
        TaskIo::new(self.core.clone())
    }

    /// A handle that wakes this ring from other threads.
    pub fn unparker(&self) -> Unparker {
        Unparker::new(&self.park)
    }

    /// Runs the jobs of `feed` until it returns [`Feed::End`] and all jobs have ended. Asks `feed` whenever there is
    /// room for a job, and sleeps in the kernel while nothing is complete.
    ///
    /// # Panics
    /// With the first panic of a job, after the other jobs have ended. A job that panics is dropped, and what it had
    /// in flight is cancelled. A job that awaits anything but its [`TaskIo`] panics.
    pub fn run<'a>(&self, feed: impl FnMut() -> Feed<LocalJob<'a>>) {
        self.core.run(feed);
    }
}

impl Drop for Uring {
    /// Cancels what is in flight, and waits until the kernel and the pool are done with it.
    fn drop(&mut self) {
        self.core.driver.borrow_mut().close();
        self.core.pool.close();
    }
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uring").field("params", &self.params).finish_non_exhaustive()
    }
}
