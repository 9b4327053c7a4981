//! The identities that open files, from all options that name them.
//!
//! Owns: combining them, checking that there are some.
//! Does not own: key files ([`super::key_file`]), identities of trees ([`super::tree_search`]).

use std::path::PathBuf;

use haul_seal::{Identity, Plugins, WORK_FACTOR_IN_TREES_MAX, WORK_FACTOR_MAX};

use super::key_file::{Unlocker, by_name, warn_if_exposed};
use super::passphrase::{PassphraseSource, Prompts};
use super::{plugins, tree_search};
use crate::args::PassphraseArgs;
use crate::report::exit::Problem;
use crate::report::voice::Voice;
use crate::run::environment::Environment;

/// Where the identities come from.
#[derive(Debug)]
pub(crate) struct IdentitySources {
    files: Vec<PathBuf>,
    passphrase: PassphraseSource,
}

impl IdentitySources {
    /// Those of the options, or else those of the settings.
    pub(crate) fn resolve(files: &[PathBuf], secret: &PassphraseArgs, environment: &Environment) -> Self {
        let passphrase = PassphraseSource::resolve(secret, environment);
        let files = match &environment.settings.identity {
            Some(setting) if files.is_empty() && !passphrase.is_asked_for() => setting.value.clone(),
            _ => files.to_vec(),
        };
        Self { files, passphrase }
    }

    /// The files that hold secrets of this run.
    pub(crate) fn secret_files(&self) -> Vec<PathBuf> {
        self.files.iter().map(|path| by_name(path)).chain(self.passphrase.file()).collect()
    }

    /// # Errors
    /// If no option names an identity.
    pub(crate) fn require(self) -> Result<Self, Problem> {
        if self.files.is_empty() && !self.passphrase.is_asked_for() {
            return Err(Problem::usage("no identities given")
                .hint("name an identity file with -i, or a passphrase with -p"));
        }
        Ok(self)
    }

    /// Reads the identities. A passphrase opens `inputs` themselves and the identities of their trees; with an
    /// identity file that it unlocked, only with `-p`.
    pub(crate) fn read(
        &self,
        inputs: &[PathBuf],
        available: &Plugins,
        voice: &Voice,
    ) -> Result<Vec<Identity>, Problem> {
        let mut unlocker = Unlocker::new(&self.passphrase);
        let mut identities = Vec::new();
        for path in &self.files {
            warn_if_exposed(path, voice);
            identities.extend(unlocker.read_identities(path)?);
        }
        if let Some(passphrase) = unlocker.data_passphrase(Prompts::Once)? {
            identities.extend(tree_search::find(inputs, &passphrase, voice));
            let has_tree = inputs.iter().any(|input| input.is_dir());
            let work_factor_max = if has_tree { WORK_FACTOR_IN_TREES_MAX } else { WORK_FACTOR_MAX };
            identities.push(Identity::Passphrase(passphrase.opening_up_to(work_factor_max)));
        }
        plugins::check_identities(&identities, available)?;
        Ok(identities)
    }
}
