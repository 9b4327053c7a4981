//! `haul open`.
//!
//! Owns: its plan.
//! Does not own: inputs and results ([`super::plan`]), identities ([`crate::keys::identities`]), the job.

use haul_seal::{Direction, Identity, OpenJob, Replacing, Walk};

use super::endpoints::{Endpoints, Output, PathKind};
use super::part::Part;
use super::plan::{FilesPlan, Target};
use super::tasks::{self, TaskContext};
use crate::args::{OpenArgs, RangeArg};
use crate::keys::identities::IdentitySources;
use crate::keys::plugins::PluginPath;
use crate::report::exit::{Exit, Problem};
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::plan::Plan;
use crate::run::random::system_random;

/// What `haul open` is to do.
#[derive(Debug)]
pub(crate) struct OpenPlan {
    files: FilesPlan,
    identities: IdentitySources,
    plugins: PluginPath,
    /// The bytes of the plaintext; `None` for all.
    range: Option<RangeArg>,
}

impl OpenPlan {
    pub(crate) fn resolve(args: &OpenArgs, environment: &Environment) -> Result<Self, Problem> {
        let identities = IdentitySources::resolve(&args.identity, &args.files.secret, environment);
        let mut files =
            FilesPlan::resolve(&args.files, &args.common, Direction::Open, &args.identity, environment)?;
        files.options.sparse = args.sparse;
        if args.range.is_some() && args.files.output.is_none() {
            // Only stdin goes to stdout without being told to.
            files.operands.endpoints(PathKind::by_name)?.ok_or_else(no_stream)?;
        }
        let (identities, plugins) = (identities.require()?, PluginPath::resolve(environment));
        Ok(Self { files, identities, plugins, range: args.range })
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

    fn read_identities(&self, voice: &Voice) -> Result<Vec<Identity>, Problem> {
        self.identities.read(&self.files.operands.inputs, &self.plugins.plugins(voice), voice)
    }

    fn run_tasks(&self, walk: Walk, voice: &Voice) -> Result<Exit, Problem> {
        let identities = self.read_identities(voice)?;
        let walk = walk.restoring(&identities).map_err(unreadable_names)?;
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
        let target = self.target()?;
        let identities = self.read_identities(voice)?;
        Ok(match target {
            Target::Stream(endpoints) => self.files.stream("open", endpoints, voice).print(),
            Target::Tasks(walk) => {
                let walk = walk.restoring(&identities).map_err(unreadable_names)?;
                tasks::print_walk::<OpenJob>(walk, &self.files.run, voice)
            }
        })
    }

    fn run(self, voice: &Voice) -> Result<Exit, Problem> {
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
            Target::Tasks(walk) => self.run_tasks(*walk, voice),
        }
    }
}

/// The problem with a range whose result would be a file.
fn no_stream() -> Problem {
    Problem::usage("--range needs an output that isn't a file").hint("write to stdout with -o -")
}

fn unreadable_names(error: std::io::Error) -> Problem {
    Problem::usage(format!("cannot read a list of names: {}", haul_io::reason(&error)))
}
