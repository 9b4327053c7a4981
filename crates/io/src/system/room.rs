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

fn mapped_bytes() -> Option<usize> {
    let pages: usize = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').next()?.parse().ok()?;
    Some(pages * rustix::param::page_size())
}
