//! The state that the handles of one ring share.
//!
//! Owns: the parts and the clock.
//! Does not own: the loop ([`super::executor`]), operations of a job ([`super::in_flight`]).

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use super::group_sync::GroupSync;
use super::jobs::JobId;
use super::placement::PlacementCounts;
use super::pool::Pool;
use super::ring::driver::Driver;
use super::spare::Spare;
use crate::system::shortage::Patience;
use crate::{Cancel, DirectoryCache};

/// The state that the handles of one ring share.
pub(super) struct Core {
    pub(super) driver: RefCell<Driver>,
    pub(super) pool: Pool,
    pub(super) cancel: Cancel,
    pub(super) progress: Arc<AtomicU64>,
    pub(super) started: Instant,
    /// When the clock was last read: when the running job was polled, or at its last operation.
    pub(super) clock: Cell<Instant>,
    pub(super) placement_counts: Cell<PlacementCounts>,
    pub(super) spare: RefCell<Spare>,
    pub(super) directory_cache: RefCell<DirectoryCache>,
    pub(super) group_sync: GroupSync,
    /// Whether the kernel could not start a worker for an operation of this ring. From then on, pool threads carry out
    /// what may need one.
    pub(super) kernel_workers_refused: Cell<bool>,
    pub(super) patience: Patience,
    /// Whether the pool writes files that aren't synced.
    pub(super) writes_by_pool: bool,
    pub(super) in_flight_max: usize,
    pub(super) current: Cell<Option<JobId>>,
    /// The number of operations that each job awaits, by the job's index.
    pub(super) awaited: RefCell<Vec<usize>>,
}

impl Core {
    /// Has `jobs` polled although none of their operations completed.
    pub(super) fn wake(&self, jobs: impl IntoIterator<Item = JobId>) {
        let mut driver = self.driver.borrow_mut();
        jobs.into_iter().for_each(|job| driver.make_ready(job));
    }

    /// Whether the kernel refuses to enter the ring any more.
    pub(super) fn is_broken(&self) -> bool {
        self.driver.borrow().failure().is_some()
    }

    pub(super) fn read_clock(&self) -> Instant {
        let now = Instant::now();
        self.clock.set(now);
        now
    }
}
