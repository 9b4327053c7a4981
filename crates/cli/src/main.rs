//! The program `haul`.
//!
//! What was typed ([`args`]) becomes what will be done (a plan in each command's module), which is run by an engine; its
//! events go to the [`report`], which speaks through the one [`voice`] and decides the exit code.
//!
//! Owns: flags, plans, messages, exit codes.
//! Does not own: fetching, sealing, engines.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod checksums;
mod demo;
mod dry_run;
mod exit;
mod files;
mod get;
mod inspect;
mod keygen;
mod keys;
mod list;
mod list_reader;
mod passphrase;
mod plan;
mod plugins;
mod probe;
mod report;
mod signals;
mod stats;
mod streams;
mod text_only;
mod tree_identity;
mod verify;
mod voice;
mod workers;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};
use crate::exit::{Exit, Problem};
use crate::voice::Voice;
use crate::workers::WorkerKind;

fn main() -> ExitCode {
    if let Some(worker) = WorkerKind::asked() {
        return ended(worker.run(), &Voice::new(0));
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return voice::usage(&error).into(),
    };
    // Of lists with millions of lines, most memory would be gaps between what was made on one thread and dropped on another.
    haul_io::limit_heaps(std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2)));
    let voice = Voice::new(args.command.verbosity());
    voice::route_panics();
    let prepared = signals::survive_file_size_limit().and_then(|()| signals::forbid_core_dumps());
    let result = prepared.map_err(Problem::from).and_then(|()| match &args.command {
        Command::Get(args) => get::run(args, &voice),
        Command::Seal(args) => files::seal(args, &voice),
        Command::Open(args) => files::open(args, &voice),
        Command::Verify(args) => verify::run(args, &voice),
        Command::Inspect(args) => inspect::run(args, &voice),
        Command::Xor(args) => files::xor(args, &voice),
        Command::Keygen(args) => keygen::run(args, &voice),
        Command::Bench(args) => bench::run(args, &voice),
        Command::Demo(args) => demo::run(args, &voice),
    });
    ended(result, &voice)
}

fn ended(result: Result<Exit, Problem>, voice: &Voice) -> ExitCode {
    let exit = result.unwrap_or_else(|problem| {
        voice.problem(&problem);
        problem.exit
    });
    Exit::into(exit)
}
