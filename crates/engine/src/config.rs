//! The configuration of a run.
//!
//! Owns: the engine, the cancellation switch, the progress counter, when workers count as stalled, the observer of
//! pieces of work; the supervisor's poll interval.
//! Does not own: the configuration of a job.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use haul_io::Cancel;

use crate::choice::Engine;
use crate::job::piece::Trace;

/// How a run is carried out.
#[derive(Clone, Debug)]
pub struct Config {
    /// The engine. If the system refuses it, the run falls back to another ([`Fallback`](crate::Fallback)).
    pub engine: Engine,
    /// Cancels the run when triggered.
    pub cancel: Cancel,
    /// Payload bytes so far, counted while tasks are still running.
    pub progress: Arc<AtomicU64>,
    /// The time without progress after which a worker is reported ([`Event::Stalled`](crate::Event::Stalled)), in
    /// looks of 250 ms. Defaults to a minute.
    pub stalled_after: Duration,
    /// Whether a long run may change to another engine that turns out faster: a few threads more or fewer, threads
    /// instead of rings, or rings. From the third second on, others are tried for a second each; the report tells what
    /// was changed and what that gained ([`Report::changes`](crate::Report)). Not for engines of processes, nor for
    /// jobs that keep something between tasks on their worker. Defaults to false.
    pub adapts: bool,
    /// Observes every piece of work. None by default.
    pub trace: Option<Trace>,
}

impl Config {
    /// A run on `engine` that `cancel` cancels, with defaults for the rest.
    pub fn new(engine: Engine, cancel: Cancel) -> Self {
        let stalled_after = Duration::from_secs(60);
        Self { engine, cancel, progress: Arc::default(), stalled_after, adapts: false, trace: None }
    }
}

/// How much later, at most, the end of a task is reported, and a source that can't tell when it will have a task is
/// asked again.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = Config::new(Engine::Serial, Cancel::new().unwrap());
        assert_eq!((config.stalled_after, config.adapts), (Duration::from_secs(60), false));
        assert!(config.trace.is_none());
    }
}
