//! The options that every command that runs tasks shares, resolved.
//!
//! Owns: the engine that was asked for, whether the progress line is shown.
//! Does not own: `--engine auto` ([`super::probe`]), the grammar of the options.

use haul_engine::Engine;

use super::environment::Environment;
use crate::args::{CommonArgs, ProgressArg};
use crate::report::reporter::ReportOptions;

/// How a run is done and reported.
#[derive(Clone, Debug)]
pub(crate) struct RunOptions {
    /// The engine that was asked for; `None` is `auto`.
    pub(crate) engine: Option<Engine>,
    /// Whether the progress line is shown.
    pub(crate) progress: bool,
    pub(crate) report: ReportOptions,
    /// Whether `-v` was given.
    pub(crate) verbose: bool,
}

impl RunOptions {
    pub(crate) fn resolve(args: &CommonArgs, environment: &Environment) -> Self {
        let report = ReportOptions {
            stats: args.stats,
            json: args.json,
            fail_fast: args.fail_fast,
            cores: environment.cores,
        };
        let progress = match args.progress {
            ProgressArg::Auto => environment.stderr_is_terminal,
            ProgressArg::Always => true,
            ProgressArg::Never => false,
        };
        Self { engine: args.engine.engine, progress, report, verbose: args.verbose > 0 }
    }
}
