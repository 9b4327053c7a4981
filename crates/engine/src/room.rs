//! How many jobs the limits of the process leave room for at once.
//!
//! Owns: what a job and a worker may need at most, cutting an engine down to the room.
//! Does not own: the limits ([`haul_io::Room`]).

use std::num::NonZeroUsize;

use haul_io::Room;

use crate::choice::Engine;

/// Descriptors of a job: source and result, each with its directory, or a socket and a file; a directory to be synced.
const JOB_DESCRIPTORS: usize = 5;
/// Descriptors of a ring: itself, its wake-up, directories that it keeps for the next jobs. It closes those first if
/// descriptors are short.
const RING_DESCRIPTORS: usize = 6;
/// Descriptors for everything else: the source of tasks, lists, records.
const OTHER_DESCRIPTORS: usize = 16;
/// Address space of a job: its buffers.
const JOB_BYTES: usize = 8 << 20;
/// Address space of a thread: its stack.
const THREAD_BYTES: usize = 4 << 20;

/// `engine` as far as `room` goes, and why it is cut down, if it is.
pub(crate) fn fitting(engine: Engine, room: Room) -> (Engine, Option<String>) {
    let cut = cut_down(engine, room);
    if cut == engine {
        return (engine, None);
    }
    let descriptors =
        room.descriptors.filter(|_| cut_down(engine, Room { address_space: None, ..room }) == cut);
    let left = match descriptors {
        Some(count) => format!("{count} descriptors are left"),
        None => format!("{} MiB of address space are left", room.address_space.unwrap_or(0) >> 20),
    };
    let jobs = cut.in_flight_max();
    (cut, Some(format!("{left} for {jobs} {} at once", if jobs == 1 { "job" } else { "jobs" })))
}

fn cut_down(engine: Engine, room: Room) -> Engine {
    match engine {
        Engine::Threads(count) => Engine::Threads(fitting_threads(count, room)),
        Engine::Uring { rings, depth } => {
            // As many rings as leave room for one job on each.
            let per_ring = |rings: usize| jobs_max(room, rings, 0) / rings;
            let count = (1..=rings.get()).rev().find(|rings| per_ring(*rings) > 0).unwrap_or(1);
            let depth = at_least_one(depth.get().min(per_ring(count)));
            Engine::Uring { rings: at_least_one(count), depth }
        }
        other => other,
    }
}

/// As many of `count` threads as `room` goes for, at least one.
pub(crate) fn fitting_threads(count: NonZeroUsize, room: Room) -> NonZeroUsize {
    at_least_one(count.get().min(jobs_max(room, 0, THREAD_BYTES)))
}

/// The number of jobs that there is room for beside `rings` rings, each job with `job_extra_bytes` of its own.
fn jobs_max(room: Room, rings: usize, job_extra_bytes: usize) -> usize {
    let by_descriptors = room.descriptors.map_or(usize::MAX, |count| {
        count.saturating_sub(OTHER_DESCRIPTORS + rings * RING_DESCRIPTORS) / JOB_DESCRIPTORS
    });
    let by_bytes = room.address_space.map_or(usize::MAX, |bytes| {
        // Half of it is for what jobs share: spare buffers, keys, lists.
        (bytes / 2).saturating_sub(rings * THREAD_BYTES) / (JOB_BYTES + job_extra_bytes)
    });
    by_descriptors.min(by_bytes)
}

fn at_least_one(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_cut_down_to_the_room() {
        let descriptors = |count| Room { descriptors: Some(count), address_space: None };
        let memory = |mib: usize| Room { descriptors: None, address_space: Some(mib << 20) };
        for (engine, room, expected, reason) in [
            ("threads=512", Room::default(), "threads=512", None),
            ("threads=8", descriptors(1_016), "threads=8", None),
            (
                "threads=512",
                descriptors(1_016),
                "threads=200",
                Some("1016 descriptors are left for 200 jobs at once"),
            ),
            ("threads=64", descriptors(54), "threads=7", Some("54 descriptors are left for 7 jobs at once")),
            ("threads=64", descriptors(4), "threads=1", Some("4 descriptors are left for 1 job at once")),
            (
                "uring=8x64",
                descriptors(1_016),
                "uring=8x23",
                Some("1016 descriptors are left for 184 jobs at once"),
            ),
            ("uring=2x64", descriptors(54), "uring=2x2", Some("54 descriptors are left for 4 jobs at once")),
            ("uring=4x64", descriptors(40), "uring=2x1", Some("40 descriptors are left for 2 jobs at once")),
            ("uring=2x64", descriptors(0), "uring=1x1", Some("0 descriptors are left for 1 job at once")),
            (
                "threads=64",
                memory(480),
                "threads=20",
                Some("480 MiB of address space are left for 20 jobs at once"),
            ),
            (
                "uring=1x64",
                memory(136),
                "uring=1x8",
                Some("136 MiB of address space are left for 8 jobs at once"),
            ),
            ("serial", descriptors(3), "serial", None),
        ] {
            let (cut, why) = fitting(engine.parse().unwrap(), room);
            assert_eq!((cut.to_string().as_str(), why.as_deref()), (expected, reason), "{engine} {room:?}");
        }
    }
}
