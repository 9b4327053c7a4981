//! The configuration of a run.
//!
//! Owns: the engine, the cancellation switch, the progress counter; the supervisor's poll interval.
//! Does not own: the configuration of a job.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use haul_io::Cancel;

use crate::choice::Engine;

/// How a run is carried out.
#[derive(Clone, Debug)]
pub struct Config {
    /// The engine. If the system refuses it, the run falls back to another ([`Fallback`](crate::Fallback)).
    pub engine: Engine,
    /// Cancels the run when triggered.
    pub cancel: Cancel,
    /// Payload bytes so far, counted while tasks are still running.
    pub progress: Arc<AtomicU64>,
}

impl Config {
    /// A run on as many threads as there are cores, until `cancel` is triggered.
    pub fn new(cancel: Cancel) -> Self {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { engine: Engine::Threads(cores), cancel, progress: Arc::default() }
    }
}

/// How much later, at most, the end of a task is reported, and a source that can't tell when it will have a task is
/// asked again.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(10);
