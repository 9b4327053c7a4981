//! Engines of processes: every task ends once, even if its worker dies.
//!
//! Owns: worker processes that are killed, replies, restarts of killed attempts.
//! Does not own: engines in one process (`tests/it`).
//!
//! This program is its own worker command, so it has a `main` instead of the usual harness. It runs the cases below,
//! or with arguments those whose names contain one of them.

#![allow(clippy::print_stdout, clippy::exit, reason = "it is a program of its own")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use haul_engine::{Job, Portable, Step, wire, work};
use haul_io::Io;
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

mod deaths;
mod late;
mod observe;
mod panics;
mod stalls;
mod stand_ins;

use observe::{ENGINES, observe, this_program};

const WORKER: &str = "be-a-worker";
const MAIN_AGAIN: &str = "run-main-again";
/// The output of a task whose result was published by an earlier attempt.
const FOUND: u64 = 77;

/// A task that prescribes how it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Task {
    Succeed,
    Fail,
    Panic,
    /// Kills its worker at every attempt.
    Kill,
    /// If this file doesn't exist, creates it and kills its worker.
    KillOnce(#[serde(with = "wire::path")] PathBuf),
    /// Publishes this file, then kills its worker.
    PublishAndKill(#[serde(with = "wire::path")] PathBuf),
    /// Sleeps for an hour.
    Sleep,
    /// Is longer than the table's bound.
    Endless(String),
    Split {
        parts: u64,
    },
    SplitAndFail {
        parts: u64,
        bad: u64,
    },
    /// One part kills its worker.
    SplitAndKill {
        parts: u64,
        bad: u64,
    },
    FailToFinish {
        parts: u64,
    },
    /// Finishing kills its worker.
    KillAtTheEnd {
        parts: u64,
    },
    /// Starts again after its first attempt. Each part records the attempt whose state it was given.
    SplitTwice {
        parts: u64,
        #[serde(with = "wire::path")]
        record: PathBuf,
    },
    /// What its first attempts split can't be joined.
    LoseSplit {
        times: u64,
        #[serde(with = "wire::path")]
        record: PathBuf,
    },
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Refused;

/// A job whose state is a number, which the specification and every token must carry unchanged.
struct Script {
    secret: u64,
    /// In the supervising process: the number of parts that came back, and of tasks undone.
    seen: Mutex<(u64, u64)>,
}

fn die() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("killed")
}

impl Job for Script {
    type Task = Task;
    type State = u64;
    type Output = u64;
    type Error = Refused;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<u64, u64>, Refused> {
        io.progress(1);
        match task {
            Task::Succeed | Task::Endless(_) => Ok(Step::Done(self.secret)),
            Task::Fail => Err(Refused),
            Task::Panic => panic!("as prescribed"),
            Task::Sleep => {
                io.sleep(std::time::Duration::from_secs(3_600)).await.map_err(|_| Refused)?;
                Ok(Step::Done(1))
            }
            Task::Kill => die(),
            Task::KillOnce(path) if !path.exists() => {
                std::fs::write(path, "").unwrap();
                die()
            }
            Task::KillOnce(_) => Ok(Step::Done(1)),
            Task::PublishAndKill(path) => {
                let publish = plain(path);
                let staged = haul_io::Staged::create(io, &publish).await.unwrap();
                staged.publish(io, &publish).await.unwrap();
                die()
            }
            Task::Split { parts }
            | Task::SplitAndFail { parts, .. }
            | Task::SplitAndKill { parts, .. }
            | Task::FailToFinish { parts }
            | Task::KillAtTheEnd { parts } => Ok(Step::Split { state: Arc::new(self.secret), parts: *parts }),
            Task::LoseSplit { record, .. } => {
                std::fs::write(record.join(format!("attempt-{}", attempts_of(record) + 1)), "").unwrap();
                Ok(Step::Split { state: Arc::new(self.secret), parts: 2 })
            }
            Task::SplitTwice { parts, record } => {
                let attempt = attempts_of(record) + 1;
                std::fs::write(record.join(format!("attempt-{attempt}")), "").unwrap();
                Ok(Step::Split { state: Arc::new(attempt), parts: *parts })
            }
        }
    }

    async fn part<I: Io>(&self, io: &I, task: &Task, state: &u64, index: u64) -> Result<(), Refused> {
        io.progress(10);
        if let Task::SplitTwice { record, .. } = task {
            std::fs::write(record.join(format!("{index}-of-{state}")), "").unwrap();
            return Ok(());
        }
        assert_eq!(*state, self.secret);
        match *task {
            Task::SplitAndFail { bad, .. } if bad == index => Err(Refused),
            Task::SplitAndKill { bad, .. } if bad == index => die(),
            _ => Ok(()),
        }
    }

    async fn finish<I: Io>(&self, _: &I, task: &Task, state: &u64, succeeded: bool) -> Result<u64, Refused> {
        if !succeeded {
            self.seen.lock().unwrap().1 += 1;
        }
        match task {
            Task::FailToFinish { .. } => Err(Refused),
            Task::SplitTwice { .. } if *state == 1 => Err(Refused),
            Task::KillAtTheEnd { .. } if succeeded => die(),
            _ => Ok(self.secret + 1),
        }
    }

    fn starts_again(&self, task: &Task) -> bool {
        matches!(task, Task::SplitTwice { record, .. } if attempts_of(record) == 1)
    }

    fn is_cancelled(_: &Refused) -> bool {
        false
    }
}

/// How often the task that records in `record` was started.
fn attempts_of(record: &Path) -> u64 {
    (1..).take_while(|attempt| record.join(format!("attempt-{attempt}")).exists()).count() as u64
}

fn plain(path: &Path) -> haul_io::Publish {
    haul_io::Publish {
        path: path.to_owned(),
        root_bytes: Some(path.parent().unwrap().as_os_str().len()),
        existing: haul_io::Existing::Refuse,
        durability: haul_io::Durability::Eventual,
        preserve: Default::default(),
        sparse: false,
    }
}

impl Portable for Script {
    type JobSpec = u64;
    type Token = (u64, String);

    fn job_spec(&self, _: &mut dyn FnMut(&mut [u8])) -> u64 {
        self.secret
    }

    fn from_job_spec(secret: u64) -> Result<Self, String> {
        Ok(Self { secret, seen: Mutex::default() })
    }

    fn token(&self, state: &u64, _: &mut dyn FnMut(&mut [u8])) -> (u64, String) {
        (*state, "token".to_owned())
    }

    async fn join<I: Io>(&self, _: &I, task: &Task, (state, word): (u64, String)) -> Result<u64, Refused> {
        assert_eq!(word, "token");
        let is_worker = std::env::args().any(|word| word == WORKER);
        match task {
            Task::LoseSplit { times, record } if !is_worker && attempts_of(record) <= *times => Err(Refused),
            _ => Ok(state),
        }
    }

    async fn published<I: Io>(&self, _: &I, _: &Task) -> Result<u64, Refused> {
        Ok(FOUND)
    }

    fn part_returned(&self, _: &u64) {
        self.seen.lock().unwrap().0 += 1;
    }
}

fn every_task_ends_once() {
    for engine in ENGINES {
        let mut tasks = Vec::new();
        let mut expected = Vec::new();
        let mut parts = 0;
        for round in 0..60 {
            tasks.extend([Task::Succeed, Task::Fail, Task::Panic, Task::Split { parts: round % 9 + 1 }]);
            tasks.extend([Task::SplitAndFail { parts: 3, bad: 2 }, Task::FailToFinish { parts: 2 }]);
            let split = format!("4712 with {} bytes", 1 + 10 * (round % 9 + 1));
            expected.extend(["4711 with 1 bytes", "refused", "panicked as prescribed"].map(str::to_owned));
            expected.extend([split, "refused".to_owned(), "refused".to_owned()]);
            parts += round % 9 + 1 + 3 + 2;
        }
        let observed = observe(engine, &this_program(), &tasks);
        assert_eq!(observed.ends, expected, "{engine}");
        assert_eq!(observed.report.engine.unwrap().to_string(), engine);
        assert_eq!((observed.parts_back, observed.undone), (parts, 60 + 60), "{engine}");
        let pieces = observed.report.spreads.queue.count();
        assert_eq!(pieces, 60 * (3 + 2 + 2 + 2) + parts, "each piece of work is counted once");
    }
}

fn a_task_that_kills_is_given_up_and_the_run_goes_on() {
    for engine in ENGINES {
        let mut tasks = vec![Task::Succeed; 300];
        tasks[7] = Task::Kill;
        tasks[99] = Task::SplitAndKill { parts: 5, bad: 3 };
        tasks[200] = Task::KillAtTheEnd { parts: 2 };
        let observed = observe(engine, &this_program(), &tasks);
        for (index, end) in observed.ends.iter().enumerate() {
            let expected = if tasks[index] == Task::Succeed { "4711 with 1 bytes" } else { "3 died" };
            assert_eq!(end, expected, "{engine}, task {index}");
        }
        assert_eq!(observed.undone, 2, "{engine}: both split tasks");
    }
}

fn a_published_result_is_not_produced_again() {
    let dir = tempfile::tempdir().unwrap();
    for engine in ENGINES {
        let once = dir.path().join(format!("once-{engine}"));
        let published = dir.path().join(format!("published-{engine}"));
        let tasks =
            [Task::KillOnce(once), Task::Succeed, Task::PublishAndKill(published.clone()), Task::Succeed];
        let observed = observe(engine, &this_program(), &tasks);
        let done = "4711 with 1 bytes".to_owned();
        let found = format!("{FOUND} with 0 bytes");
        assert_eq!(observed.ends, ["1 with 1 bytes".to_owned(), done.clone(), found, done], "{engine}");
        assert!(published.exists());
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2 * ENGINES.len(), "nothing else is left");
}

fn each_attempt_has_its_own_state() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let task = Task::SplitTwice { parts: 200, record: dir.path().to_owned() };
        let observed = observe(engine, &this_program(), &[task]);
        assert_eq!(observed.ends, ["4712 with 4002 bytes"], "{engine}");
        for (attempt, index) in (1..=2).flat_map(|attempt| (0..200).map(move |index| (attempt, index))) {
            let done = dir.path().join(format!("{index}-of-{attempt}"));
            assert!(done.exists(), "{engine}: part {index} of attempt {attempt} was given another state");
        }
    }
}

fn a_split_that_is_lost_starts_anew_a_few_times() {
    for (times, end) in [(0, "4712 with 21 bytes"), (1, "4712 with 22 bytes"), (100, "refused")] {
        let dir = tempfile::tempdir().unwrap();
        let task = Task::LoseSplit { times, record: dir.path().to_owned() };
        let observed = observe("processes=2", &this_program(), &[task]);
        assert_eq!(observed.ends, [end], "{times} times");
    }
}

fn tasks_beyond_the_bounds_run_in_the_supervising_process() {
    let tasks = [Task::Succeed, Task::Endless("x".repeat(1 << 20)), Task::Succeed];
    let observed = observe("processes=2", &this_program(), &tasks);
    assert_eq!(observed.ends, ["4711 with 1 bytes"; 3]);
}

fn a_process_started_by_hand_is_no_worker() {
    let exe = std::env::current_exe().unwrap();
    let status = std::process::Command::new(exe).arg(WORKER).stdin(std::process::Stdio::null()).status();
    assert_eq!(status.unwrap().code(), Some(2));
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words == [WORKER] {
        std::panic::set_hook(Box::new(|_| ()));
        std::process::exit(if work::<Script>().is_ok() { 0 } else { 2 });
    }
    if words == [panics::WORKER] {
        std::panic::set_hook(Box::new(|_| ()));
        std::process::exit(if panics::work().is_ok() { 0 } else { 2 });
    }
    if words == [deaths::WORKER] {
        std::process::exit(if deaths::work().is_ok() { 0 } else { 2 });
    }
    if let [MAIN_AGAIN, record] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return stand_ins::run_main_again(record);
    }
    // Requests of the usual harness that have no answer here.
    if words.iter().any(|word| word == "--list" || word == "--ignored") {
        return;
    }
    let cases: [(&str, fn()); 17] = [
        ("every_task_ends_once", every_task_ends_once),
        (
            "a_task_that_kills_is_given_up_and_the_run_goes_on",
            a_task_that_kills_is_given_up_and_the_run_goes_on,
        ),
        ("a_published_result_is_not_produced_again", a_published_result_is_not_produced_again),
        ("each_attempt_has_its_own_state", each_attempt_has_its_own_state),
        ("a_split_that_is_lost_starts_anew_a_few_times", a_split_that_is_lost_starts_anew_a_few_times),
        (
            "tasks_beyond_the_bounds_run_in_the_supervising_process",
            tasks_beyond_the_bounds_run_in_the_supervising_process,
        ),
        (
            "threads_stand_in_for_workers_that_always_die",
            stand_ins::threads_stand_in_for_workers_that_always_die,
        ),
        (
            "threads_stand_in_for_workers_that_never_begin",
            stand_ins::threads_stand_in_for_workers_that_never_begin,
        ),
        (
            "a_program_whose_workers_run_main_again_is_refused",
            stand_ins::a_program_whose_workers_run_main_again_is_refused,
        ),
        ("too_many_processes_are_refused", stand_ins::too_many_processes_are_refused),
        (
            "threads_replace_processes_that_cannot_be_started",
            stand_ins::threads_replace_processes_that_cannot_be_started,
        ),
        (
            "a_coordinator_without_tasks_sleeps_until_it_is_woken",
            late::a_coordinator_without_tasks_sleeps_until_it_is_woken,
        ),
        (
            "a_process_without_progress_is_reported_once_with_its_task",
            stalls::a_process_without_progress_is_reported_once_with_its_task,
        ),
        ("only_the_guilty_task_is_given_up", deaths::only_the_guilty_task_is_given_up),
        ("a_panic_fails_its_task_only", panics::a_panic_fails_its_task_only),
        (
            "a_panic_of_the_callback_undoes_what_was_begun",
            panics::a_panic_of_the_callback_undoes_what_was_begun,
        ),
        ("a_process_started_by_hand_is_no_worker", a_process_started_by_hand_is_no_worker),
    ];
    let filters: Vec<_> = words.iter().filter(|word| !word.starts_with('-')).collect();
    for (name, case) in cases {
        if filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str())) {
            case();
            println!("test {name} ... ok");
        }
    }
}
