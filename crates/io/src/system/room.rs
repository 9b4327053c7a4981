//! What the limits of this process still leave room for.
//!
//! Owns: reading the limits and what is in use.
//! Does not own: raising limits (the program does), dividing the room (the engine does).
//!
//! Source: getrlimit(2), proc_pid_fd(5), proc_pid_statm(5).

use rustix::process::{Resource, getrlimit};

/// The room that is left; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Descriptors (RLIMIT_NOFILE).
    pub descriptors: Option<usize>,
    /// Bytes of address space (RLIMIT_AS).
    pub address_space: Option<usize>,
}

/// Taken to be in use where the system doesn't tell.
const DESCRIPTORS_DEFAULT: usize = 16;

impl Room {
    /// The room at this moment. Cost: up to four system calls, and one for every hundred open descriptors.
    pub fn left() -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.map(|limit| {
            let open = std::fs::read_dir("/proc/self/fd").map_or(DESCRIPTORS_DEFAULT, Iterator::count);
            usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(open)
        });
        let address_space = getrlimit(Resource::As).current.map(|limit| {
            usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(mapped_bytes().unwrap_or(0))
        });
        Self { descriptors, address_space }
    }
}

/// Each cache of descriptors keeps at most one of this many.
const DESCRIPTORS_PER_CACHED: u64 = 16;

/// `count_max`, or less under a low limit of descriptors, for a cache of open files. A run has several caches (of its
/// workers, their pool threads, the walk, the mirror), and each can only empty its own when descriptors are short, so
/// they must leave enough for each other. Cost: a system call.
pub(crate) fn cached_max(count_max: usize) -> usize {
    cached_max_of(count_max, getrlimit(Resource::Nofile).current)
}

fn cached_max_of(count_max: usize, limit: Option<u64>) -> usize {
    let share = limit.map_or(u64::MAX, |limit| limit / DESCRIPTORS_PER_CACHED);
    usize::try_from(share).unwrap_or(usize::MAX).clamp(1, count_max)
}

fn mapped_bytes() -> Option<usize> {
    let pages: usize = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').next()?.parse().ok()?;
    Some(pages * rustix::param::page_size())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_small_where_descriptors_are_few() {
        for (limit, of_ring, of_thread) in
            [(Some(4), 1, 1), (Some(32), 2, 2), (Some(64), 4, 4), (Some(128), 8, 4), (None, 16, 4)]
        {
            assert_eq!(
                (cached_max_of(16, limit), cached_max_of(4, limit)),
                (of_ring, of_thread),
                "{limit:?}"
            );
        }
    }
}
