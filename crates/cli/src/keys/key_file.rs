//! Files of recipients and identities.
//!
//! Owns: reading them, unlocking those that a passphrase protects, messages about them.
//! Does not own: their grammar and cryptography ([`haul_seal`]), where passphrases come from ([`super::passphrase`]).

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use haul_io::reason;
use haul_seal::{
    Identity, KeyFileError, KeyTextError, Passphrase, Recipient, identities_in, protected_identities_in,
    recipients_in,
};
use zeroize::Zeroizing;

use super::passphrase::{PassphraseSource, Prompts, prompt};
use crate::report::exit::{Exit, Problem};
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::run::short_file::{read_secret, read_secret_from};

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

/// Reads a file of recipients. Says which of its keys can't be sealed to.
pub(super) fn read_recipients(path: &Path, voice: &Voice) -> Result<Vec<Recipient>, Problem> {
    let file = read(path, KeyFileKind::Recipients)?;
    let list = recipients_in(&file).map_err(|error| invalid(path, KeyFileKind::Recipients, &error))?;
    for number in list.unsupported {
        // Even with -q: the owner of the key won't be able to open the result.
        voice.notice(format!(
            "warning: recipients file {}, line {number}: left out, an SSH key of a type or size that can't be sealed to",
            quoted(path)
        ));
    }
    Ok(list.recipients)
}

/// Whether `path` stands for stdin.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The name under which the file at `path` is examined: stdin may be a file of a tree, too.
pub(super) fn by_name(path: &Path) -> PathBuf {
    if is_stdin(path) { PathBuf::from("/dev/stdin") } else { path.to_owned() }
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
    if !is_stdin(path)
        && path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o044 != 0)
    {
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

/// Whether the file at `path` holds identities, in clear text or under a passphrase.
pub(super) fn holds_identities(path: &Path) -> bool {
    let Ok(file) = read_secret(path, KEY_FILE_BYTES_MAX) else { return false };
    matches!(identities_in(&file), Ok(_) | Err(KeyFileError::Protected))
}

/// Reads the file at `path`, or stdin.
fn read(path: &Path, kind: KeyFileKind) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let bytes = if is_stdin(path) {
        unbuffered_stdin().and_then(|stdin| read_secret_from(stdin, KEY_FILE_BYTES_MAX))
    } else {
        read_secret(path, KEY_FILE_BYTES_MAX)
    };
    bytes.map_err(|error| {
        let name = kind.name();
        let problem = Problem::usage(format!("cannot open {name} {}: {}", quoted(path), reason(&error)));
        match (kind, path.to_str().map(|text| (text, text.parse::<Recipient>()))) {
            (_, Some((_, Err(KeyTextError::Identity)))) => problem
                .hint("this is an identity itself: name a file that holds it, or give it on stdin with -i -"),
            (KeyFileKind::Identities, Some((_, Ok(_)))) => {
                problem.hint("this is a recipient, which opens nothing: name a file of identities")
            }
            (KeyFileKind::Recipients, Some((_, Ok(_)))) => {
                problem.hint("this is a recipient itself: name it with -r")
            }
            (KeyFileKind::Identities, Some((text, _))) if error.kind() == io::ErrorKind::NotFound => {
                problem.hint(format!("create one with \"haul keygen -o {text}\""))
            }
            _ => problem,
        }
    })
}

/// Stdin without a buffer, in which copies of a secret would remain.
fn unbuffered_stdin() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
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
        KeyFileError::Line { error: KeyTextError::Identity, .. } => {
            problem.hint("-i names a file of identities, also to seal to them")
        }
        KeyFileError::Line { error: KeyTextError::Recipient, .. } => {
            problem.hint("a recipient opens nothing: name the file of its identity")
        }
        _ => problem,
    }
}
