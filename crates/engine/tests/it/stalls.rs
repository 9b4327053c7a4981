//! Workers that make no progress are reported, with their task.
//!
//! Owns: the engines of threads and rings.
//! Does not own: how looks are counted (`src/stall.rs`), worker processes (`tests/processes/stalls.rs`).

use std::time::Duration;

use haul_engine::{Config, Event, Failure, Job, StalledWorker, Step, run};
use haul_io::{Cancel, Io};

const HOUR: Duration = Duration::from_secs(3_600);

/// A task sleeps for an hour or is done at once.
struct Sleeping;

impl Job for Sleeping {
    type Task = bool;
    type State = ();
    type Output = ();
    type Error = std::io::Error;

    async fn start<I: Io>(&self, io: &I, sleeps: &bool) -> std::io::Result<Step<(), ()>> {
        if *sleeps {
            io.sleep(HOUR).await?;
        }
        Ok(Step::Done(()))
    }

    async fn part<I: Io>(&self, _: &I, _: &bool, (): &(), _: u64) -> std::io::Result<()> {
        unreachable!("nothing is split")
    }

    async fn finish<I: Io>(&self, _: &I, _: &bool, (): &(), _: bool) -> std::io::Result<()> {
        unreachable!("nothing is split")
    }

    fn is_cancelled(error: &std::io::Error) -> bool {
        haul_io::is_cancelled(error)
    }
}

#[test]
fn a_thread_without_progress_is_reported_once_with_its_task() {
    for engine in ["threads=1", "threads=3", "uring=1x4", "uring=2x2"] {
        let cancel = Cancel::new().unwrap();
        let stalled_after = Duration::from_millis(500);
        let config = Config { stalled_after, ..Config::new(engine.parse().unwrap(), cancel.clone()) };
        let tasks = [false, true, false].into_iter();
        let mut cancelled = Vec::new();
        let report = run(&Sleeping, tasks, &config, |event| match event {
            Event::Stalled(stall) => {
                assert_eq!((stall.id.0, *stall.task, stall.time), (1, true, stalled_after), "{engine}");
                let StalledWorker::Thread(thread) = stall.worker else {
                    panic!("{engine}: {}", stall.worker)
                };
                assert!(std::path::Path::new(&format!("/proc/self/task/{thread}")).exists(), "{engine}");
                // The report doesn't change what the worker does.
                cancel.trigger();
            }
            Event::Settled(settled) if matches!(settled.outcome, Err(Failure::Cancelled)) => {
                cancelled.push(settled.id.0);
            }
            _ => {}
        });
        assert_eq!((report.stalls, report.failed), (1, 0), "{engine}");
        assert!(cancelled.contains(&1), "{engine}: {cancelled:?}");
    }
}
