//! The program `haul`.
//!
//! 1. The command line is parsed into [`args`].
//! 2. The arguments and the environment, with the user's settings, resolve to a plan, without any work.
//! 3. The plan is printed (`--dry-run`) or run by an engine.
//! 4. The events of the run go to the [`report`], which writes every message and decides the exit code.
//!
//! Owns: starting the process, choosing the command.
//! Does not own: fetching, sealing, engines.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod demo;
mod files;
mod fleet;
mod get;
mod keys;
mod lists;
mod packs;
mod report;
mod run;
mod settings;
mod stores;

use std::process::ExitCode;

use clap::FromArgMatches;

use crate::args::words::order;
use crate::args::{Args, Command};
use crate::files::{CatPlan, InspectPlan, OpenPlan, RekeyPlan, SealPlan, VerifyPlan, XorPlan};
use crate::get::GetPlan;
use crate::keys::keygen::KeygenPlan;
use crate::report::exit::{Exit, Problem};
use crate::report::usage;
use crate::report::voice::{self, Colour, Voice};
use crate::run::environment::Environment;
use crate::run::plan::Plan;
use crate::run::signals;
use crate::run::workers::WorkerKind;
use crate::run::{arguments, descriptors};

fn main() -> ExitCode {
    if let Some(worker) = WorkerKind::of_this_process() {
        return exit_code(worker.run(), &Voice::new(0, Colour::Off));
    }
    descriptors::raise_limit();
    let environment = Environment::gather();
    let colour = environment.colour();
    let words = order::in_order(std::env::args_os());
    if let Some(topic) = args::asked_for(&words) {
        let voice = Voice::new(0, colour);
        voice.data(topic);
        return exit_code(Ok(Exit::Success), &voice);
    }
    let parsed = args::command().try_get_matches_from(&words);
    let args = match parsed.and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(error) => {
            return usage::report(&error, order::command_of(&words), &Voice::new(0, colour)).into();
        }
    };
    arguments::hide(&args.command.secrets());
    // More heaps would waste memory: lists of millions of lines are allocated on one thread and freed on another.
    haul_io::limit_heaps(environment.cores.get().max(2));
    let voice = Voice::new(args.command.verbosity(), colour);
    voice::route_panics(colour);
    let prepared = signals::survive_file_size_limit().and_then(|()| signals::forbid_core_dumps());
    let result = prepared
        .map_err(Problem::from)
        .and_then(|()| with_settings(environment, &args.command))
        .and_then(|environment| perform(&args.command, &environment, &voice));
    exit_code(result, &voice)
}

/// The environment with the settings that `command` has, if it has any.
fn with_settings(mut environment: Environment, command: &Command) -> Result<Environment, Problem> {
    if let Some(config) = command.config_file() {
        environment.settings = settings::load(&environment, config)?;
    }
    Ok(environment)
}

fn perform(command: &Command, environment: &Environment, voice: &Voice) -> Result<Exit, Problem> {
    match command {
        Command::Get(args) => GetPlan::resolve(args, environment)?.perform(args.common.dry_run, voice),
        Command::Seal(args) => SealPlan::resolve(args, environment)?.perform(args.common.dry_run, voice),
        Command::Open(args) => OpenPlan::resolve(args, environment)?.perform(args.common.dry_run, voice),
        Command::Verify(args) => VerifyPlan::resolve(args, environment)?.perform(args.common.dry_run, voice),
        Command::Xor(args) => XorPlan::resolve(args, environment)?.perform(args.common.dry_run, voice),
        Command::Cat(args) => CatPlan::resolve(args, environment)?.run(voice),
        Command::Rekey(args) => RekeyPlan::resolve(args, environment)?.perform(args.common.dry_run, voice),
        Command::Inspect(args) => InspectPlan::resolve(args, environment)?.run(voice),
        Command::Keygen(args) => KeygenPlan::resolve(args, environment).run(voice),
        Command::Fleet(args) => fleet::run(args, environment, voice),
        Command::Bench(args) => bench::run(args, environment, voice),
        Command::Demo(args) => demo::run(args, voice),
        Command::Config(args) => settings::show::run(args, environment, voice),
        Command::Completions(args) => args.run(args::command(), voice),
        Command::Man(args) => args.run(args::command(), voice),
    }
}

fn exit_code(result: Result<Exit, Problem>, voice: &Voice) -> ExitCode {
    let exit = result.unwrap_or_else(|problem| {
        voice.problem(&problem);
        problem.exit
    });
    exit.max(voice.end_data(exit)).into()
}
