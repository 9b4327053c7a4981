//! Threads stand in where worker processes can't do the work.
//!
//! Owns: programs that are no workers, that can't be started, or that would start the run again; too many workers.
//! Does not own: deaths of workers that work (`main.rs`, `deaths.rs`).

use std::path::Path;
use std::sync::Mutex;

use haul_engine::{Config, Engine, WorkerCommand, run_portable};
use haul_io::Cancel;

use crate::observe::{ENGINES, observe, this_program};
use crate::{MAIN_AGAIN, Script, Task};

pub(crate) fn threads_stand_in_for_workers_that_always_die() {
    let command =
        WorkerCommand { program: "/bin/false".into(), arguments: Vec::new(), workers: Default::default() };
    for engine in ENGINES {
        let mut tasks = vec![Task::Succeed, Task::Split { parts: 2 }, Task::Fail];
        tasks.extend(std::iter::repeat_n(Task::Succeed, 1_000));
        let observed = observe(engine, &command, &tasks);
        assert_eq!(observed.ends[..3], ["4711 with 1 bytes", "4712 with 21 bytes", "refused"], "{engine}");
        assert_eq!((observed.report.succeeded, observed.report.failed), (1_002, 1), "{engine}");
        let fallback = observed.report.fallback.unwrap();
        assert_eq!(fallback.reason, "the worker processes died before they did any work");
        assert_eq!(fallback.asked.to_string(), engine);
    }
}

pub(crate) fn threads_stand_in_for_workers_that_never_begin() {
    let command = WorkerCommand {
        program: "/bin/sleep".into(),
        arguments: vec!["1000".into()],
        workers: Default::default(),
    };
    let observed = observe("processes=2", &command, &[Task::Succeed, Task::Split { parts: 2 }]);
    assert_eq!(observed.ends, ["4711 with 1 bytes", "4712 with 21 bytes"]);
    let fallback = observed.report.fallback.unwrap();
    assert_eq!(fallback.reason, "the worker processes died before they did any work");
}

/// Its workers run `main` again, which starts the same run.
pub(crate) fn run_main_again(record: &str) {
    std::panic::set_hook(Box::new(|_| ()));
    let parent = rustix::process::getppid().unwrap().as_raw_nonzero();
    std::fs::write(Path::new(record).join(parent.to_string()), "").unwrap();
    observe("processes=2", &WorkerCommand::this_program([MAIN_AGAIN, record]), &[Task::Succeed]);
}

pub(crate) fn a_program_whose_workers_run_main_again_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let record = dir.path().to_str().unwrap();
    let command = WorkerCommand::this_program([MAIN_AGAIN, record]);
    let observed = observe("processes=2", &command, &[Task::Succeed]);
    assert_eq!(observed.ends, ["4711 with 1 bytes"], "threads stand in");
    let parents: Vec<_> =
        std::fs::read_dir(record).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(parents, [std::ffi::OsString::from(std::process::id().to_string())], "no worker started any");
}

pub(crate) fn too_many_processes_are_refused() {
    let count = |count| std::num::NonZeroUsize::new(count).unwrap();
    for engine in [
        Engine::Processes(count(70_000)),
        Engine::Hybrid { processes: count(2), threads: count(300) },
        Engine::Hybrid { processes: count(usize::MAX), threads: count(2) },
    ] {
        let config = Config::new(engine, Cancel::new().unwrap());
        config.cancel.trigger();
        let job = Script { secret: 1, seen: Mutex::default() };
        let report = run_portable(&job, std::iter::empty(), &config, &this_program(), |_| {});
        assert_eq!(report.fallback.unwrap().reason, "more than 512 threads over all processes");
    }
}

pub(crate) fn threads_replace_processes_that_cannot_be_started() {
    let command = WorkerCommand {
        program: "/nonexistent/worker".into(),
        arguments: Vec::new(),
        workers: Default::default(),
    };
    let observed = observe("hybrid=2x3", &command, &[Task::Succeed]);
    assert_eq!(observed.ends, ["4711 with 1 bytes"]);
    let fallback = observed.report.fallback.unwrap();
    assert_eq!(fallback.reason, "no worker process: No such file or directory");
    assert_eq!(observed.report.engine.unwrap().to_string(), "threads=6");
}
