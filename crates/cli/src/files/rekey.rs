//! `haul rekey`.
//!
//! Owns: its plan.
//! Does not own: keys ([`crate::keys`]), the job.

use std::collections::BTreeSet;
use std::path::PathBuf;

use haul_io::{Durability, Existing};
use haul_seal::{Direction, FileOptions, Filter, Placement, RekeyJob, Task, Walk, check_recipients};

use super::endpoints::{is_dash, is_descriptor};
use super::plan::{filter, walk};
use super::stored::{Listed, Moving, Rekeying, Sources, StoredFiles};
use super::tasks::{self, TaskContext};
use crate::args::{DurableArg, RekeyArgs, SymlinksArg};
use crate::keys::identities::IdentitySources;
use crate::keys::plugins::PluginPath;
use crate::keys::recipients::RecipientSources;
use crate::report::exit::{Exit, Problem};
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::options::RunOptions;
use crate::run::plan::Plan;
use crate::run::random::system_random;
use crate::stores::objects::{is_object, is_prefix};

/// What `haul rekey` is to do.
#[derive(Debug)]
pub(crate) struct RekeyPlan {
    inputs: Vec<PathBuf>,
    placement: Placement,
    filter: Filter,
    identities: IdentitySources,
    recipients: RecipientSources,
    plugins: PluginPath,
    options: FileOptions,
    run: RunOptions,
}

impl RekeyPlan {
    pub(crate) fn resolve(args: &RekeyArgs, environment: &Environment) -> Result<Self, Problem> {
        if let Some(stream) = args.paths.iter().find(|path| is_dash(path) || is_descriptor(path)) {
            return Err(Problem::usage(format!(
                "{} is a stream, which has no header to replace",
                quoted(stream)
            ))
            .hint("name files and directories"));
        }
        if args.trees.symlinks == SymlinksArg::Follow {
            return Err(Problem::usage("rekeying follows no links: it would replace them by files")
                .hint("name the directory that holds the files"));
        }
        let recipients = RecipientSources::resolve_new(args, environment)?;
        let is_many = args.paths.len() > 1 || args.paths.iter().any(|path| is_prefix(path));
        if recipients.has_passphrase() && is_many {
            return Err(one_file_only());
        }
        let placement = Placement { direction: Direction::Rekey, suffix: args.suffix.clone(), output: None };
        // Without inputs, this checks the placement alone.
        Walk::new(Vec::new(), placement.clone()).map_err(|error| Problem::usage(error.to_string()))?;
        let durability = match args.durable {
            DurableArg::Never => Durability::Eventual,
            DurableArg::Auto | DurableArg::Always => Durability::Synced,
        };
        Ok(Self {
            inputs: args.paths.clone(),
            placement,
            filter: filter(&args.trees)?,
            identities: IdentitySources::resolve(&args.identity, &args.secret, environment).require()?,
            recipients,
            plugins: PluginPath::resolve(environment),
            options: FileOptions {
                existing: Existing::Replace,
                durability,
                xattrs: true,
                ..FileOptions::default()
            },
            run: RunOptions::resolve(&args.common, environment),
        })
    }

    /// The objects that get other recipients, if that is the input.
    fn stored(&self) -> Result<Option<StoredFiles>, Problem> {
        if !self.inputs.iter().any(|input| is_object(input)) {
            return Ok(None);
        }
        let [input] = self.inputs.as_slice() else {
            return Err(Problem::usage("an object can't be one of several inputs")
                .hint("rekey one object at a time, or all of a prefix"));
        };
        let sources = if is_prefix(input) {
            let listed = Listed::to_replace(input, &self.placement.suffix)?.filtered(&self.filter);
            Sources::Objects(Box::new(listed))
        } else {
            Sources::Object(Box::new(Task::file(input.clone(), input.clone())))
        };
        Ok(Some(StoredFiles { sources, options: self.options }))
    }

    fn moving<'a>(&'a self, voice: &'a Voice) -> Moving<'a> {
        let output = self.inputs.first().map(PathBuf::as_path);
        Moving { plugins: self.plugins.plugins(voice), run: &self.run, output, voice }
    }

    fn run_stored(&self, stored: StoredFiles, voice: &Voice) -> Result<Exit, Problem> {
        let plugins = self.plugins.plugins(voice);
        let identities = self.identities.read(&[], &plugins, voice)?;
        let recipients = self.recipients.read(&BTreeSet::new(), &plugins, voice)?;
        check_recipients(&recipients).map_err(|error| Problem::usage(error.to_string()))?;
        say_what_stays(voice);
        stored.run(Rekeying { identities, recipients }, &self.moving(voice))
    }

    fn prepare(&self, voice: &Voice) -> Result<(RekeyJob, Walk), Problem> {
        if self.recipients.has_passphrase() && self.inputs.iter().any(|input| input.is_dir()) {
            return Err(one_file_only());
        }
        let secrets = [self.identities.secret_files(), self.recipients.secret_files()].concat();
        let walk = walk(&self.inputs, &self.placement, &self.filter)?.sparing(&secrets);
        let plugins = self.plugins.plugins(voice);
        let identities = self.identities.read(&self.inputs, &plugins, voice)?;
        let recipients = self.recipients.read(&BTreeSet::new(), &plugins, voice)?;
        let job = RekeyJob::new(identities, recipients, self.options);
        Ok((job.map_err(|error| Problem::usage(error.to_string()))?, walk))
    }
}

impl Plan for RekeyPlan {
    fn print(self, voice: &Voice) -> Result<Exit, Problem> {
        if let Some(stored) = self.stored()? {
            return stored.print::<Rekeying>(&self.moving(voice));
        }
        let (_, walk) = self.prepare(voice)?;
        Ok(tasks::print_walk::<RekeyJob>(walk, &self.run, voice))
    }

    fn run(self, voice: &Voice) -> Result<Exit, Problem> {
        if let Some(stored) = self.stored()? {
            return self.run_stored(stored, voice);
        }
        let (job, walk) = self.prepare(voice)?;
        say_what_stays(voice);
        let context = TaskContext {
            key_request: job.key_request(&mut system_random()),
            plugins: self.plugins.plugins(voice),
            options: &self.run,
            voice,
        };
        context.run_walk(&job, walk, &self.options)
    }
}

fn say_what_stays(voice: &Voice) {
    voice.warning("former recipients may have kept the file keys, which stay the same");
}

/// The problem with a passphrase for many files: each would take a second to open.
fn one_file_only() -> Problem {
    Problem::usage("--new-passphrase is for a single file")
        .hint("make an identity with \"haul keygen -p\", and name its recipient with -r")
}
