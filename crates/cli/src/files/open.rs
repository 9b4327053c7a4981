//! `haul open`.
//!
//! Owns: its plan.
//! Does not own: inputs and results ([`super::plan`]), identities ([`crate::keys::identities`]), the job.

use std::path::{Path, PathBuf};

use haul_io::{Cancel, Existing};
use haul_seal::{Direction, During, Error, Identity, OpenJob, Replacing, StreamOptions, Walk};

use super::endpoints::{Endpoints, Input, Output, PathKind, is_dash};
use super::part::Part;
use super::plan::{FilesPlan, Given, Target};
use super::stored::Opening;
use super::tasks::{self, TaskContext};
use crate::args::{OpenArgs, RangeArg};
use crate::keys::identities::IdentitySources;
use crate::keys::plugins::PluginPath;
use crate::packs::only::open_member;
use crate::report::exit::{Exit, Problem};
use crate::report::text_only::TextOnly;
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::plan::Plan;
use crate::run::random::system_random;
use crate::run::signals::SignalWatch;

/// What `haul open` is to do.
#[derive(Debug)]
pub(crate) struct OpenPlan {
    files: FilesPlan,
    identities: IdentitySources,
    plugins: PluginPath,
    /// The bytes of the plaintext; `None` for all.
    range: Option<RangeArg>,
    /// The member of a shard that is read alone.
    only: Option<PathBuf>,
}

impl OpenPlan {
    pub(crate) fn resolve(args: &OpenArgs, environment: &Environment) -> Result<Self, Problem> {
        let identities = IdentitySources::resolve(&args.identity, &args.files.secret, environment);
        let given = Given { paths: &args.paths, key_files: &args.identity, common: &args.common };
        let mut files = FilesPlan::resolve(&args.files, given, Direction::Open, environment)?;
        files.options.sparse = args.sparse;
        if args.range.is_some() && args.files.output.is_none() {
            // Only stdin goes to stdout without being told to.
            files.operands.endpoints(PathKind::by_name)?.ok_or_else(no_stream)?;
        }
        if args.only.is_some() {
            check_only(args)?;
        }
        // A shard may be plain.
        let identities = if args.only.is_some() { identities } else { identities.require()? };
        let plugins = PluginPath::resolve(environment);
        Ok(Self { files, identities, plugins, range: args.range, only: args.only.clone() })
    }

    /// Looks up the inputs and the output.
    fn target(&self) -> Result<Target, Problem> {
        let target = self.files.target(&self.identities.secret_files())?;
        match &target {
            Target::Stream(Endpoints { output: Output::Stdout | Output::Special(_), .. }) => Ok(target),
            _ if self.range.is_some() => Err(no_stream()),
            _ => Ok(target),
        }
    }

    /// Reads one member of a shard.
    fn run_only(&self, name: &Path, voice: &Voice) -> Result<Exit, Problem> {
        let stream = self.files.stream("open", self.only_endpoints(name)?, voice);
        let identities = self.read_identities(voice)?;
        let text_only = stream.is_output_terminal();
        stream.run(self.plugins.plugins(voice), |source, sink, options| {
            if !source.is_seekable() {
                let source = std::io::Error::other("only a file can be read in part");
                return Err(Error::Io { step: During::OpenSource, source });
            }
            if text_only {
                open_member(source, name, &identities, TextOnly::new(sink), &options)
            } else {
                open_member(source, name, &identities, sink, &options)
            }
        })
    }

    /// The shard, and where its member goes.
    fn only_endpoints(&self, name: &Path) -> Result<Endpoints, Problem> {
        let operands = &self.files.operands;
        let shard = operands.inputs.first().cloned().unwrap_or_default();
        let own_name = || Path::new(name.file_name().unwrap_or_default());
        let output = match &operands.output {
            Some(path) if is_dash(path) => Output::Stdout,
            Some(path) => match PathKind::of(path) {
                PathKind::Special => Output::Special(path.clone()),
                PathKind::File => Output::File(path.clone()),
                PathKind::Directory => Output::File(path.join(own_name())),
            },
            None => Output::File(shard.with_file_name(own_name())),
        };
        let is_replaced = self.files.options.existing == Existing::Replace;
        if matches!(&output, Output::File(path) if *path == shard && is_replaced) {
            return Err(Problem::usage("the member would take the place of its shard"));
        }
        Ok(Endpoints { input: Input::Named(shard), output })
    }

    fn read_identities(&self, voice: &Voice) -> Result<Vec<Identity>, Problem> {
        self.identities.read(&self.files.operands.inputs, &self.plugins.plugins(voice), voice)
    }

    /// Gives files their names back. Plugins are asked for the lists of names, until a signal arrives.
    fn restoring(&self, walk: Walk, identities: &[Identity], voice: &Voice) -> Result<Walk, Problem> {
        let cancel = Cancel::new()?;
        let asks_plugins = identities.iter().any(|identity| matches!(identity, Identity::Plugin(_)));
        let _watch = asks_plugins.then(|| SignalWatch::start(cancel.clone())).transpose()?;
        let plugins = Some(self.plugins.plugins(voice));
        let options = StreamOptions { plugins, ..StreamOptions::new(cancel.clone()) };
        let restored = walk.restoring(identities, &options);
        if cancel.is_triggered() {
            return Err(Problem { exit: Exit::Interrupted, ..Problem::usage("interrupted") });
        }
        restored.map_err(|error| {
            Problem::usage(format!("cannot read a list of names: {}", haul_io::reason(&error)))
        })
    }

    fn run_tasks(&self, walk: Walk, voice: &Voice) -> Result<Exit, Problem> {
        let identities = self.read_identities(voice)?;
        let walk = self.restoring(walk, &identities, voice)?;
        let job = OpenJob::new(identities, self.files.options);
        let context = TaskContext {
            key_request: job.key_request(&mut system_random()),
            plugins: self.plugins.plugins(voice),
            options: &self.files.run,
            voice,
        };
        if self.files.replace {
            context.run_walk(&Replacing::new(job), walk, &self.files.options)
        } else {
            context.run_walk(&job, walk, &self.files.options)
        }
    }
}

impl Plan for OpenPlan {
    fn print(self, voice: &Voice) -> Result<Exit, Problem> {
        if let Some(name) = &self.only {
            return Ok(self.files.stream("open", self.only_endpoints(name)?, voice).print());
        }
        let target = self.target()?;
        let identities = self.read_identities(voice)?;
        Ok(match target {
            Target::Stream(endpoints) => self.files.stream("open", endpoints, voice).print(),
            Target::Stored(stored) => {
                stored.print::<Opening>(&self.files.moving(self.plugins.plugins(voice), voice))?
            }
            Target::Tasks(walk) => {
                let walk = self.restoring(*walk, &identities, voice)?;
                tasks::print_walk::<OpenJob>(walk, &self.files.run, voice)
            }
        })
    }

    fn run(self, voice: &Voice) -> Result<Exit, Problem> {
        if let Some(name) = &self.only {
            return self.run_only(name, voice);
        }
        match self.target()? {
            Target::Stream(endpoints) => {
                let identities = self.read_identities(voice)?;
                let stream = self.files.stream("open", endpoints, voice);
                let text_only = stream.is_output_terminal();
                let part = Part { identities: &identities, range: self.range, text_only };
                stream.run(self.plugins.plugins(voice), |source, sink, options| {
                    part.open(source, sink, &options)
                })
            }
            Target::Stored(stored) => {
                let identities = self.read_identities(voice)?;
                stored.run(Opening(identities), &self.files.moving(self.plugins.plugins(voice), voice))
            }
            Target::Tasks(walk) => self.run_tasks(*walk, voice),
        }
    }
}

/// # Errors
/// If a member can't be read alone from these inputs.
fn check_only(args: &OpenArgs) -> Result<(), Problem> {
    match args.paths.as_slice() {
        [shard] if !is_dash(shard) => Ok(()),
        _ => Err(Problem::usage("--only reads from one shard, which is a file or an object")
            .hint("the index of a shard is at its end, so that a pipe can't be read so")),
    }
}

/// The problem with a range whose result would be a file.
fn no_stream() -> Problem {
    Problem::usage("--range needs an output that isn't a file").hint("write to stdout with -o -")
}
