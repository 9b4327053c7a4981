//! The engine of a run, with the reason for it.
//!
//! Owns: the pair, the engine's configuration.
//! Does not own: the rules of `--engine auto` ([`super::probe`]).

use std::num::NonZeroUsize;

use haul_engine::{Config, Engine};
use haul_io::Cancel;

/// Threads for tasks that mostly wait.
const WAITING_THREADS: NonZeroUsize = NonZeroUsize::new(16).expect("not zero");

/// An engine, and why it was chosen.
#[derive(Clone, Debug)]
pub(crate) struct EngineChoice {
    pub(crate) engine: Engine,
    pub(crate) reason: String,
}

impl EngineChoice {
    /// The engine that the user named.
    pub(crate) fn as_asked(engine: Engine) -> Self {
        Self { engine, reason: "as asked".to_owned() }
    }

    /// Enough threads for tasks that mostly wait for something else than this machine.
    pub(crate) fn waiting(reason: &str, cores: NonZeroUsize) -> Self {
        Self { engine: Engine::Threads(cores.max(WAITING_THREADS)), reason: reason.to_owned() }
    }

    pub(crate) fn config(&self, cancel: Cancel) -> Config {
        Config::new(self.engine, cancel)
    }
}
