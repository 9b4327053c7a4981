//! `haul keygen`: generates identities, in files of age-keygen's form, and prints the recipients of existing ones.
//!
//! Owns: the form of the file.
//! Does not own: keys, passphrases.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use haul_io::{FileKind, Stat};
use haul_seal::{HybridIdentity, Identity, KeyTextError, Recipient, X25519Identity, protected_file};
use zeroize::Zeroizing;

use super::key_file::{Unlocker, unusable_key};
use super::passphrase::{PassphraseSource, Prompts};
use crate::args::KeygenArgs;
use crate::report::exit::{Exit, Problem};
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::random::system_random;
use crate::run::short_file::create_private;

/// What `haul keygen` is to do.
#[derive(Debug)]
pub(crate) struct KeygenPlan {
    task: KeygenTask,
    passphrase: PassphraseSource,
}

#[derive(Debug)]
enum KeygenTask {
    /// Print the recipients of the identities in a file.
    PrintRecipients(PathBuf),
    /// Generate an identity, into a file or onto stdout.
    Generate { output: Option<PathBuf>, post_quantum: bool },
}

impl KeygenPlan {
    pub(crate) fn resolve(args: &KeygenArgs, environment: &Environment) -> Self {
        let task = match &args.recipient_of {
            Some(path) => KeygenTask::PrintRecipients(path.clone()),
            None => KeygenTask::Generate { output: args.output.clone(), post_quantum: args.pq },
        };
        Self { task, passphrase: PassphraseSource::resolve(&args.secret, environment) }
    }

    pub(crate) fn run(&self, voice: &Voice) -> Result<Exit, Problem> {
        match &self.task {
            KeygenTask::PrintRecipients(path) => self.print_recipients(path, voice)?,
            KeygenTask::Generate { output, post_quantum } => {
                self.generate(output.as_deref(), *post_quantum, voice)?;
            }
        }
        Ok(Exit::Success)
    }

    fn print_recipients(&self, path: &Path, voice: &Voice) -> Result<(), Problem> {
        for identity in Unlocker::new(&self.passphrase).read_identities(path)? {
            voice.data(recipient_text(&identity).map_err(unusable_key(path))?);
        }
        Ok(())
    }

    fn generate(&self, output: Option<&Path>, post_quantum: bool, voice: &Voice) -> Result<(), Problem> {
        let mut random = system_random();
        let identity = if post_quantum {
            Identity::Hybrid(HybridIdentity::generate_with(&mut random))
        } else {
            Identity::X25519(X25519Identity::generate_with(&mut random))
        };
        let recipient = recipient_text(&identity).expect("a new identity has a recipient");
        let created = humantime::format_rfc3339_seconds(SystemTime::now());
        let file = joined(&[
            &format!("# created: {created}\n# public key: {recipient}\n"),
            &identity.to_secret_text(),
            "\n",
        ]);
        let passphrase = self.passphrase.read(Prompts::Twice)?;
        let protected =
            passphrase.map(|passphrase| protected_file(&file, &passphrase, &mut random)).transpose();
        let protected = protected.map_err(|error| Problem::usage(error.to_string()))?;
        let bytes = protected.as_deref().unwrap_or(file.as_bytes());
        if let Some(path) = output {
            create_private(path, bytes).map_err(|error| {
                if error.kind() == io::ErrorKind::AlreadyExists {
                    return Problem::usage(format!(
                        "the key file {} exists and isn't overwritten",
                        quoted(path)
                    ))
                    .hint("move it away; without it, nothing opens what is sealed to its key");
                }
                let reason = haul_io::reason(&error);
                let problem = Problem::usage(format!("cannot create key file {}: {reason}", quoted(path)));
                Problem { exit: Exit::Usage.max(Exit::of_write(&error)), ..problem }
            })?;
            voice.data(recipient);
            return Ok(());
        }
        if protected.is_none() && is_exposed_file(io::stdout()) {
            voice.warning("the secret key goes to a file that can be read by others");
        }
        let is_stored = voice.secret_key(bytes.trim_ascii_end());
        // A protected file doesn't show its recipient.
        if protected.is_some() && is_stored {
            voice.note(format!("the recipient is {recipient}"));
        }
        Ok(())
    }
}

/// Whether `output` is a regular file that users other than its owner can read.
fn is_exposed_file(output: impl AsFd) -> bool {
    rustix::fs::fstat(output)
        .is_ok_and(|stat| Stat::from(stat).kind == FileKind::Regular && stat.st_mode & 0o044 != 0)
}

/// Concatenates `parts` in one allocation, so that growing leaves no copy of a secret behind.
pub(super) fn joined(parts: &[&str]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| text.push_str(part));
    text
}

/// The recipient of an identity from a file, which is never a passphrase.
fn recipient_text(identity: &Identity) -> Result<String, KeyTextError> {
    match identity.to_recipient()? {
        Recipient::PluginIdentity(_) => Err(KeyTextError::OfPlugin),
        recipient => Ok(recipient.to_secret_text().to_string()),
    }
}
