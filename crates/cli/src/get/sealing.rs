//! Sealing what is fetched.
//!
//! Owns: the recipients and the identities of a sealed run.
//! Does not own: reading keys ([`crate::keys`]), sealing ([`haul_seal::SealedFormat`]), names ([`super::hidden`]).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use haul_io::Cancel;
use haul_seal::{FileOptions, Identity, SealedFormat};

use super::hidden::Hidden;
use super::naming::NamingPlan;
use crate::args::{NameArg, SealingArgs};
use crate::keys::plugins::PluginPath;
use crate::keys::recipients::RecipientSources;
use crate::report::exit::{Exit, Problem};
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::stores::objects::is_object;

/// How results are sealed.
#[derive(Debug)]
pub(super) struct SealingPlan {
    recipients: RecipientSources,
    plugins: PluginPath,
    armored: bool,
    /// The directory whose identity a passphrase protects; `None` for a single result, which the passphrase seals.
    directory: Option<PathBuf>,
}

impl SealingPlan {
    /// The plan, if an option asks for sealing. A passphrase protects the identity of `directory`.
    ///
    /// # Errors
    /// If options contradict each other.
    pub(super) fn resolve(
        args: &SealingArgs,
        rule: NameArg,
        directory: Option<&Path>,
        environment: &Environment,
    ) -> Result<Option<Self>, Problem> {
        let Some(recipients) = RecipientSources::of_get(args, environment)? else {
            let hint = "name a recipient with -r or -R, or a passphrase with -p";
            if rule == NameArg::Hidden {
                return Err(Problem::usage("--name hidden is for results that are sealed").hint(hint));
            }
            return if args.armor || !args.identity.is_empty() {
                let problem = Problem::usage("--armor and --identity are for results that are sealed");
                Err(problem.hint(hint))
            } else {
                Ok(None)
            };
        };
        if directory.is_some_and(is_object) && recipients.has_passphrase() {
            let problem =
                Problem::usage("a passphrase protects the identity of a directory, which a bucket isn't");
            return Err(problem.hint("name recipients with -r or -R"));
        }
        Ok(Some(Self {
            recipients,
            plugins: PluginPath::resolve(environment),
            armored: args.armor,
            directory: directory.map(Path::to_owned),
        }))
    }

    /// Whether results are text.
    pub(super) fn is_armored(&self) -> bool {
        self.armored
    }

    /// Reads the keys. A new identity of the directory is stored, unless this is a `dry_run`.
    pub(super) fn prepare(&self, dry_run: bool, voice: &Voice) -> Result<Prepared, Problem> {
        let plugins = self.plugins.plugins(voice);
        let directories: BTreeSet<_> = self.directory.iter().filter(|_| !dry_run).cloned().collect();
        let keys = self.recipients.read_keys(&directories, &plugins, voice)?;
        let format = SealedFormat::new(keys.recipients).map_err(|error| Problem::usage(error.to_string()))?;
        let identities = keys.identities;
        let format =
            format.armored(self.armored).identities(identities.clone()).asking(plugins, Cancel::new()?);
        Ok(Prepared { format: Arc::new(format), identities })
    }

    /// Reads the keys, and begins the list of names where names are hidden.
    pub(super) fn begin(&self, naming: &NamingPlan, voice: &Voice) -> Result<Sealing, Problem> {
        let Prepared { format, identities } = self.prepare(false, voice)?;
        let hides = naming.rule == NameArg::Hidden;
        let hidden = hides.then(|| Hidden::begin(&naming.dir, &format)).transpose()?;
        let options = FileOptions { mode: naming.mode, ..FileOptions::default() };
        Ok(Sealing { format, identities, hidden, options })
    }
}

/// The keys of a run.
pub(super) struct Prepared {
    format: Arc<SealedFormat>,
    identities: Vec<Identity>,
}

/// A run that seals.
pub(super) struct Sealing {
    pub(super) format: Arc<SealedFormat>,
    /// Those that open what earlier runs sealed.
    pub(super) identities: Vec<Identity>,
    /// Hides the names of results, if that was asked for.
    pub(super) hidden: Option<Hidden>,
    /// How the list of names is written.
    options: FileOptions,
}

impl Sealing {
    /// Ends the list of names. Returns what failures to write it mean for the run.
    pub(super) fn finish(self) -> Result<Exit, Problem> {
        let Some(hidden) = self.hidden else { return Ok(Exit::Success) };
        hidden.finish(&self.format, &self.options)?;
        Ok(hidden.exit())
    }
}
