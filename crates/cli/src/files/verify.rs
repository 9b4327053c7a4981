//! `haul verify`.
//!
//! Owns: its plan, which files it and `haul inspect` take.
//! Does not own: identities ([`crate::keys::identities`]), the job, streams.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use haul_seal::{Direction, FileOptions, Identity, Placement, Tally, Task, VerifyJob, Walk, open_stream};

use super::endpoints::{self, Endpoints, Input, Output, PathKind, is_dash, leave_stdin_to_data};
use super::stored::{Listed, Moving, Sources, StoredFiles, Verifying};
use super::stream::{self, Stream};
use super::tasks::{self, TaskContext};
use crate::args::VerifyArgs;
use crate::keys::identities::IdentitySources;
use crate::keys::plugins::PluginPath;
use crate::report::exit::{Exit, Problem};
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::options::RunOptions;
use crate::run::plan::Plan;
use crate::run::random::system_random;
use crate::stores::objects::is_prefix;

/// What `haul verify` is to do.
#[derive(Debug)]
pub(crate) struct VerifyPlan {
    inputs: Vec<PathBuf>,
    suffix: OsString,
    identities: IdentitySources,
    plugins: PluginPath,
    run: RunOptions,
}

impl VerifyPlan {
    pub(crate) fn resolve(args: &VerifyArgs, environment: &Environment) -> Result<Self, Problem> {
        let run = RunOptions::resolve(&args.common, environment);
        if let Some(input) = endpoints::input(&args.paths, PathKind::by_name)? {
            if input == Input::Stdin {
                let has_keys = args.identity.iter().any(|path| is_dash(path));
                leave_stdin_to_data(args.secret.passphrase_fd == Some(0), has_keys)?;
            }
            stream::check(&Endpoints { input, output: Output::Discard }, &run)?;
        }
        check_suffix(&args.suffix)?;
        let identities = IdentitySources::resolve(&args.identity, &args.secret, environment);
        Ok(Self {
            inputs: args.paths.clone(),
            suffix: args.suffix.clone(),
            // A dry run needs none.
            identities: if args.common.dry_run { identities } else { identities.require()? },
            plugins: PluginPath::resolve(environment),
            run,
        })
    }

    fn stream<'a>(&'a self, input: Input, voice: &'a Voice) -> Result<Stream<'a>, Problem> {
        let endpoints = Endpoints { input, output: Output::Discard };
        stream::check(&endpoints, &self.run)?;
        let (options, run) = (FileOptions::default(), &self.run);
        let (stdout_is_terminal, binary_hint) = (false, "");
        Ok(Stream { verb: "verify", endpoints, options, run, stdout_is_terminal, binary_hint, voice })
    }

    /// The objects of a prefix, if that is the input.
    fn stored(&self) -> Result<Option<StoredFiles>, Problem> {
        let [input] = self.inputs.as_slice() else { return Ok(None) };
        if !is_prefix(input) {
            return Ok(None);
        }
        let sources = Sources::Objects(Box::new(Listed::to_check(input, &self.suffix)?));
        Ok(Some(StoredFiles { sources, options: FileOptions::default() }))
    }

    fn moving<'a>(&'a self, voice: &'a Voice) -> Moving<'a> {
        Moving { plugins: self.plugins.plugins(voice), run: &self.run, output: None, voice }
    }

    fn read_identities(&self, voice: &Voice) -> Result<Vec<Identity>, Problem> {
        self.identities.read(&self.inputs, &self.plugins.plugins(voice), voice)
    }
}

impl Plan for VerifyPlan {
    fn print(self, voice: &Voice) -> Result<Exit, Problem> {
        if let Some(stored) = self.stored()? {
            return stored.print::<Verifying>(&self.moving(voice));
        }
        if let Some(input) = endpoints::input(&self.inputs, PathKind::of)? {
            return Ok(self.stream(input, voice)?.print());
        }
        let (tasks, tally) = sealed_files(&self.inputs, &self.suffix)?;
        Ok(tasks::print::<VerifyJob>(tasks, &tally, &self.run, voice))
    }

    fn run(self, voice: &Voice) -> Result<Exit, Problem> {
        let input = endpoints::input(&self.inputs, PathKind::of)?;
        let identities = self.read_identities(voice)?;
        if let Some(stored) = self.stored()? {
            return stored.run(Verifying(identities), &self.moving(voice));
        }
        if let Some(input) = input {
            let stream = self.stream(input, voice)?;
            return stream.run(self.plugins.plugins(voice), |source, sink, options| {
                open_stream(source, sink, &identities, &options)
            });
        }
        let (tasks, tally) = sealed_files(&self.inputs, &self.suffix)?;
        let job = VerifyJob::new(identities);
        let context = TaskContext {
            key_request: job.key_request(&mut system_random()),
            plugins: self.plugins.plugins(voice),
            options: &self.run,
            voice,
        };
        let exit = context.run(&job, tasks, false)?;
        tasks::say_left_out("verify", &tally, voice);
        Ok(exit)
    }
}

/// # Errors
/// If `suffix` can't end a file name.
pub(super) fn check_suffix(suffix: &OsStr) -> Result<(), Problem> {
    sealed_files(&[], suffix).map(drop)
}

/// A task for each of `inputs` that is a file, whatever its name, and for each file that ends in `suffix` in those that
/// are directories; and their counts.
pub(super) fn sealed_files(
    inputs: &[PathBuf],
    suffix: &OsStr,
) -> Result<(impl Iterator<Item = Task> + use<>, Tally), Problem> {
    let placement = Placement { direction: Direction::Open, suffix: suffix.to_owned(), output: None };
    let walk = Walk::new(inputs.to_vec(), placement).map_err(|error| Problem::usage(error.to_string()))?;
    let tally = walk.tally();
    let tasks = walk.to_check();
    Ok((tasks, tally))
}
