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
//! Owns: the configuration, the handle, the order of setting up and ending.
//! Does not own: jobs; which engine falls back to what when there is no ring.
//!
//! Source: io_uring(7).

// The kernel reads and writes memory that only this module knows of; each block argues why it stays.
#![allow(unsafe_code)]

mod connect;
mod driver;
mod executor;
mod jobs;
mod park;
mod placement;
mod pool;
#[cfg(test)]
mod quarantine;
mod request;
mod setup;
mod slab;
mod task;
mod timers;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use crate::Cancel;
use driver::Driver;
use executor::Core;
pub use jobs::{Feed, LocalJob};
use park::Park;
pub use park::Unparker;
pub use placement::{Place, Placed};
use pool::Pool;
pub use setup::{Granted, Refusal, RingRefused};
pub use task::TaskIo;

/// How a ring is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UringConfig {
    /// Jobs in flight at most; when so many are, no more are asked for. Defaults to 64.
    pub in_flight_max: usize,
    /// Threads for what would block the ring, at most; more work than threads waits. Defaults to the number of cores.
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
    /// Submission entries that are asked for: one operation of each job, and what stands armed.
    fn entries(&self) -> u32 {
        u32::try_from(self.in_flight_max).unwrap_or(u32::MAX).clamp(8, 4_096)
    }
}

/// A ring, and the jobs on it. Belongs to the thread that made it.
pub struct Uring {
    core: Rc<Core>,
    granted: Granted,
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
        let (ring, granted) = setup::ring(config.entries(), config.kernel_workers_max.max(1))?;
        let park = Arc::new(Park::new().map_err(|error| RingRefused::from(&error))?);
        let driver = Driver::new(ring, in_flight_max, cancel.clone(), park.clone());
        let core = Core {
            driver: RefCell::new(driver),
            pool: Pool::new(config.pool_threads, park.clone(), cancel.clone()),
            cancel,
            progress,
            started: Instant::now(),
            placed: Cell::default(),
            spare: RefCell::default(),
            spare_bytes_max: config.spare_bytes_max,
            in_flight_max,
            current: Cell::new(None),
            awaited: RefCell::new(vec![0; in_flight_max]),
        };
        Ok(Self { core: Rc::new(core), granted, park })
    }

    /// What the kernel granted.
    pub fn granted(&self) -> Granted {
        self.granted
    }

    /// Where operations were carried out so far.
    pub fn placed(&self) -> Placed {
        self.core.placed.get()
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
        f.debug_struct("Uring").field("granted", &self.granted).finish_non_exhaustive()
    }
}
