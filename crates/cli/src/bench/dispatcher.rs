//! Measures the dispatcher, by which the threads of an engine get their work (flat combining): nanoseconds per task
//! that does nothing.
//!
//! Owns: the job, the engines that are compared.
//! Does not own: the dispatcher (the engine's).

use std::io;

use haul_engine::{Config, Engine, Job, Step, run};
use haul_io::{Cancel, Io};

/// The engines that are compared; the first has no dispatcher.
pub(super) const ENGINES: [&str; 5] = ["serial", "threads=1", "threads=2", "threads=4", "threads=8"];

/// A job that does nothing.
struct Nothing;

impl Job for Nothing {
    type Task = u64;
    type State = ();
    type Output = ();
    type Error = io::Error;

    async fn start<I: Io>(&self, _: &I, _: &u64) -> io::Result<Step<(), ()>> {
        Ok(Step::Done(()))
    }

    async fn part<I: Io>(&self, _: &I, _: &u64, (): &(), _: u64) -> io::Result<()> {
        Ok(())
    }

    async fn finish<I: Io>(&self, _: &I, _: &u64, (): &(), _: bool) -> io::Result<()> {
        Ok(())
    }

    fn is_cancelled(_: &io::Error) -> bool {
        false
    }
}

/// Nanoseconds per task.
///
/// # Errors
/// If the system refuses the engine a thread.
pub(super) fn measure(engine: Engine, tasks: u64) -> io::Result<f64> {
    let config = Config::new(engine, Cancel::new()?);
    let report = run(&Nothing, 0..tasks, &config, |_| {});
    if report.engine != Some(engine) || !report.shortages.is_empty() {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    assert_eq!(report.succeeded, tasks, "lost or doubled");
    Ok(report.wall.as_nanos() as f64 / tasks as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_does_every_task() {
        for engine in ENGINES {
            assert!(measure(engine.parse().unwrap(), 1_000).unwrap() > 0.0, "{engine}");
        }
    }
}
