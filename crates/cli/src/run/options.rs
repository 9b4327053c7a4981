//! The options that every command that runs tasks shares, resolved.
//!
//! Owns: the engine that was asked for, how the progress is shown.
//! Does not own: `--engine auto` ([`super::probe`]), the grammar of the options.

use std::path::PathBuf;
use std::time::Duration;

use haul_engine::Engine;

use super::environment::Environment;
use crate::args::{CommonArgs, ProgressArg};
use crate::report::progress::ProgressForm;
use crate::report::reporter::ReportOptions;
use crate::stores::variables::StoreVariables;

/// How a run is done and reported.
#[derive(Clone, Debug)]
pub(crate) struct RunOptions {
    /// The engine that was asked for; `None` is `auto`.
    pub(crate) engine: Option<Engine>,
    /// How the progress is shown.
    pub(crate) progress: ProgressForm,
    pub(crate) report: ReportOptions,
    /// Whether `-v` was given.
    pub(crate) verbose: bool,
    /// The file that says when each worker did what.
    pub(crate) trace: Option<PathBuf>,
    /// The time without progress after which a worker is reported, if it isn't the engine's default.
    pub(crate) stalled_after: Option<Duration>,
    /// The store of addresses that begin with `s3://`.
    pub(crate) stores: StoreVariables,
}

impl RunOptions {
    pub(crate) fn resolve(args: &CommonArgs, environment: &Environment) -> Self {
        let report = ReportOptions {
            stats: args.stats,
            json: args.json,
            fail_fast: args.fail_fast,
            cores: environment.cores,
        };
        let progress = progress_form(args.progress, args.quiet > 0, environment);
        let stores = StoreVariables::resolve(environment);
        Self {
            engine: args.engine.engine,
            progress,
            report,
            verbose: args.verbose > 0,
            trace: args.trace.clone(),
            stalled_after: environment.stalled_after(),
            stores,
        }
    }
}

/// How the progress is shown. `-q` hides it, unless it is wanted always.
pub(crate) fn progress_form(wanted: ProgressArg, is_quiet: bool, environment: &Environment) -> ProgressForm {
    let is_shown = match wanted {
        ProgressArg::Auto => environment.stderr_is_terminal && !is_quiet,
        ProgressArg::Always => true,
        ProgressArg::Never => false,
    };
    let can_move_cursor =
        environment.stderr_is_terminal && environment.text("TERM").is_some_and(|term| term != "dumb");
    match (is_shown, can_move_cursor) {
        (false, _) => ProgressForm::Hidden,
        (true, true) => ProgressForm::InPlace,
        (true, false) => ProgressForm::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_progress_follows_the_terminal() {
        use ProgressArg::{Always, Auto, Never};
        use ProgressForm::{Hidden, InPlace, Plain};
        for (wanted, is_quiet, is_terminal, term, form) in [
            (Auto, false, true, "xterm", InPlace),
            (Auto, false, true, "dumb", Plain),
            (Auto, true, true, "xterm", Hidden),
            (Auto, false, false, "xterm", Hidden),
            (Always, true, true, "xterm", InPlace),
            (Always, false, true, "dumb", Plain),
            (Always, false, false, "xterm", Plain),
            (Never, false, true, "xterm", Hidden),
        ] {
            let mut environment = Environment::of(&[("TERM", term)]);
            environment.stderr_is_terminal = is_terminal;
            assert_eq!(progress_form(wanted, is_quiet, &environment), form, "{is_terminal} {term}");
        }
    }
}
