//! The descriptors that this process may have.
//!
//! Owns: raising the soft limit, which is low for the sake of old programs; dividing what there is.
//! Does not own: waiting when they are short (the library that fetches does).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Where that isn't allowed, the soft limit stays.
pub(crate) fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// How many connections may stay open while they are idle: a quarter of all descriptors, at most `wanted`.
pub(crate) fn idle_connections_max(wanted: usize) -> usize {
    idle_of(getrlimit(Resource::Nofile).current, wanted)
}

/// As [`idle_connections_max`], under this limit; `None` is no limit.
fn idle_of(limit: Option<u64>, wanted: usize) -> usize {
    limit.map_or(wanted, |limit| wanted.min(usize::try_from(limit / 4).unwrap_or(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_connections_leave_descriptors_for_active_ones() {
        for (limit, wanted, idle) in
            [(None, 256, 256), (Some(1_024), 256, 256), (Some(80), 256, 20), (Some(3), 256, 0)]
        {
            assert_eq!(idle_of(limit, wanted), idle, "{limit:?}");
        }
    }
}
