//! Worker processes: this same program, started with a command that the help leaves out.
//!
//! Owns: the command line of a worker, its whole life.
//! Does not own: what it does for its supervisor ([`haul_engine::work`]).

use clap::ValueEnum;
use haul_engine::{WorkerCommand, work};
use haul_seal::{OpenJob, SealJob, XorJob};

use crate::args::{WorkerArgs, WorkerKind};
use crate::exit::{Exit, Problem};

/// The command that starts a worker.
pub(crate) fn command(kind: WorkerKind) -> WorkerCommand {
    let kind = kind.to_possible_value().expect("every kind has a name");
    WorkerCommand::this_program(["worker", kind.get_name()])
}

pub(crate) fn run(args: &WorkerArgs) -> Result<Exit, Problem> {
    let result = match args.kind {
        WorkerKind::Seal => work::<SealJob>(),
        WorkerKind::Open => work::<OpenJob>(),
        WorkerKind::Xor => work::<XorJob>(),
    };
    result.map(|()| Exit::Success).map_err(|error| Problem::usage(error.to_string()))
}
