//! Files of recipients and identities.
//!
//! Owns: reading them, unlocking those that a passphrase protects, messages about them.
//! Does not own: their grammar and cryptography ([`haul_seal`]), where passphrases come from ([`super::passphrase`]).

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use haul_io::reason;
use haul_seal::{
    Identity, KeyFileError, KeyTextError, Passphrase, Recipient, identities_in, protected_identities_in,
    recipients_in,
};

use super::passphrase::{PassphraseSource, Prompts, prompt};
use crate::report::exit::{Exit, Problem};
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::run::short_file::read_bytes;

/// The longest file of recipients or identities, in bytes.
const KEY_FILE_BYTES_MAX: u64 = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyFileKind {
    Identities,
    Recipients,
}

impl KeyFileKind {
    fn name(self) -> &'static str {
        match self {
            Self::Identities => "identity file",
            Self::Recipients => "recipients file",
        }
    }
}

/// Reads a file of recipients.
pub(super) fn read_recipients(path: &Path) -> Result<Vec<Recipient>, Problem> {
    let file = read(path, KeyFileKind::Recipients)?;
    recipients_in(&file).map_err(|error| invalid(path, KeyFileKind::Recipients, &error))
}

/// The identities in `file`, read from `path`, that `passphrase` protects.
pub(super) fn protected_identities(
    path: &Path,
    file: &[u8],
    passphrase: &Passphrase,
) -> Result<Vec<Identity>, Problem> {
    protected_identities_in(file, passphrase).map_err(|error| invalid(path, KeyFileKind::Identities, &error))
}

/// Warns if users other than the owner can read the identity file.
pub(super) fn warn_if_exposed(path: &Path, voice: &Voice) {
    if path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o044 != 0) {
        voice.warning(format!("identity file {} can be read by others", quoted(path)));
    }
}

/// The problem with a key in the file at `path` that is well-formed but of no use here.
pub(super) fn unusable_key(path: &Path) -> impl Fn(KeyTextError) -> Problem {
    let path = quoted(path);
    move |error| Problem::usage(format!("{path} holds a key that is {error}"))
}

/// Reads identity files, and unlocks those that a passphrase protects.
pub(super) struct Unlocker<'a> {
    source: &'a PassphraseSource,
    /// The passphrase from the file descriptor or file, once one was needed: a descriptor can be read only once.
    scripted: Option<Option<Passphrase>>,
}

impl<'a> Unlocker<'a> {
    pub(super) fn new(source: &'a PassphraseSource) -> Self {
        Self { source, scripted: None }
    }

    /// Reads the identities in the file at `path`, and asks for its passphrase if it has one.
    pub(super) fn read_identities(&mut self, path: &Path) -> Result<Vec<Identity>, Problem> {
        let file = read(path, KeyFileKind::Identities)?;
        let result = match identities_in(&file) {
            Err(KeyFileError::Protected) => protected_identities_in(&file, &self.passphrase_of(path)?),
            other => other,
        };
        result.map_err(|error| invalid(path, KeyFileKind::Identities, &error))
    }

    /// The passphrase for the data, once all identity files are unlocked. A scripted passphrase that unlocked an
    /// identity file also counts for the data only with `-p`.
    pub(super) fn data_passphrase(self, prompts: Prompts) -> Result<Option<Passphrase>, Problem> {
        match self.scripted.flatten() {
            Some(passphrase) => Ok(Some(passphrase).filter(|_| self.source.prompt)),
            None => self.source.read(prompts),
        }
    }

    fn passphrase_of(&mut self, path: &Path) -> Result<Passphrase, Problem> {
        if self.scripted.is_none() {
            self.scripted = Some(self.source.read_scripted()?);
        }
        match self.scripted.clone().flatten() {
            Some(passphrase) => Ok(passphrase),
            None => prompt(&format!("Passphrase of {}", quoted(path)), Prompts::Once),
        }
    }
}

fn read(path: &Path, kind: KeyFileKind) -> Result<Vec<u8>, Problem> {
    read_bytes(path, KEY_FILE_BYTES_MAX).map_err(|error| {
        let name = kind.name();
        let problem = Problem::usage(format!("cannot open {name} {}: {}", quoted(path), reason(&error)));
        if kind == KeyFileKind::Identities && error.kind() == std::io::ErrorKind::NotFound {
            return problem.hint(format!("create one with \"haul keygen -o {}\"", path.display()));
        }
        problem
    })
}

fn invalid(path: &Path, kind: KeyFileKind, error: &KeyFileError) -> Problem {
    let file = format!("{} {}", kind.name(), quoted(path));
    let problem = Problem::usage(match error {
        KeyFileError::Line { .. } => format!("{file}, {error}"),
        KeyFileError::Empty => format!("{file} {error}"),
        _ => format!("{file}: {error}"),
    });
    match error {
        KeyFileError::WrongPassphrase => Problem { exit: Exit::NoMatch, ..problem },
        _ => problem,
    }
}
