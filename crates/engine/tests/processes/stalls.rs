//! Worker processes that make no progress are reported, with their task.
//!
//! Owns: the engines of processes.
//! Does not own: how looks are counted (`src/stall.rs`).

use std::sync::Mutex;
use std::time::Duration;

use haul_engine::{Config, Event, StalledWorker, run_portable};
use haul_io::Cancel;

use crate::observe::this_program;
use crate::{Script, Task};

pub(crate) fn a_process_without_progress_is_reported_once_with_its_task() {
    for engine in ["processes=1", "processes=2", "hybrid=2x2"] {
        let cancel = Cancel::new().unwrap();
        let stalled_after = Duration::from_millis(500);
        let config = Config { stalled_after, ..Config::new(engine.parse().unwrap(), cancel.clone()) };
        let job = Script { secret: 1, seen: Mutex::default() };
        let tasks = [Task::Succeed, Task::Sleep, Task::Succeed].into_iter();
        let report = run_portable(&job, tasks, &config, &this_program(), |event| {
            let Event::Stalled(stall) = event else { return };
            assert_eq!((stall.id.0, &*stall.task, stall.time), (1, &Task::Sleep, stalled_after), "{engine}");
            let StalledWorker::Process(process) = stall.worker else { panic!("{engine}: {}", stall.worker) };
            let parent = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
            let parent = parent.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
            assert_eq!(parent, Some(std::process::id().to_string().as_str()), "{engine}");
            // The report doesn't change what the worker does.
            cancel.trigger();
        });
        assert_eq!((report.stalls, report.cancelled), (1, true), "{engine}");
    }
}
