//! Killed workers, a killed program and interruptions: on every engine, every file stays whole.
//!
//! The job is `haul xor`, because its result shows how often a file was transformed: after two times, it looks
//! untouched.

#![allow(clippy::print_stdout, reason = "long tests say what they found")]

mod as_serial;
mod hang;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use haul_testkit::{Haul, Tree, Watched, files_below, seeded_bytes, skip};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use serde_json::Value;
use tempfile::TempDir;

const ENGINES: [&str; 5] = ["serial", "threads=3", "processes=3", "hybrid=2x2", "uring=2x8"];

/// A tree to transform, and its original content.
struct Fixture {
    dir: TempDir,
    haul: Haul,
    key: Vec<u8>,
    plain: BTreeMap<PathBuf, Vec<u8>>,
}

/// The outcomes that a run reported, by file name.
#[derive(Default)]
struct Outcomes {
    done: BTreeSet<PathBuf>,
    failed: BTreeMap<PathBuf, String>,
    longest_pause: Duration,
}

impl Fixture {
    fn new(seed: u64, files: usize, large_bytes: &[usize]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("work");
        Tree::seeded(seed).files(files).sizes(1..=4_000).depth(2).write(&work).unwrap();
        for (index, bytes) in large_bytes.iter().enumerate() {
            std::fs::write(work.join(format!("large{index}")), seeded_bytes(seed + 1, *bytes)).unwrap();
        }
        let key = seeded_bytes(seed + 2, 333);
        std::fs::write(dir.path().join("key"), &key).unwrap();
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path()).timeout(Duration::from_secs(600));
        let plain = contents(&work);
        Self { dir, haul, key, plain }
    }

    /// Has haul name workers that make no progress for so many seconds.
    fn naming_workers_after(self, seconds: &str) -> Self {
        Self { haul: self.haul.env("HAUL_TEST_STALLED_AFTER", seconds), ..self }
    }

    fn start(&self, engine: &str, options: &[&str]) -> Watched {
        let args = ["xor", "--json", "-q", "-e", engine, "--key-file", "key"];
        self.haul.watch(args.iter().chain(options).chain(&["work"]))
    }

    /// Checks that the files in `transformed` were transformed once, that all others but those in `except` are
    /// unchanged, and that no other file exists.
    #[track_caller]
    fn check(&self, transformed: &BTreeSet<PathBuf>, except: &BTreeSet<PathBuf>) {
        let now = contents(&self.dir.path().join("work"));
        let names: Vec<_> = now.keys().collect();
        assert_eq!(names, self.plain.keys().collect::<Vec<_>>(), "the same names");
        for (path, plain) in self.plain.iter().filter(|(path, _)| !except.contains(*path)) {
            let expected = if transformed.contains(path) {
                plain.iter().zip(self.key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
            } else {
                plain.clone()
            };
            assert!(now[path] == expected, "{path:?}, transformed: {}", transformed.contains(path));
        }
    }

    fn all(&self) -> BTreeSet<PathBuf> {
        self.plain.keys().cloned().collect()
    }
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: PathBuf| (path.clone(), std::fs::read(dir.join(path)).unwrap());
    files_below(dir).unwrap().into_iter().map(read).collect()
}

/// Reads events to the end, or until `each` returns false. `each` is called with the number of finished tasks.
fn follow(watched: &mut Watched, mut each: impl FnMut(&Watched, usize) -> bool) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let mut last = Instant::now();
    while let Some(line) = watched.next_line() {
        outcomes.longest_pause = outcomes.longest_pause.max(last.elapsed());
        last = Instant::now();
        let event: Value = serde_json::from_str(&line).unwrap();
        let path = || PathBuf::from(event["subject"].as_str().unwrap().strip_prefix("work/").unwrap());
        let first_time = match event["event"].as_str().unwrap() {
            "done" => outcomes.done.insert(path()),
            "failed" => outcomes.failed.insert(path(), event["error"].as_str().unwrap().to_owned()).is_none(),
            _ => continue,
        };
        assert!(first_time, "{:?} ended twice", path());
        if !each(watched, outcomes.done.len() + outcomes.failed.len()) {
            break;
        }
    }
    outcomes
}

/// How many tasks end from one kill to the next, at least: kills in a row would hit the same task.
const ENDED_BETWEEN_KILLS: usize = 10;

/// Kills a worker after every few files. By chance, a file may reach the limit of worker deaths; it is then unchanged.
fn survives_kills(engine: &str, seed: u64, files: usize, kills: usize, large_bytes: &[usize]) -> Outcomes {
    let fixture = Fixture::new(seed, files, large_bytes);
    let choices = seeded_bytes(seed, kills);
    let mut watched = fixture.start(engine, &["--durable", "never"]);
    let (mut killed, mut ended_since) = (0, 0);
    let outcomes = follow(&mut watched, |watched, ended| {
        ended_since += usize::from(watched.is_past_kill());
        let due = ended * kills / files;
        let is_time = due > killed && killed < kills && ended_since >= ENDED_BETWEEN_KILLS;
        if is_time && watched.kill_worker(usize::from(choices[killed])) {
            (killed, ended_since) = (killed + 1, 0);
        }
        true
    });
    let (status, stderr) = watched.finish();
    assert!(killed * 10 >= kills * 9, "{killed} of {kills} kills");
    assert_eq!(outcomes.done.len() + outcomes.failed.len(), fixture.plain.len(), "{stderr}");
    assert!(
        outcomes.failed.values().all(|error| error.contains("worker processes died over it")),
        "{stderr}"
    );
    // A task that two workers died over runs alone, so a third kill in a row is sure to hit it.
    assert!(outcomes.failed.len() * 25 <= kills, "{stderr}");
    assert_eq!(status, i32::from(!outcomes.failed.is_empty()), "{stderr}");
    fixture.check(&outcomes.done, &BTreeSet::new());
    outcomes
}

#[test]
fn killed_workers_cost_nothing() {
    survives_kills("processes=3", 11, 1_000, 25, &[1_500_000, 9_000_001]);
    survives_kills("hybrid=2x3", 12, 1_000, 25, &[1_500_000, 9_000_001]);
}

#[test]
#[ignore = "soak: five hundred kills over twenty thousand files"]
fn five_hundred_killed_workers_cost_nothing() {
    for engine in ["processes=4", "hybrid=2x4"] {
        let outcomes = survives_kills(engine, 13, 20_000, 500, &[]);
        let (failed, pause) = (outcomes.failed.len(), outcomes.longest_pause);
        println!("{engine}: {failed} given up after three deaths, longest pause {pause:?}");
        assert!(pause < Duration::from_secs(1));
    }
}

#[test]
fn workers_follow_their_supervisor_and_the_next_run_clears_up() {
    for engine in ["processes=3", "hybrid=2x2"] {
        let fixture = Fixture::new(21, 60, &[30_000_000, 30_000_000]);
        let mut watched = fixture.start(engine, &["--durable", "never"]);
        let mut workers = Vec::new();
        let outcomes = follow(&mut watched, |watched, ended| {
            workers = watched.workers();
            ended < 5
        });
        assert!(workers.len() >= 2, "{engine}");
        let pidfds: Vec<_> =
            workers.iter().filter_map(|pid| pidfd_open(*pid, PidfdFlags::empty()).ok()).collect();
        watched.kill();
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        for pidfd in &pidfds {
            let gone = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&second));
            assert_eq!(gone, Ok(1), "{engine}: a worker outlives its supervisor");
        }
        watched.finish();
        let work = fixture.dir.path().join("work");
        let (left, mut before) = (files_below(&work).unwrap(), contents(&work));
        before.retain(|path, _| fixture.plain.contains_key(path));
        assert_eq!(before.len(), fixture.plain.len(), "every file is there");
        let transformed = before.iter().filter(|(path, now)| fixture.plain[*path] != **now);
        let transformed: BTreeSet<_> = transformed.map(|(path, _)| path.clone()).collect();
        assert!(outcomes.done.is_subset(&transformed), "what was reported done is done");
        // The next run restores what was transformed, and transforms the rest.
        let (status, stderr) = fixture.start(engine, &[]).finish();
        assert_eq!(status, 0, "{stderr}");
        let rest: BTreeSet<_> = fixture.all().difference(&transformed).cloned().collect();
        fixture.check(&rest, &BTreeSet::new());
        assert!(left.len() >= fixture.plain.len());
    }
}

#[test]
fn leftovers_are_removed_unless_they_are_locked() {
    let fixture = Fixture::new(31, 3, &[]);
    let work = fixture.dir.path().join("work");
    let (left, held) = (work.join(".haul-0123456789abcdef.tmp"), work.join(".haul-fedcba9876543210.tmp"));
    std::fs::write(&left, "left").unwrap();
    let holder = std::fs::File::create(&held).unwrap();
    rustix::fs::flock(&holder, rustix::fs::FlockOperation::LockShared).unwrap();
    let run = |args: &[&str]| fixture.haul.run(args.iter().chain(&["work"])).expect_status(0);
    run(&["xor", "--dry-run", "--key-file", "key"]);
    assert!(left.exists(), "a dry run does nothing");
    run(&["xor", "--key-file", "key"]);
    assert!(!left.exists() && held.exists());
    drop(holder);
    run(&["xor", "--key-file", "key"]);
    assert!(!held.exists());
    // The same in a mirror.
    let mirror = fixture.dir.path().join("mirror");
    std::fs::create_dir(&mirror).unwrap();
    std::fs::write(mirror.join(".haul-0123456789abcdef.tmp"), "left").unwrap();
    let recipient = fixture.haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    run(&["seal", "-o", "mirror", "-r", recipient.trim()]);
    assert_eq!(files_below(&mirror).unwrap().len(), 3);
}

#[test]
fn an_interruption_leaves_whole_files_on_every_engine() {
    for (seed, engine) in ENGINES.into_iter().enumerate() {
        for after in [1, 20, 90] {
            let fixture = Fixture::new(40 + seed as u64, 120, &[1_500_000, 20_000_000]);
            let mut watched = fixture.start(engine, &["--durable", "never"]);
            let outcomes = follow(&mut watched, |watched, ended| {
                if ended == after {
                    watched.interrupt();
                }
                true
            });
            let (status, stderr) = watched.finish();
            let all_done = outcomes.done.len() == fixture.plain.len();
            assert!(status == 130 || all_done && status == 0, "{engine}, {after}: {status} {stderr}");
            assert!(outcomes.failed.values().all(|error| error == "interrupted"), "{engine}: {stderr}");
            fixture.check(&outcomes.done, &BTreeSet::new());
        }
    }
}

#[test]
fn a_hangup_ends_a_run_as_a_termination_does() {
    for engine in ["serial", "threads=2", "uring=1x8", "processes=2", "hybrid=2x2"] {
        for signal in [Signal::TERM, Signal::HUP] {
            let fixture = Fixture::new(47, 120, &[1_500_000, 20_000_000]);
            let mut watched = fixture.start(engine, &["--durable", "never"]);
            let outcomes = follow(&mut watched, |watched, ended| {
                if ended == 20 {
                    watched.signal(signal);
                }
                true
            });
            let (status, stderr) = watched.finish();
            let all_done = outcomes.done.len() == fixture.plain.len();
            assert!(status == 130 || all_done && status == 0, "{engine}, {signal:?}: {status} {stderr}");
            fixture.check(&outcomes.done, &BTreeSet::new());
        }
    }
}

/// The state of a process, as in the third field of its `stat`.
fn state_of(pid: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn a_stopped_run_stops_its_workers_and_goes_on_with_them() {
    for engine in ["processes=2", "hybrid=2x2"] {
        let fixture = Fixture::new(48, 40, &[40_000_000, 40_000_000]);
        let mut watched = fixture.start(engine, &["--durable", "never"]);
        let (mut checked, mut named) = (false, 0);
        follow(&mut watched, |watched, ended| {
            if ended == 3 {
                watched.signal(Signal::TSTP);
                while state_of(watched.pid()) != Some('T') {
                    std::thread::yield_now();
                }
                // The signals have been sent; a worker stops when it next leaves a system call.
                let workers = watched.workers();
                for worker in &workers {
                    while !matches!(state_of(*worker), Some('T' | 'Z') | None) {
                        std::thread::yield_now();
                    }
                    // One that is only just starting, or has ended, has no such name.
                    let name = std::fs::read_to_string(format!("/proc/{}/comm", worker.as_raw_nonzero()));
                    named += usize::from(name.is_ok_and(|name| name.trim() == "haul-worker"));
                }
                checked = !workers.is_empty();
                watched.signal(Signal::CONT);
            }
            true
        });
        let (status, stderr) = watched.finish();
        assert_eq!((status, checked, named > 0), (0, true, true), "{engine}: {stderr}");
        fixture.check(&fixture.all(), &BTreeSet::new());
    }
}

#[test]
fn files_damaged_by_an_interrupted_overwrite_are_reported() {
    for (seed, engine) in ENGINES.into_iter().enumerate() {
        let fixture = Fixture::new(60 + seed as u64, 30, &[40_000_000, 40_000_000]);
        let mut watched = fixture.start(engine, &["--overwrite"]);
        let outcomes = follow(&mut watched, |watched, ended| {
            if ended == 5 {
                watched.interrupt();
            }
            true
        });
        let (status, stderr) = watched.finish();
        let damaged = outcomes.failed.iter().filter(|(_, error)| error.contains("damaged"));
        let damaged = damaged.map(|(path, _)| path.clone()).collect();
        fixture.check(&outcomes.done, &damaged);
        let all_done = outcomes.done.len() == fixture.plain.len();
        assert!(status == 130 || all_done && status == 0, "{engine}: {status} {stderr}");
    }
}

#[test]
fn a_worker_killed_while_overwriting_damages_only_reported_files() {
    for (seed, engine) in ["processes=3", "hybrid=2x2"].into_iter().enumerate() {
        let fixture = Fixture::new(70 + seed as u64, 200, &[20_000_000, 20_000_000]);
        let mut watched = fixture.start(engine, &["--overwrite"]);
        let mut kills = 0;
        let outcomes = follow(&mut watched, |watched, ended| {
            if ended % 40 == 1 && watched.kill_worker(ended) {
                kills += 1;
            }
            true
        });
        let (status, stderr) = watched.finish();
        assert!(kills > 0);
        assert!(outcomes.failed.values().all(|error| error.contains("damaged")), "{stderr}");
        assert_eq!(outcomes.done.len() + outcomes.failed.len(), fixture.plain.len());
        let damaged = outcomes.failed.keys().cloned().collect();
        fixture.check(&outcomes.done, &damaged);
        assert_eq!(status, if outcomes.failed.is_empty() { 0 } else { 4 }, "{stderr}");
    }
}

#[test]
fn a_source_is_there_until_its_result_is_though_workers_are_killed() {
    for (seed, engine) in ["processes=3", "hybrid=2x2"].into_iter().enumerate() {
        let fixture = Fixture::new(90 + seed as u64, 300, &[1_500_000, 9_000_000]);
        let recipient = fixture.haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
        let args = ["seal", "--replace", "--json", "-q", "-e", engine, "-r", recipient.trim(), "work"];
        let mut watched = fixture.haul.watch(args);
        let mut kills = 0;
        let outcomes = follow(&mut watched, |watched, ended| {
            if ended % 20 == 1 && watched.kill_worker(ended) {
                kills += 1;
            }
            true
        });
        let (status, stderr) = watched.finish();
        assert!(kills > 5, "{stderr}");
        assert_eq!(outcomes.done.len() + outcomes.failed.len(), fixture.plain.len());
        assert_eq!(status, i32::from(!outcomes.failed.is_empty()), "{stderr}");
        // A file that was given up after three deaths has its source, its result, or both.
        fixture.haul.run(["open", "-q", "-i", "key.txt", "-o", "opened", "work"]).expect_status(0);
        let (left, opened) =
            (contents(&fixture.dir.path().join("work")), contents(&fixture.dir.path().join("opened")));
        for (path, plain) in &fixture.plain {
            assert!(
                outcomes.done.contains(path) != left.contains_key(path) || outcomes.failed.contains_key(path),
                "{path:?}"
            );
            assert!(left.get(path).or(opened.get(path)) == Some(plain), "{path:?}");
        }
        assert!(left.keys().all(|path| !haul_io::is_temporary(path.file_name().unwrap())));
    }
}

#[test]
fn links_and_undurable_results_keep_their_sources() {
    let fixture = Fixture::new(95, 1, &[]);
    let recipient = fixture.haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    let recipient = recipient.trim();
    std::os::unix::fs::symlink("key", fixture.dir.path().join("link")).unwrap();
    fixture.haul.run(["seal", "--replace", "-r", recipient, "link"]).expect_status(1);
    assert!(fixture.dir.path().join("key").exists() && fixture.dir.path().join("link").exists());
    fixture.haul.run(["seal", "--replace", "--durable", "never", "-r", recipient, "key"]).expect_status(2);
    fixture.haul.run(["seal", "--replace", "-r", recipient, "key"]).expect_status(0);
    assert!(!fixture.dir.path().join("key").exists());
    fixture.haul.run(["open", "--replace", "-i", "key.txt", "key.age"]).expect_status(0);
    assert_eq!(std::fs::read(fixture.dir.path().join("key")).unwrap(), fixture.key);
    assert!(!fixture.dir.path().join("key.age").exists());
}
