//! The configuration of a ring.
//!
//! Owns: the bounds, their defaults and the memory that they add up to.
//! Does not own: setting up the ring ([`super::ring::setup`]).

use io_uring::{cqueue, squeue};

use super::jobs::LocalJob;
use super::ring::pending::REQUEST_BYTES;
use super::ring::setup::COMPLETIONS_PER_ENTRY;

/// The bounds of a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UringConfig {
    /// Jobs in flight, at most; at the limit no more are asked for. Defaults to 64.
    pub in_flight_max: usize,
    /// Threads that resolve names and write whole files without syncing them, at most; excess work waits. Threads are
    /// started when there is work for them. With 0, files are written step by step on the ring's thread, which suits
    /// one ring per core, and names get one thread. Defaults to the number of cores.
    pub pool_threads: usize,
    /// Threads that the kernel may start for the ring, at most; excess operations wait. Defaults to 32.
    pub kernel_workers_max: u32,
    /// Bytes of buffers kept for later jobs; beyond it, the oldest are freed. Defaults to 16 MiB.
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
    /// The bytes that a ring itself takes, at most: queues, slots, spare buffers. The allocations of its jobs and the
    /// stacks of its threads come on top.
    pub fn memory_bytes_max(&self) -> usize {
        let queues = self.entries() as usize
            * (size_of::<squeue::Entry>() + COMPLETIONS_PER_ENTRY as usize * size_of::<cqueue::Entry>());
        // A slot with its entries in the slab's two lists, a timer, and a job with its count and its entry in the
        // ready list. A job in the middle of a connection race has a slot for each attempt.
        const BOOKKEEPING_BYTES: usize = 128;
        let per_job = REQUEST_BYTES + size_of::<LocalJob<'_>>() + BOOKKEEPING_BYTES;
        queues + self.in_flight_max * per_job + self.spare_bytes_max
    }

    /// The number of submission entries to ask for: one for each job, within the bounds of a ring.
    pub(super) fn entries(&self) -> u32 {
        u32::try_from(self.in_flight_max).unwrap_or(u32::MAX).clamp(8, 4_096)
    }
}
