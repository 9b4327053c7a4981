//! `haul seal`.
//!
//! Owns: its plan.
//! Does not own: inputs and results ([`super::plan`]), recipients ([`crate::keys::recipients`]), the job.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use haul_io::Existing;
use haul_seal::{Direction, Recipient, Replacing, SealJob, StreamOptions, Walk, seal_stream};

use super::endpoints::{Endpoints, is_dash, is_descriptor};
use super::packed;
use super::plan::{FilesPlan, Given, Target};
use super::stored::{Moving, Sealing, Sources, StoredFiles};
use super::stream::Stream;
use super::tasks::{self, TaskContext};
use crate::args::SealArgs;
use crate::fleet::NodePlan;
use crate::fleet::files::{FleetFiles, Results};
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
use crate::stores::objects::{is_object, is_prefix};

/// What `haul seal` is to do.
#[derive(Debug)]
pub(crate) struct SealPlan {
    files: FilesPlan,
    recipients: RecipientSources,
    plugins: PluginPath,
    armor: bool,
    /// How results are packed, if they are.
    pack: Option<PackPlan>,
    /// The run of a fleet whose files are sealed instead.
    fleet: Option<NodePlan>,
}

impl SealPlan {
    pub(crate) fn resolve(args: &SealArgs, environment: &Environment) -> Result<Self, Problem> {
        let key_files = [args.recipients_file.as_slice(), &args.identity].concat();
        let given = Given { paths: &args.paths, key_files: &key_files, common: &args.common };
        let mut files = FilesPlan::resolve(&args.files, given, Direction::Seal, environment)?;
        let fleet = args.fleet.as_ref().map(|run| NodePlan::resolve(run, environment)).transpose()?;
        if fleet.is_some() {
            check_output(files.operands.output.as_deref())?;
            // Shards tell themselves which slices are done.
            files.options.update = args.packing.pack.is_none();
        }
        if args.update {
            files.options.update = true;
            files.options.existing = Existing::Replace;
        }
        let pack = packed::resolve(args, &files, environment)?;
        if let (Some(_), Some(output)) = (&pack, &mut files.operands.output)
            && is_object(output)
        {
            // As with a directory: shards go below it.
            *output = output.join("");
        }
        Ok(Self {
            pack,
            fleet,
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

impl SealPlan {
    /// Seals the files of a fleet's run.
    fn run_node(&self, node: NodePlan, voice: &Voice) -> Result<Exit, Problem> {
        let moving = self.moving(voice)?;
        let recipients = self.recipients.read(&BTreeSet::new(), &moving.plugins, voice)?;
        haul_seal::check_recipients(&recipients).map_err(|error| Problem::usage(error.to_string()))?;
        let results = Results {
            output: self.files.operands.output.clone().unwrap_or_default(),
            suffix: self.files.placement.suffix.clone(),
            secrets: self.recipients.secret_files(),
        };
        if let Some(pack) = &self.pack {
            let join = |shards| FleetFiles::join(node, results, Some(shards), voice);
            return packed::run_node(pack, &self.files, recipients, moving.plugins, join, voice);
        }
        let files = FleetFiles::join(node, results, None, voice)?;
        if files.has_objects() {
            let stored = StoredFiles { sources: Sources::Node(files), options: self.files.options };
            return stored.run(Sealing { recipients, armored: self.armor }, &moving);
        }
        let job = SealJob::new(recipients, self.files.options);
        let job = job.map_err(|error| Problem::usage(error.to_string()))?.armored(self.armor);
        let context = TaskContext {
            key_request: job.key_request(&mut system_random()),
            plugins: moving.plugins,
            options: &self.files.run,
            voice,
        };
        let exit = context.run_telling(&job, files.clone(), |settled| files.tell(&job, settled))?;
        Ok(files.leave(exit))
    }
}

/// # Errors
/// If `output` can't hold the results of a fleet.
fn check_output(output: Option<&Path>) -> Result<(), Problem> {
    let problem = match output {
        None => "the results of a fleet need a directory or bucket",
        Some(path) if is_dash(path) || is_descriptor(path) => "a fleet has many results, not one stream",
        Some(path) if is_object(path) && !is_prefix(path) => "a fleet has many results, not one object",
        Some(_) => return Ok(()),
    };
    Err(Problem::usage(problem).hint("name a directory, or s3://BUCKET/PREFIX/, with -o"))
}

/// Keeps the members of shards apart.
fn apart(walk: Walk) -> Result<Walk, Problem> {
    walk.publishing_elsewhere().map_err(|error| Problem::usage(error.to_string()))
}

impl Plan for SealPlan {
    fn print(self, voice: &Voice) -> Result<Exit, Problem> {
        if self.fleet.is_some() {
            return Err(
                Problem::usage("--dry-run would take slices from other nodes").hint("see haul fleet status")
            );
        }
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

    fn run(mut self, voice: &Voice) -> Result<Exit, Problem> {
        if let Some(node) = self.fleet.take() {
            return self.run_node(node, voice);
        }
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
            Target::Stored(StoredFiles { sources, .. }) if self.pack.is_some() => match sources {
                Sources::Files(walk) => {
                    // What fits no bucket is refused.
                    self.moving(voice)?;
                    self.run_tasks(*walk, voice)
                }
                Sources::Objects(_) | Sources::Object(_) | Sources::Node(_) => {
                    let problem = Problem::usage("--pack works on files, not on objects");
                    Err(problem.hint("copy the objects to a directory first"))
                }
            },
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
