//! `haul verify`.
//!
//! Owns: its plan, its words.
//! Does not own: the job, streams.

use std::ffi::OsStr;
use std::path::PathBuf;

use haul_engine::{Config, Event, Report, Source, run_portable};
use haul_seal::{Direction, Placement, Task, VerifyJob, Walk};

use crate::args::VerifyArgs;
use crate::dry_run::DryRun;
use crate::exit::{Exit, Problem};
use crate::plan::{Chosen, system_random};
use crate::report::{Told, run_and_tell};
use crate::voice::Voice;
use crate::workers::WorkerKind;
use crate::{files, keys, plugins, probe, streams};

pub(crate) fn run(args: &VerifyArgs, voice: &Voice) -> Result<Exit, Problem> {
    if let Some(input) = streams::input(&args.paths)? {
        return streams::verify(args, input, voice);
    }
    let tasks = tasks(&args.paths, &args.suffix)?;
    if args.common.dry_run {
        return Ok(files::dry_run(tasks, DryRun::new(VerifyJob::VERB, args.common.json, voice)));
    }
    let job = VerifyJob::new(keys::identities(&args.identity, &args.secret, &args.paths, voice)?);
    let keying = job.key_request(&mut system_random());
    match args.common.engine.0 {
        Some(engine) => {
            let source = plugins::source(tasks, keying, voice)?;
            run_and_tell(&job, source, &Chosen::asked(engine), &args.common, voice)
        }
        None => {
            let (chosen, tasks) = probe::choose(tasks, false);
            let source = plugins::source(tasks, keying, voice)?;
            run_and_tell(&job, source, &chosen, &args.common, voice)
        }
    }
}

/// The files that are named, whatever their names, and in trees those that end in `suffix`.
pub(crate) fn tasks(
    paths: &[PathBuf],
    suffix: &OsStr,
) -> Result<impl Iterator<Item = Task> + use<>, Problem> {
    let placement = Placement { direction: Direction::Open, suffix: suffix.to_owned(), output: None };
    let walk = Walk::new(paths.to_vec(), placement).map_err(|error| Problem::usage(error.to_string()))?;
    Ok(walk.map(|task| match task {
        // Its name gives no name for a result, and none is needed.
        Task::Bad { source, error: None } => Task::check(source),
        Task::File { source, found, plugin_key, .. } => {
            Task::File { source, target: PathBuf::new(), found, plugin_key }
        }
        other => other,
    }))
}

impl Told for VerifyJob {
    const VERB: &'static str = "verify";
    const DONE: &'static str = "verified";

    fn run(&self, source: impl Source<Task>, config: &Config, on_event: impl FnMut(&Event<Self>)) -> Report {
        run_portable(self, source, config, &WorkerKind::Verify.command(), on_event)
    }
}
