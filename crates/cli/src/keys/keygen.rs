//! `haul keygen`: generates identities, in files of age-keygen's form, and prints the recipients of existing ones.
//!
//! Owns: the form of the file.
//! Does not own: keys, passphrases.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use haul_seal::{HybridIdentity, Identity, KeyTextError, Recipient, X25519Identity, protected_file};

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
        let mut file = identity.to_secret_text();
        file.insert_str(0, &format!("# created: {created}\n# public key: {recipient}\n"));
        file.push('\n');
        let passphrase = self.passphrase.read(Prompts::Twice)?;
        let protected = passphrase.map(|passphrase| protected_file(&file, &passphrase, &mut random));
        let bytes = protected.as_deref().unwrap_or(file.as_bytes());
        if let Some(path) = output {
            create_private(path, bytes).map_err(|error| {
                let reason = haul_io::reason(&error);
                let problem = Problem::usage(format!("cannot create key file {}: {reason}", quoted(path)));
                Problem { exit: Exit::Usage.max(Exit::of_write(&error)), ..problem }
            })?;
            voice.data(recipient);
            return Ok(());
        }
        let is_stored = voice.data(String::from_utf8_lossy(bytes).trim_end());
        // A protected file doesn't show its recipient.
        if protected.is_some() && is_stored {
            voice.note(format!("the recipient is {recipient}"));
        }
        Ok(())
    }
}

/// The recipient of an identity from a file, which is never a passphrase.
fn recipient_text(identity: &Identity) -> Result<String, KeyTextError> {
    match identity.to_recipient()? {
        Recipient::PluginIdentity(_) => Err(KeyTextError::OfPlugin),
        recipient => Ok(recipient.to_secret_text().to_string()),
    }
}
