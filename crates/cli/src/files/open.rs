//! `haul open`.
//!
//! Owns: its plan.
//! Does not own: inputs and results ([`super::plan`]), identities ([`crate::keys::identities`]), the job.

use haul_seal::{Direction, Identity, OpenJob, Replacing, Walk, open_stream};

use super::plan::{FilesPlan, Target};
use super::tasks::{self, TaskContext};
use crate::args::OpenArgs;
use crate::keys::identities::IdentitySources;
use crate::keys::plugins::PluginPath;
use crate::report::exit::{Exit, Problem};
use crate::report::text_only::TextOnly;
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
}

impl OpenPlan {
    pub(crate) fn resolve(args: &OpenArgs, environment: &Environment) -> Result<Self, Problem> {
        let identities = IdentitySources::resolve(&args.identity, &args.files.secret, environment);
        Ok(Self {
            files: FilesPlan::resolve(
                &args.files,
                &args.common,
                Direction::Open,
                &args.identity,
                environment,
            )?,
            identities: identities.require()?,
            plugins: PluginPath::resolve(environment),
        })
    }

    fn read_identities(&self, voice: &Voice) -> Result<Vec<Identity>, Problem> {
        self.identities.read(&self.files.operands.inputs, &self.plugins.plugins(voice), voice)
    }

    fn run_tasks(&self, walk: Walk, voice: &Voice) -> Result<Exit, Problem> {
        let job = OpenJob::new(self.read_identities(voice)?, self.files.options);
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
        let target = self.files.target(&self.identities.secret_files())?;
        self.read_identities(voice)?;
        Ok(match target {
            Target::Stream(endpoints) => self.files.stream("open", endpoints, voice).print(),
            Target::Tasks(walk) => tasks::print_walk::<OpenJob>(*walk, &self.files.run, voice),
        })
    }

    fn run(self, voice: &Voice) -> Result<Exit, Problem> {
        match self.files.target(&self.identities.secret_files())? {
            Target::Stream(endpoints) => {
                let identities = self.read_identities(voice)?;
                let stream = self.files.stream("open", endpoints, voice);
                let text_only = stream.is_output_terminal();
                stream.run(self.plugins.plugins(voice), |source, sink, options| {
                    if text_only {
                        open_stream(source, TextOnly::new(sink), &identities, &options)
                    } else {
                        open_stream(source, sink, &identities, &options)
                    }
                })
            }
            Target::Tasks(walk) => self.run_tasks(*walk, voice),
        }
    }
}
