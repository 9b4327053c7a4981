//! The configuration of a ring.
//!
//! Owns: the bounds, their defaults and the memory that they add up to.
//! Does not own: setting up the ring ([`super::ring::setup`]).

use io_uring::{cqueue, squeue};

use super::jobs::LocalJob;
use super::ring::setup::COMPLETIONS_PER_ENTRY;
use super::ring::slot::SLOT_BYTES;

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
            * (size_of::<squeue::Entry>() + COMPLETIONS_PER_ENTRY as usize * size_of::<cqueue::Entry>());
        // A slot with its place in the list and among the free, a timer, and a job with its count and its turn. A job with
        // a race of connection attempts has a slot for each until it is won.
        const PLACES_BYTES: usize = 128;
        let per_job = SLOT_BYTES + size_of::<LocalJob<'_>>() + PLACES_BYTES;
        queues + self.in_flight_max * per_job + self.spare_bytes_max
    }

    /// Submission entries that are asked for: one operation of each job, and what stands armed.
    pub(super) fn entries(&self) -> u32 {
        u32::try_from(self.in_flight_max).unwrap_or(u32::MAX).clamp(8, 4_096)
    }
}
