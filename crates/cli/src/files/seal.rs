//! `haul seal`.
//!
//! Owns: its plan.
//! Does not own: inputs and results ([`super::plan`]), recipients ([`crate::keys::recipients`]), the job.

use std::collections::BTreeSet;
use std::path::PathBuf;

use haul_io::Existing;
use haul_seal::{Direction, Recipient, Replacing, SealJob, StreamOptions, Walk, seal_stream};

use super::endpoints::Endpoints;
use super::packed;
use super::plan::{FilesPlan, Target};
use super::stored::{Moving, Sealing};
use super::stream::Stream;
use super::tasks::{self, TaskContext};
use crate::args::SealArgs;
use crate::keys::plugins::PluginPath;
use crate::keys::recipients::RecipientSources;
use crate::keys::tree_identity;
use crate::packs::plan::PackPlan;
use crate::report::exit::{Exit, Problem};
use crate::report::text_only::binary_on_terminal;
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::plan::Plan;
use crate::run::random::system_random;

/// What `haul seal` is to do.
#[derive(Debug)]
pub(crate) struct SealPlan {
    files: FilesPlan,
    recipients: RecipientSources,
    plugins: PluginPath,
    armor: bool,
    /// How results are packed, if they are.
    pack: Option<PackPlan>,
}

impl SealPlan {
    pub(crate) fn resolve(args: &SealArgs, environment: &Environment) -> Result<Self, Problem> {
        let key_files = [args.recipients_file.as_slice(), &args.identity].concat();
        let mut files =
            FilesPlan::resolve(&args.files, &args.common, Direction::Seal, &key_files, environment)?;
        if args.update {
            files.options.update = true;
            files.options.existing = Existing::Replace;
        }
        let pack = packed::resolve(args, &files, environment)?;
        Ok(Self {
            pack,
            files,
            recipients: RecipientSources::resolve(args, environment)?,
            plugins: PluginPath::resolve(environment),
            armor: args.armor,
        })
    }

    /// The stream and its recipients.
    fn prepare_stream<'a>(
        &'a self,
        endpoints: Endpoints,
        voice: &'a Voice,
    ) -> Result<(Stream<'a>, Vec<Recipient>), Problem> {
        if self.pack.is_some() {
            return Err(Problem::usage("--pack works on files only, not on streams"));
        }
        if self.files.options.update {
            return Err(Problem::usage("--update works on files only, not on streams"));
        }
        let stream = self.files.stream("seal", endpoints, voice);
        if stream.is_output_terminal() && !self.armor {
            return Err(binary_on_terminal().hint("name a file with -o, or make text with -a"));
        }
        let recipients = self.recipients.read(&BTreeSet::new(), &self.plugins.plugins(voice), voice)?;
        haul_seal::check_recipients(&recipients).map_err(|error| Problem::usage(error.to_string()))?;
        Ok((stream, recipients))
    }

    /// How files become objects.
    fn moving<'a>(&'a self, voice: &'a Voice) -> Result<Moving<'a>, Problem> {
        if self.recipients.has_passphrase() {
            return Err(Problem::usage(
                "-p keeps an identity beside the results, for which they need a directory",
            )
            .hint("name recipients with -r or -R"));
        }
        Ok(self.files.moving(self.plugins.plugins(voice), voice))
    }

    /// The job for files. A passphrase protects the identity in each of `directories`.
    fn prepare_job(&self, directories: &BTreeSet<PathBuf>, voice: &Voice) -> Result<SealJob, Problem> {
        let recipients = self.recipients.read(directories, &self.plugins.plugins(voice), voice)?;
        let job = SealJob::new(recipients, self.files.options);
        Ok(job.map_err(|error| Problem::usage(error.to_string()))?.armored(self.armor))
    }

    fn run_tasks(&self, walk: Walk, voice: &Voice) -> Result<Exit, Problem> {
        let operands = &self.files.operands;
        if let Some(pack) = &self.pack {
            let directories = operands.output.iter().cloned().collect();
            let plugins = self.plugins.plugins(voice);
            let recipients = self.recipients.read(&directories, &plugins, voice)?;
            let walk = apart(walk)?;
            return packed::run(pack, &self.files, recipients, plugins, walk, voice);
        }
        let directories = tree_identity::directories(&operands.inputs, operands.output.as_deref());
        let job = self.prepare_job(&directories, voice)?;
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

/// Keeps the members of shards apart.
fn apart(walk: Walk) -> Result<Walk, Problem> {
    walk.publishing_elsewhere().map_err(|error| Problem::usage(error.to_string()))
}

impl Plan for SealPlan {
    fn print(self, voice: &Voice) -> Result<Exit, Problem> {
        match self.files.target(&self.recipients.secret_files())? {
            Target::Stream(endpoints) => Ok(self.prepare_stream(endpoints, voice)?.0.print()),
            Target::Stored(stored) => stored.print::<Sealing>(&self.moving(voice)?),
            Target::Tasks(walk) => {
                let walk = if self.pack.is_some() { Box::new(apart(*walk)?) } else { walk };
                // Without directories, no identity is created.
                self.prepare_job(&BTreeSet::new(), voice)?;
                Ok(tasks::print_walk::<SealJob>(*walk, &self.files.run, voice))
            }
        }
    }

    fn run(self, voice: &Voice) -> Result<Exit, Problem> {
        if let (Some(_), Some(output)) = (&self.pack, &self.files.operands.output) {
            packed::make_directory(output)?;
        }
        match self.files.target(&self.recipients.secret_files())? {
            Target::Stream(endpoints) => {
                let (stream, recipients) = self.prepare_stream(endpoints, voice)?;
                stream.run(self.plugins.plugins(voice), |source, sink, options| {
                    let options = StreamOptions { armored: self.armor, ..options };
                    seal_stream(source, sink, &recipients, &options)
                })
            }
            Target::Stored(stored) => {
                let moving = self.moving(voice)?;
                let recipients = self.recipients.read(&BTreeSet::new(), &moving.plugins, voice)?;
                haul_seal::check_recipients(&recipients)
                    .map_err(|error| Problem::usage(error.to_string()))?;
                stored.run(Sealing { recipients, armored: self.armor }, &moving)
            }
            Target::Tasks(walk) => self.run_tasks(*walk, voice),
        }
    }
}
