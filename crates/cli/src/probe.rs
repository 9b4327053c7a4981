//! `--engine auto`: looks at the first tasks and at the machine, and chooses.
//!
//! Owns: what is looked at, the rules, the words that say why.
//! Does not own: engines. The rules follow BENCHMARKS.md.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, IoSliceMut};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use haul_engine::{Again, Engine, Next, Source, TaskId};
use haul_io::{Cancel, Uring, UringConfig};
use haul_seal::Task;
use rustix::fs::OFlags;
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::plan::Chosen;
use crate::voice::counted;

/// How many tasks are looked at.
const TASKS_MAX: usize = 64;
/// On how many files is tried whether they are in memory.
const TRIED_MAX: usize = 8;
/// A file that is split into segments by itself keeps several workers busy.
const LARGE_BYTES: u64 = 4 << 20;
/// Threads that keep a disk busy where there is no ring.
const WAITING_THREADS: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// What was seen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Tasks looked at.
    tasks: usize,
    /// Whether there may be more.
    more: bool,
    /// Of the largest file.
    bytes_max: u64,
    /// Most of what was tried has to be read from the disk.
    cold: bool,
    /// Results must be on the disk before they count.
    durable: bool,
    cores: NonZeroUsize,
    /// Whether the system gives rings. Not looked at where nothing is waited for.
    ring: bool,
}

/// The engine for `tasks`, of which some are taken and given back in front of the others.
pub(crate) fn choose(mut tasks: impl Source<Task>, durable: bool) -> (Chosen, impl Source<Task>) {
    let mut first = VecDeque::new();
    while first.len() < TASKS_MAX
        && let Next::Task(task) = tasks.next()
    {
        first.push_back(task);
    }
    let sources: Vec<&Path> = first.iter().map(Task::source).collect();
    let tried: Vec<bool> = sources.iter().take(TRIED_MAX).filter_map(|path| is_cold(path)).collect();
    let cold = 2 * tried.iter().filter(|cold| **cold).count() > tried.len();
    let seen = Seen {
        tasks: first.len(),
        more: first.len() == TASKS_MAX,
        bytes_max: sources.iter().filter_map(|path| Some(path.metadata().ok()?.len())).max().unwrap_or(0),
        cold,
        durable,
        cores: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        // Making a ring to see costs time, and is in vain where nothing is waited for.
        ring: (cold || durable) && ring_is_allowed(),
    };
    (seen.choose(), LookedAt { first, rest: tasks })
}

/// A source whose first tasks were taken from it.
struct LookedAt<S> {
    first: VecDeque<Task>,
    rest: S,
}

impl<S: Source<Task>> Source<Task> for LookedAt<S> {
    fn next(&mut self) -> Next<Task> {
        self.first.pop_front().map_or_else(|| self.rest.next(), Next::Task)
    }

    fn again(&mut self, id: TaskId, task: &Task) -> Again {
        self.rest.again(id, task)
    }

    fn ended(&mut self, task: &Task) {
        self.rest.ended(task);
    }
}

/// The engine for transfers, of which `jobs` may run at once: a ring for each core, or as many threads as jobs where the system
/// gives no rings.
pub(crate) fn for_transfers(jobs: usize) -> Chosen {
    transfers(jobs, rings(), format!("auto: {jobs} at once"))
}

/// The engine for one URL, which may be fetched in so many segments.
pub(crate) fn for_one_transfer(segments: usize) -> Chosen {
    match segments {
        1 => transfers(1, None, "auto: one URL".to_owned()),
        _ => transfers(segments, rings(), format!("auto: one URL, up to {segments} segments")),
    }
}

/// How many rings are worthwhile; `None` where the system gives none.
fn rings() -> Option<NonZeroUsize> {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    ring_is_allowed().then_some(cores)
}

fn transfers(jobs: usize, rings: Option<NonZeroUsize>, reason: String) -> Chosen {
    let Some(jobs) = NonZeroUsize::new(jobs).filter(|jobs| jobs.get() > 1) else {
        return Chosen { engine: Engine::Serial, reason };
    };
    let Some(rings) = rings.map(|rings| rings.min(jobs)) else {
        return Chosen { engine: Engine::Threads(jobs), reason: reason + ", no io_uring" };
    };
    let depth = NonZeroUsize::new(jobs.get().div_ceil(rings.get())).unwrap_or(jobs);
    Chosen { engine: Engine::Uring { rings, depth }, reason }
}

impl Seen {
    fn choose(&self) -> Chosen {
        let waits = self.cold || self.durable;
        let alone = !self.more && self.tasks <= 1 && self.bytes_max <= LARGE_BYTES;
        let engine = match self.cores {
            _ if alone => Engine::Serial,
            // Large files are split, and their segments are long enough to keep cores and disk busy.
            cores if waits && self.bytes_max <= LARGE_BYTES => match self.ring {
                true => Engine::Uring { rings: cores, depth: Engine::DEPTH_DEFAULT },
                false => Engine::Threads(WAITING_THREADS),
            },
            NonZeroUsize::MIN => Engine::Serial,
            cores => Engine::Threads(cores),
        };
        let count = match self.more {
            true => format!("{} files or more", self.tasks),
            false => counted(self.tasks as u64, "file", "files"),
        };
        let state = match (self.cold, self.durable) {
            (false, false) => "in memory",
            (true, _) => "on disk",
            (false, true) => "to be durable",
        };
        let ring = if waits && !self.ring { ", no io_uring" } else { "" };
        let cores = counted(self.cores.get() as u64, "core", "cores");
        Chosen { engine, reason: format!("auto: {count}, {state}, {cores}{ring}") }
    }
}

/// Whether the file's first byte has to be read from the disk; `None` where that can't be told.
fn is_cold(path: &Path) -> Option<bool> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = File::options().read(true).custom_flags(i32::try_from(flags).ok()?).open(path).ok()?;
    let mut byte = [0; 1];
    match preadv2(&file, &mut [IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT) {
        Ok(_) => Some(false),
        Err(Errno::AGAIN) => Some(true),
        Err(_) => None,
    }
}

fn ring_is_allowed() -> bool {
    let try_one = || {
        let smallest = UringConfig { in_flight_max: 1, pool_threads: 0, ..UringConfig::default() };
        Uring::new(smallest, Cancel::new()?, Default::default()).map_err(|_| ErrorKind::Unsupported.into())
    };
    let ring: std::io::Result<Uring> = try_one();
    ring.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seen: Seen, engine: &str, reason: &str) {
        let chosen = seen.choose();
        assert_eq!((chosen.engine.to_string().as_str(), chosen.reason.as_str()), (engine, reason));
    }

    #[test]
    fn the_rules() {
        let cores = NonZeroUsize::new(2).unwrap();
        let many =
            Seen { tasks: 64, more: true, bytes_max: 60_000, cold: false, durable: false, cores, ring: true };
        check(many, "threads=2", "auto: 64 files or more, in memory, 2 cores");
        check(Seen { cold: true, ..many }, "uring=2x64", "auto: 64 files or more, on disk, 2 cores");
        check(Seen { durable: true, ..many }, "uring=2x64", "auto: 64 files or more, to be durable, 2 cores");
        let refused = Seen { cold: true, ring: false, ..many };
        check(refused, "threads=16", "auto: 64 files or more, on disk, 2 cores, no io_uring");
        let one = Seen { tasks: 1, more: false, ..many };
        check(one, "serial", "auto: 1 file, in memory, 2 cores");
        check(Seen { cold: true, ..one }, "serial", "auto: 1 file, on disk, 2 cores");
        check(Seen { bytes_max: 1 << 30, ..one }, "threads=2", "auto: 1 file, in memory, 2 cores");
        check(
            Seen { bytes_max: 1 << 30, cold: true, ..many },
            "threads=2",
            "auto: 64 files or more, on disk, 2 cores",
        );
        let single = Seen { cores: NonZeroUsize::MIN, ..many };
        check(single, "serial", "auto: 64 files or more, in memory, 1 core");
        check(Seen { cold: true, ..single }, "uring=1x64", "auto: 64 files or more, on disk, 1 core");
        check(
            Seen { tasks: 0, more: false, bytes_max: 0, ..many },
            "serial",
            "auto: 0 files, in memory, 2 cores",
        );
    }

    #[test]
    fn transfers_are_spread_over_rings() {
        let check = |jobs: usize, rings: usize, engine: &str, reason: &str| {
            let chosen = transfers(jobs, NonZeroUsize::new(rings), "auto: why".to_owned());
            assert_eq!((chosen.engine.to_string().as_str(), chosen.reason.as_str()), (engine, reason));
        };
        check(64, 2, "uring=2x32", "auto: why");
        check(5, 2, "uring=2x3", "auto: why");
        check(4, 16, "uring=4x1", "auto: why");
        check(1, 2, "serial", "auto: why");
        check(64, 0, "threads=64", "auto: why, no io_uring");
    }

    #[test]
    fn what_was_looked_at_is_given_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = |index: usize| dir.path().join(index.to_string());
        for index in 0..3 {
            std::fs::write(path(index), "in memory").unwrap();
        }
        let tasks = (0..100).map(|index| Task::file(path(index), path(index + 1_000)));
        let (chosen, mut tasks) = choose(tasks, false);
        assert!(chosen.reason.starts_with("auto: 64 files or more, in memory, "), "{}", chosen.reason);
        let mut sources = Vec::new();
        while let Next::Task(task) = tasks.next() {
            sources.push(task.source().to_owned());
        }
        assert_eq!(sources, (0..100).map(path).collect::<Vec<_>>());
    }
}
