//! `--engine auto`: chooses an engine from the first tasks and the machine.
//!
//! Owns: what is examined, the rules, the reason in words; that many files may be worth another look later
//! ([`haul_engine::Config::adapts`]).
//! Does not own: engines. The rules follow the measurements in BENCHMARKS.md.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, IoSliceMut};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::task::Waker;
use std::time::Duration;

use haul_engine::{Again, Engine, Next, Source, TaskId};
use haul_io::{Cancel, Uring, UringConfig};
use haul_seal::Task;
use rustix::fs::OFlags;
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use super::engine_choice::EngineChoice;
use super::sync_cost::{self, SyncCost};
use crate::report::text::counted;

/// Tasks that are examined.
const TASKS_MAX: usize = 64;
/// Files that are probed for whether the page cache has them.
const PROBED_MAX: usize = 8;
/// A longer file is split into segments, which keep several workers busy.
const LARGE_BYTES: u64 = 4 << 20;
/// Threads that keep a disk busy without io_uring.
const WAITING_THREADS: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// The result of the examination.
#[derive(Clone, Copy, Debug)]
struct Survey {
    /// Tasks examined.
    tasks: usize,
    /// There may be more tasks.
    more: bool,
    /// Length of the largest file.
    bytes_max: u64,
    /// Most of the probed files have to be read from the disk.
    cold: bool,
    /// Results must be durable before they count, and go to a file system where that costs anything.
    durable: bool,
    cores: NonZeroUsize,
    /// Results go to an ext4 without a journal. Only examined if they must be durable.
    lacks_journal: bool,
    /// The system allows io_uring. Only probed if the run waits for a disk.
    ring: bool,
}

/// Chooses the engine for `tasks`. Returns a source that yields the same tasks.
pub(crate) fn choose(
    mut tasks: impl Source<Task> + 'static,
    durable: bool,
    cores: NonZeroUsize,
) -> (EngineChoice, impl Source<Task> + 'static) {
    let mut first = VecDeque::new();
    while first.len() < TASKS_MAX
        && let Next::Task(task) = tasks.next()
    {
        first.push_back(task);
    }
    let sources: Vec<&Path> = first.iter().map(Task::source).collect();
    let probed: Vec<bool> = sources.iter().take(PROBED_MAX).filter_map(|path| is_cold(path)).collect();
    let cold = 2 * probed.iter().filter(|cold| **cold).count() > probed.len();
    let sync_cost = first.iter().find_map(target).filter(|_| durable).map(sync_cost::of);
    let durable = durable && sync_cost != Some(SyncCost::Nothing);
    let survey = Survey {
        tasks: first.len(),
        more: first.len() == TASKS_MAX,
        bytes_max: sources.iter().filter_map(|path| Some(path.metadata().ok()?.len())).max().unwrap_or(0),
        cold,
        durable,
        cores,
        lacks_journal: sync_cost == Some(SyncCost::OwnWrite),
        // Creating a ring costs time, which pays only if the run waits for a disk.
        ring: (cold || durable) && ring_is_allowed(),
    };
    (survey.choose(), Peeked { first, rest: tasks })
}

/// The result of a task that has one.
fn target(task: &Task) -> Option<&Path> {
    match task {
        Task::File { target, .. } => Some(target),
        _ => None,
    }
}

/// A source whose first tasks were examined.
struct Peeked<S> {
    first: VecDeque<Task>,
    rest: S,
}

impl<S: Source<Task>> Source<Task> for Peeked<S> {
    fn next(&mut self) -> Next<Task> {
        self.first.pop_front().map_or_else(|| self.rest.next(), Next::Task)
    }

    fn set_waker(&mut self, waker: Waker) {
        self.rest.set_waker(waker);
    }

    fn ask_again_in(&mut self) -> Duration {
        self.rest.ask_again_in()
    }

    fn again(&mut self, id: TaskId, task: &Task) -> Again {
        self.rest.again(id, task)
    }

    fn ended(&mut self, task: &Task) {
        self.rest.ended(task);
    }
}

/// The engine for up to `jobs` concurrent transfers: a ring for each core, or a thread for each job if the system does
/// not allow io_uring.
pub(crate) fn for_transfers(jobs: usize, cores: NonZeroUsize) -> EngineChoice {
    transfers(jobs, rings(cores), format!("auto: {jobs} at once"))
}

/// The engine for one URL that is fetched in up to `segments` segments.
pub(crate) fn for_one_transfer(segments: usize, cores: NonZeroUsize) -> EngineChoice {
    match segments {
        1 => transfers(1, None, "auto: one URL".to_owned()),
        _ => transfers(segments, rings(cores), format!("auto: one URL, up to {segments} segments")),
    }
}

/// A ring for each core; `None` if the system does not allow io_uring.
fn rings(cores: NonZeroUsize) -> Option<NonZeroUsize> {
    ring_is_allowed().then_some(cores)
}

fn transfers(jobs: usize, rings: Option<NonZeroUsize>, reason: String) -> EngineChoice {
    let Some(jobs) = NonZeroUsize::new(jobs).filter(|jobs| jobs.get() > 1) else {
        return EngineChoice::fixed(Engine::Serial, reason);
    };
    let Some(rings) = rings.map(|rings| rings.min(jobs)) else {
        return EngineChoice::fixed(Engine::Threads(jobs), reason + ", no io_uring");
    };
    let depth = NonZeroUsize::new(jobs.get().div_ceil(rings.get())).unwrap_or(jobs);
    EngineChoice::fixed(Engine::Uring { rings, depth }, reason)
}

impl Survey {
    /// Whether threads do better than a ring although the run waits for a disk.
    fn prefers_threads(&self) -> bool {
        self.durable && self.lacks_journal && self.bytes_max <= LARGE_BYTES
    }

    fn choose(&self) -> EngineChoice {
        let waits = self.cold || self.durable;
        let alone = !self.more && self.tasks <= 1 && self.bytes_max <= LARGE_BYTES;
        let engine = match self.cores {
            _ if alone => Engine::Serial,
            // A sync writes the file at once, without waiting for a transaction that other syncs share. The ring hands
            // each to a thread of the kernel, which costs more than threads of one's own.
            _ if self.prefers_threads() => Engine::Threads(WAITING_THREADS),
            // Segments of large files are long enough to keep cores and disk busy.
            cores if waits && self.bytes_max <= LARGE_BYTES && self.ring => {
                Engine::Uring { rings: cores, depth: Engine::DEPTH_DEFAULT }
            }
            _ if waits && self.bytes_max <= LARGE_BYTES => Engine::Threads(WAITING_THREADS),
            NonZeroUsize::MIN => Engine::Serial,
            cores => Engine::Threads(cores),
        };
        let count = if self.more {
            format!("{} files or more", self.tasks)
        } else {
            counted(self.tasks as u64, "file", "files")
        };
        let state = match (self.cold, self.durable) {
            (false, false) => "in memory",
            (true, _) => "on disk",
            (false, true) => "to be durable",
        };
        let ring = match (self.prefers_threads() && !alone, waits && !self.ring) {
            (true, _) => {
                ", ext4 without a journal, where 16 threads were measured to sync 1.2 times as fast as a ring"
            }
            (false, true) => ", no io_uring",
            (false, false) => "",
        };
        let cores = counted(self.cores.get() as u64, "core", "cores");
        let reason = format!("auto: {count}, {state}, {cores}{ring}");
        EngineChoice { adapts: self.more, ..EngineChoice::fixed(engine, reason) }
    }
}

/// Whether the file's first byte has to be read from the disk; `None` if the kernel can't tell.
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
    fn check(survey: Survey, engine: &str, reason: &str) {
        let chosen = survey.choose();
        assert_eq!((chosen.engine.to_string().as_str(), chosen.reason.as_str()), (engine, reason));
    }

    #[test]
    fn the_rules() {
        let cores = NonZeroUsize::new(2).unwrap();
        let many = Survey {
            tasks: 64,
            more: true,
            bytes_max: 60_000,
            cold: false,
            durable: false,
            cores,
            lacks_journal: false,
            ring: true,
        };
        let unjournaled = Survey { durable: true, lacks_journal: true, ..many };
        let why =
            ", ext4 without a journal, where 16 threads were measured to sync 1.2 times as fast as a ring";
        let durable = "auto: 64 files or more, to be durable, 2 cores";
        check(unjournaled, "threads=16", &format!("{durable}{why}"));
        check(Survey { ring: false, ..unjournaled }, "threads=16", &format!("{durable}{why}"));
        let cold = "auto: 64 files or more, on disk, 2 cores";
        check(Survey { cold: true, ..unjournaled }, "threads=16", &format!("{cold}{why}"));
        check(Survey { bytes_max: 1 << 30, ..unjournaled }, "threads=2", durable);
        check(Survey { durable: false, cold: true, ..unjournaled }, "uring=2x64", cold);
        check(
            Survey { tasks: 1, more: false, ..unjournaled },
            "serial",
            "auto: 1 file, to be durable, 2 cores",
        );
        check(many, "threads=2", "auto: 64 files or more, in memory, 2 cores");
        check(Survey { cold: true, ..many }, "uring=2x64", "auto: 64 files or more, on disk, 2 cores");
        check(
            Survey { durable: true, ..many },
            "uring=2x64",
            "auto: 64 files or more, to be durable, 2 cores",
        );
        let refused = Survey { cold: true, ring: false, ..many };
        check(refused, "threads=16", "auto: 64 files or more, on disk, 2 cores, no io_uring");
        let one = Survey { tasks: 1, more: false, ..many };
        check(one, "serial", "auto: 1 file, in memory, 2 cores");
        check(Survey { cold: true, ..one }, "serial", "auto: 1 file, on disk, 2 cores");
        check(Survey { bytes_max: 1 << 30, ..one }, "threads=2", "auto: 1 file, in memory, 2 cores");
        check(
            Survey { bytes_max: 1 << 30, cold: true, ..many },
            "threads=2",
            "auto: 64 files or more, on disk, 2 cores",
        );
        let single = Survey { cores: NonZeroUsize::MIN, ..many };
        check(single, "serial", "auto: 64 files or more, in memory, 1 core");
        check(Survey { cold: true, ..single }, "uring=1x64", "auto: 64 files or more, on disk, 1 core");
        check(
            Survey { tasks: 0, more: false, bytes_max: 0, ..many },
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
    fn examined_tasks_come_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_owned();
        let path = move |index: usize| root.join(index.to_string());
        for index in 0..3 {
            std::fs::write(path(index), "in memory").unwrap();
        }
        let of = path.clone();
        let tasks = (0..100).map(move |index| Task::file(of(index), of(index + 1_000)));
        let (chosen, mut tasks) = choose(tasks, false, NonZeroUsize::MIN);
        assert!(chosen.reason.starts_with("auto: 64 files or more, in memory, "), "{}", chosen.reason);
        let mut sources = Vec::new();
        while let Next::Task(task) = tasks.next() {
            sources.push(task.source().to_owned());
        }
        assert_eq!(sources, (0..100).map(path).collect::<Vec<_>>());
    }
}
