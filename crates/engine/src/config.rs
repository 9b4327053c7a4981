//! What a run is told.
//!
//! Owns: engine, switch, progress counter; how long its supervisor naps.
//! Does not own: what the job is told.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use haul_io::Cancel;

use crate::choice::Engine;

/// How to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which engine.
    pub engine: Engine,
    /// Ends the run early when thrown.
    pub cancel: Cancel,
    /// Counts payload bytes while tasks are still running, for whoever watches.
    pub progress: Arc<AtomicU64>,
}

/// How long the supervisor sleeps at most: answers are told of that late, and a source that has nothing yet is asked that
/// rarely.
pub(crate) const NAP: Duration = Duration::from_millis(10);
