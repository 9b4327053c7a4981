//! [`Io`](crate::Io) by io_uring: one thread, one ring, many jobs in flight.
//!
//! ```text
//!   job ── op ──► placement ──► inline: a system call that doesn't wait
//!    ▲                     ├──► ring: a slot, an entry, a completion
//!    │                     ├──► pool: a thread, a list, a wake-up
//!    │                     └──► timer
//!    └──────── executor: polls a job when what it awaits is complete
//! ```
//!
//! A receive is armed for one arrival and writes into the job's own buffer. Arming it for many, with buffers that the kernel
//! picks, was measured (`examples/ring`): 1 to 3 % less processor time for short responses, 7 % more for long ones, which it
//! has to copy. It would also tie a socket to its ring, hold connections open that a job has dropped, and hide bytes on idle ones.
//!
//! Owns: the configuration, the handle, the order of setting up and ending.
//! Does not own: jobs; which engine falls back to what when there is no ring.
//!
//! Source: io_uring(7).

mod connect;
mod core;
mod directory_sync;
mod executor;
mod group_sync;
mod in_flight;
mod jobs;
mod placement;
mod pool;
mod ring;
mod spare;
mod task;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use io_uring::{cqueue, squeue};

pub use self::jobs::{Feed, LocalJob};
pub use self::placement::{Placement, PlacementCounts};
pub use self::ring::park::Unparker;
pub use self::ring::setup::{Refusal, RingParams, RingRefused};
pub use self::task::TaskIo;

use self::core::Core;
use self::group_sync::GroupSync;
use self::pool::Pool;
use self::ring::driver::{self, Driver};
use self::ring::park::Park;
use self::ring::setup;
use self::spare::Spare;
use crate::{Cancel, DirectoryCache};

/// Directories that a ring keeps open for its next jobs, at most.
const DIRECTORIES_MAX: usize = 16;

/// How a ring is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UringConfig {
    /// Jobs in flight at most; when so many are, no more are asked for. Defaults to 64.
    pub in_flight_max: usize,
    /// Threads that resolve names and write whole files which needn't be synced, at most; more work than threads waits. With 0,
    /// files are written step by step on the ring's thread, as suits a ring for each core, and names get one thread. Threads
    /// are started when there is work for them. Defaults to the number of cores.
    pub pool_threads: usize,
    /// Threads that the kernel may start for the ring, at most; more operations than threads wait. Defaults to 32.
    pub kernel_workers_max: u32,
    /// Bytes of buffers kept for later jobs; above, the oldest are freed. Defaults to 16 MiB.
    pub spare_bytes_max: usize,
}

impl Default for UringConfig {
    fn default() -> Self {
        Self {
            in_flight_max: 64,
            pool_threads: std::thread::available_parallelism().map_or(1, usize::from),
            kernel_workers_max: 32,
            spare_bytes_max: 16 << 20,
        }
    }
}

impl UringConfig {
    /// Bytes that a ring takes at most for itself: queues, slots, spare buffers. Besides, there is what its jobs
    /// allocate, and the stacks of its threads.
    pub fn memory_bytes_max(&self) -> usize {
        let queues = self.entries() as usize
            * (size_of::<squeue::Entry>()
                + setup::COMPLETIONS_PER_ENTRY as usize * size_of::<cqueue::Entry>());
        // A slot with its place in the list and among the free, a timer, and a job with its count and its turn. A job with
        // a race of connection attempts has a slot for each until it is won.
        const PLACES_BYTES: usize = 128;
        let per_job = driver::SLOT_BYTES + size_of::<LocalJob<'_>>() + PLACES_BYTES;
        queues + self.in_flight_max * per_job + self.spare_bytes_max
    }

    /// Submission entries that are asked for: one operation of each job, and what stands armed.
    fn entries(&self) -> u32 {
        u32::try_from(self.in_flight_max).unwrap_or(u32::MAX).clamp(8, 4_096)
    }
}

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
    /// A ring of this thread's, with as many of the wanted flags as the kernel knows. `cancel` interrupts its operations;
    /// payload bytes are added to `progress` as jobs report them.
    ///
    /// # Errors
    /// Why no ring is to be had: the caller takes another engine.
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
            directory_cache: RefCell::new(DirectoryCache::new(DIRECTORIES_MAX)),
            group_sync: GroupSync::default(),
            writes_by_pool: config.pool_threads > 0,
            in_flight_max,
            current: Cell::new(None),
            awaited: RefCell::new(vec![0; in_flight_max]),
        };
        Ok(Self { core: Rc::new(core), params, park })
    }

    /// What the kernel params.
    pub fn params(&self) -> RingParams {
        self.params
    }

    /// Where operations were carried out so far.
    pub fn placement_counts(&self) -> PlacementCounts {
        self.core.placement_counts.get()
    }

    /// Operations for one job, with an account of their own.
    pub fn task(&self) -> TaskIo {
        TaskIo::new(self.core.clone())
    }

    /// What wakes this ring from other threads.
    pub fn unparker(&self) -> Unparker {
        Unparker::new(&self.park)
    }

    /// Runs the jobs that `feed` gives until it says [`Feed::End`] and all have ended. Asks it whenever there is room;
    /// sleeps in the kernel while nothing is complete.
    ///
    /// # Panics
    /// With the first panic of a job, after the others have ended: a job that panics is dropped and what it had in flight is
    /// cancelled. A job that awaits anything but its [`TaskIo`] panics.
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
