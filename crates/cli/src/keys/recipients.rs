//! The recipients of what is sealed, from all options that name them.
//!
//! Owns: combining them, checking that there are some.
//! Does not own: key files ([`super::key_file`]), identities of trees ([`super::tree_identity`]).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use haul_seal::{Identity, KeyTextError, Plugins, Recipient};

use super::key_file::{Unlocker, by_name, holds_identities, read_recipients, unusable_key, warn_if_exposed};
use super::passphrase::{PassphraseSource, Prompts};
use super::tree_identity::Protection;
use super::{plugins, tree_identity};
use crate::args::{RekeyArgs, SealArgs, SealingArgs};
use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::run::environment::Environment;

/// Where the recipients come from.
#[derive(Debug)]
pub(crate) struct RecipientSources {
    texts: Vec<String>,
    files: Vec<PathBuf>,
    identities: Vec<PathBuf>,
    /// Whether the files are sealed to the identities too, and not only read with them.
    seals_to_identities: bool,
    passphrase: PassphraseSource,
    /// The identity of a tree is to be post-quantum.
    post_quantum: bool,
}

/// The keys that options name.
pub(crate) struct Keys {
    pub(crate) recipients: Vec<Recipient>,
    /// The identities that options name or that a passphrase opens.
    pub(crate) identities: Vec<Identity>,
}

impl RecipientSources {
    /// # Errors
    /// If there is none.
    pub(crate) fn resolve(args: &SealArgs, environment: &Environment) -> Result<Self, Problem> {
        let sources = Self {
            texts: args.recipient.clone(),
            files: args.recipients_file.clone(),
            identities: args.identity.clone(),
            seals_to_identities: true,
            passphrase: PassphraseSource::resolve(&args.files.secret, environment),
            post_quantum: args.pq,
        };
        sources.or_settings(environment).checked()
    }

    /// The recipients of the settings, where no option names any or asks for a passphrase.
    fn or_settings(self, environment: &Environment) -> Self {
        if self.has_keys() || self.passphrase.is_asked_for() {
            return self;
        }
        let settings = &environment.settings;
        Self {
            texts: settings.recipient.as_ref().map_or_else(Vec::new, |setting| setting.value.clone()),
            files: settings.recipients_file.as_ref().map_or_else(Vec::new, |setting| setting.value.clone()),
            ..self
        }
    }

    /// The recipients that `haul get` seals to, if it seals.
    ///
    /// # Errors
    /// If options contradict each other.
    pub(crate) fn of_get(args: &SealingArgs, environment: &Environment) -> Result<Option<Self>, Problem> {
        let sources = Self {
            texts: args.recipient.clone(),
            files: args.recipients_file.clone(),
            identities: args.identity.clone(),
            seals_to_identities: false,
            passphrase: PassphraseSource::resolve(&args.secret, environment),
            post_quantum: args.pq,
        };
        if sources.has_keys() || sources.passphrase.is_asked_for() || sources.post_quantum {
            sources.checked().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Whether recipients are named, besides a passphrase.
    fn has_keys(&self) -> bool {
        let has_identities = self.seals_to_identities && !self.identities.is_empty();
        !self.texts.is_empty() || !self.files.is_empty() || has_identities
    }

    fn checked(self) -> Result<Self, Problem> {
        let sources = self;
        if sources.post_quantum && !sources.passphrase.is_asked_for() {
            return Err(Problem::usage("--pq concerns the identity that a passphrase protects")
                .hint("add -p, or name a post-quantum recipient with -r"));
        }
        if !sources.has_keys() && !sources.passphrase.is_asked_for() {
            let problem = Problem::usage("no recipients given");
            return Err(
                problem.hint("name a recipient with -r or -R, an identity with -i, or a passphrase with -p")
            );
        }
        Ok(sources)
    }

    /// The recipients that replace others.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn resolve_new(args: &RekeyArgs, environment: &Environment) -> Result<Self, Problem> {
        let sources = Self {
            texts: args.recipient.clone(),
            files: args.recipients_file.clone(),
            identities: Vec::new(),
            seals_to_identities: true,
            passphrase: PassphraseSource::resolve_new(args, environment),
            post_quantum: false,
        };
        if sources.texts.is_empty() && sources.files.is_empty() && !sources.has_passphrase() {
            return Err(Problem::usage("no new recipients given")
                .hint("name a recipient with -r or -R, or a passphrase with --new-passphrase"));
        }
        Ok(sources)
    }

    /// Whether an option asks for a passphrase.
    pub(crate) fn has_passphrase(&self) -> bool {
        self.passphrase.is_asked_for()
    }

    /// The files that hold secrets of this run.
    pub(crate) fn secret_files(&self) -> Vec<PathBuf> {
        self.identities.iter().map(|path| by_name(path)).chain(self.passphrase.file()).collect()
    }

    /// Reads the recipients. A passphrase protects the identity in each of `directories`; without any, it seals the
    /// file itself.
    pub(crate) fn read(
        &self,
        directories: &BTreeSet<PathBuf>,
        available: &Plugins,
        voice: &Voice,
    ) -> Result<Vec<Recipient>, Problem> {
        Ok(self.read_keys(directories, available, voice)?.recipients)
    }

    /// As [`RecipientSources::read`], with the identities.
    pub(crate) fn read_keys(
        &self,
        directories: &BTreeSet<PathBuf>,
        available: &Plugins,
        voice: &Voice,
    ) -> Result<Keys, Problem> {
        let (mut recipients, mut identities) = (Vec::new(), Vec::new());
        for text in &self.texts {
            recipients.push(text.parse().map_err(|error| invalid_text(text, &error))?);
        }
        for path in &self.files {
            recipients.extend(read_recipients(path, voice)?);
        }
        let mut unlocker = Unlocker::new(&self.passphrase);
        for path in &self.identities {
            warn_if_exposed(path, voice);
            for identity in unlocker.read_identities(path)? {
                if self.seals_to_identities {
                    recipients.push(identity.to_recipient().map_err(unusable_key(path))?);
                }
                identities.push(identity);
            }
        }
        if let Some(passphrase) = unlocker.data_passphrase(Prompts::Twice)? {
            if directories.is_empty() {
                recipients.push(Recipient::Passphrase(passphrase));
            } else {
                let protection = Protection { passphrase: &passphrase, post_quantum: self.post_quantum };
                for identity in tree_identity::identities_in(directories, &protection, voice)? {
                    recipients.push(identity.to_recipient().expect("its recipient was asked for before"));
                    identities.push(identity);
                }
            }
        }
        plugins::check_recipients(&recipients, available)?;
        Ok(Keys { recipients, identities })
    }
}

fn invalid_text(text: &str, error: &KeyTextError) -> Problem {
    // An identity is a secret, so the message doesn't repeat it.
    if *error == KeyTextError::Identity {
        return Problem::usage("-r takes a recipient, not an identity")
            .hint("name a file of identities with -i");
    }
    let path = Path::new(text);
    if !path.is_file() {
        return Problem::usage(format!("the recipient {} is {error}", quoted(text)));
    }
    let option = if holds_identities(path) { "-i" } else { "-R" };
    let problem = Problem::usage(format!("-r takes a recipient, and {} is a file", quoted(text)));
    problem.hint(format!("{option} {} takes the recipients from it", quoted(text)))
}
