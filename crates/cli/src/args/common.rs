//! Options that every command with tasks has: the engine, what is printed, when a run stops, whether the configuration
//! file counts; and `haul config`, which shows what it says.
//!
//! Owns: their grammar and help.
//! Does not own: their meaning ([`crate::run::options`], [`crate::settings`]).

use std::path::PathBuf;

use clap::{ArgAction, ValueEnum};
use haul_engine::Engine;

use crate::report::voice::Verbosity;
use crate::settings::values::ConfigFile;

/// Options of every command that runs tasks.
#[derive(Clone, clap::Args)]
pub(crate) struct CommonArgs {
    /// The engine: auto, serial, threads[=N], processes[=N], hybrid[=NxM] or uring[=RxD]
    #[arg(short, long, value_name = "E", default_value = "auto", value_parser = engine)]
    pub(crate) engine: EngineArg,
    /// Print where the time went, at the end
    #[arg(long)]
    pub(crate) stats: bool,
    /// Print JSON lines: an event for each finished task, then the report
    #[arg(long)]
    pub(crate) json: bool,
    /// Write when each worker did what to this file, as Trace Event JSON for Perfetto
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Show the progress on stderr (auto: on a terminal; always: elsewhere too, as a line every few seconds)
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub(crate) progress: ProgressArg,
    /// Print less (twice: nothing)
    #[arg(short, long, action = ArgAction::Count, overrides_with = "verbose")]
    pub(crate) quiet: u8,
    /// Print more: a line for each task
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print what would be done and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Continue after a failed task (the default)
    #[arg(long, overrides_with = "fail_fast")]
    pub(crate) keep_going: bool,
    /// Stop at the first failed task
    #[arg(long)]
    pub(crate) fail_fast: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFileArgs,
}

/// Whether the configuration file counts.
#[derive(Clone, clap::Args)]
pub(crate) struct ConfigFileArgs {
    /// Ignore the configuration file
    #[arg(long)]
    no_config: bool,
}

impl ConfigFileArgs {
    pub(crate) fn config_file(&self) -> ConfigFile {
        if self.no_config { ConfigFile::Ignored } else { ConfigFile::Read }
    }
}

/// `haul config`.
#[derive(clap::Args)]
pub(crate) struct ConfigArgs {
    /// Print a line with a JSON object for each setting
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFileArgs,
}

impl CommonArgs {
    pub(super) fn verbosity(&self) -> Verbosity {
        clamped(self.verbose) - clamped(self.quiet)
    }
}

/// `count` repetitions of `-q` or `-v`.
pub(super) fn clamped(count: u8) -> Verbosity {
    Verbosity::try_from(count).unwrap_or(Verbosity::MAX)
}

/// The engine.
#[derive(Clone, Copy)]
pub(crate) struct EngineArg {
    /// `None` is `auto`.
    pub(crate) engine: Option<Engine>,
    /// Whether it was named with numbers.
    pub(crate) is_sized: bool,
}

fn engine(text: &str) -> Result<EngineArg, haul_engine::ParseEngineError> {
    let engine = if text == "auto" { None } else { Some(text.parse()?) };
    Ok(EngineArg { engine, is_sized: text.contains('=') })
}

/// When the progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressArg {
    Auto,
    Always,
    Never,
}
