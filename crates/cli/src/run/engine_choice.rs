//! The engine of a run, with the reason for it.
//!
//! Owns: the pair, the engine's configuration.
//! Does not own: the rules of `--engine auto` ([`super::probe`]).

use haul_engine::{Config, Engine};
use haul_io::Cancel;

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

    pub(crate) fn config(&self, cancel: Cancel) -> Config {
        Config::new(self.engine, cancel)
    }
}
