//! Recipients and identities, from wherever they are named.
//!
//! Owns: reading and making key files, what is said of them, which passphrase unlocks them.
//! Does not own: their grammar, cryptography, where passphrases come from.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use haul_io::reason;
use haul_seal::{
    Identity, KeyFileError, KeyTextError, Passphrase, Recipient, identities_in, protected_identities_in,
    recipients_in,
};

use crate::args::{PassphraseArgs, SealArgs};
use crate::exit::{Exit, Problem};
use crate::passphrase::{self, Asked};
use crate::plugins;
use crate::tree_identity;
use crate::voice::{Voice, quoted};

/// The longest key file or list of recipients that is read, in bytes.
const KEY_FILE_BYTES_MAX: u64 = 1 << 20;
const IDENTITY_FILE: &str = "identity file";
const RECIPIENTS_FILE: &str = "recipients file";

/// Whom to seal to. A passphrase seals the identity at each of `places`, or where there is none, the file itself.
pub(crate) fn recipients(
    args: &SealArgs,
    places: &BTreeSet<PathBuf>,
    voice: &Voice,
) -> Result<Vec<Recipient>, Problem> {
    let mut recipients = Vec::new();
    for text in &args.recipient {
        let refused = |error: KeyTextError| {
            // It isn't repeated: the terminal's history has it once too often.
            if text.starts_with("AGE-") {
                return Problem::usage("a recipient is wanted, not an identity")
                    .hint("a file of identities is given with -i");
            }
            let problem = Problem::usage(format!("the recipient {} is {error}", quoted(text)));
            if Path::new(text).exists() {
                problem.hint("a file of recipients is given with -R")
            } else {
                problem
            }
        };
        recipients.push(text.parse().map_err(refused)?);
    }
    for path in &args.recipients_file {
        let file = read_key_file(path, RECIPIENTS_FILE)?;
        recipients.extend(recipients_in(&file).map_err(refused(path, RECIPIENTS_FILE))?);
    }
    let mut unlocking = Unlocking { args: &args.files.secret, scripted: None };
    for path in &args.identity {
        warn_if_exposed(path, voice);
        for identity in identities_of(path, &mut unlocking)? {
            let of_no_use = |error| Problem::usage(format!("{} holds a key that is {error}", quoted(path)));
            recipients.push(identity.to_recipient().map_err(of_no_use)?);
        }
    }
    if let Some(passphrase) = unlocking.for_files(Asked::Twice)? {
        match places.is_empty() {
            true => recipients.push(Recipient::Passphrase(passphrase)),
            false => recipients.extend(tree_identity::recipients_at(places, &passphrase, voice)?),
        }
    }
    if recipients.is_empty() {
        let problem = Problem::usage("nobody to seal to");
        return Err(
            problem.hint("name a recipient with -r or -R, an identity with -i, or a passphrase with -p")
        );
    }
    plugins::check_recipients(&recipients, voice)?;
    Ok(recipients)
}

/// What to open `inputs` with. A passphrase opens files, and the identity that lies beside them, with `-p` or where no
/// identity file asked for it.
pub(crate) fn identities(
    files: &[PathBuf],
    args: &PassphraseArgs,
    inputs: &[PathBuf],
    voice: &Voice,
) -> Result<Vec<Identity>, Problem> {
    let mut unlocking = Unlocking { args, scripted: None };
    let mut identities = Vec::new();
    for path in files {
        warn_if_exposed(path, voice);
        identities.extend(identities_of(path, &mut unlocking)?);
    }
    if let Some(passphrase) = unlocking.for_files(Asked::Once)? {
        identities.extend(tree_identity::found_beside(inputs, &passphrase)?);
        identities.push(Identity::Passphrase(passphrase));
    }
    if identities.is_empty() {
        return Err(Problem::usage("nothing to open with")
            .hint("name an identity file with -i, or a passphrase with -p"));
    }
    plugins::check_identities(&identities, voice)?;
    Ok(identities)
}

/// The identities in one file.
pub(crate) fn identities_in_file(path: &Path, args: &PassphraseArgs) -> Result<Vec<Identity>, Problem> {
    identities_of(path, &mut Unlocking { args, scripted: None })
}

/// The identities in a file that `passphrase` seals.
pub(crate) fn identities_under(path: &Path, passphrase: &Passphrase) -> Result<Vec<Identity>, Problem> {
    let file = read_key_file(path, IDENTITY_FILE)?;
    protected_identities_in(&file, passphrase).map_err(refused(path, IDENTITY_FILE))
}

/// Passphrases of identity files.
struct Unlocking<'a> {
    args: &'a PassphraseArgs,
    /// What the script provides, once somebody asked: a descriptor can be read once only.
    scripted: Option<Option<Passphrase>>,
}

impl Unlocking<'_> {
    /// The one for files, once identity files are unlocked: what a script provided for these is for files only with `-p`.
    fn for_files(self, asked: Asked) -> Result<Option<Passphrase>, Problem> {
        match self.scripted.flatten() {
            Some(passphrase) => Ok(Some(passphrase).filter(|_| self.args.passphrase)),
            None => passphrase::for_files(self.args, asked),
        }
    }

    fn passphrase_of(&mut self, path: &Path) -> Result<Passphrase, Problem> {
        if self.scripted.is_none() {
            self.scripted = Some(passphrase::scripted(self.args)?);
        }
        match self.scripted.clone().flatten() {
            Some(passphrase) => Ok(passphrase),
            None => passphrase::prompt(&format!("Passphrase of {}", quoted(path)), Asked::Once),
        }
    }
}

fn identities_of(path: &Path, unlocking: &mut Unlocking<'_>) -> Result<Vec<Identity>, Problem> {
    let file = read_key_file(path, IDENTITY_FILE)?;
    let result = match identities_in(&file) {
        Err(KeyFileError::Protected) => protected_identities_in(&file, &unlocking.passphrase_of(path)?),
        other => other,
    };
    result.map_err(refused(path, IDENTITY_FILE))
}

/// What is said of a key file that isn't one.
fn refused(path: &Path, what: &str) -> impl FnOnce(KeyFileError) -> Problem {
    let file = format!("{what} {}", quoted(path));
    move |error| {
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
}

/// The bytes of a file as a key to XOR with.
pub(crate) fn xor_key(path: &Path) -> Result<Vec<u8>, Problem> {
    let refused = |error: std::io::Error| {
        Problem::usage(format!("cannot open key file {}: {}", quoted(path), reason(&error)))
    };
    let mut key = Vec::new();
    let file = File::open(path).map_err(refused)?;
    let count = file.take(KEY_FILE_BYTES_MAX + 1).read_to_end(&mut key).map_err(refused)?;
    if count as u64 > KEY_FILE_BYTES_MAX {
        return Err(Problem::usage(format!(
            "key file {} is longer than {KEY_FILE_BYTES_MAX} bytes",
            quoted(path)
        )));
    }
    Ok(key)
}

/// Makes a file that only its owner may read, and writes it back. On failure nothing is left of it: half a key file opens
/// nothing, and would be taken for one.
pub(crate) fn create_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| {
        let _ = std::fs::remove_file(path);
    })
}

fn read_key_file(path: &Path, what: &str) -> Result<Vec<u8>, Problem> {
    read_short(path).map_err(|error| {
        let problem = Problem::usage(format!("cannot open {what} {}: {}", quoted(path), reason(&error)));
        match error.kind() {
            std::io::ErrorKind::NotFound if what == IDENTITY_FILE => {
                problem.hint(format!("create one with \"haul keygen -o {}\"", path.display()))
            }
            _ => problem,
        }
    })
}

fn read_short(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = File::open(path)?.take(KEY_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if count as u64 > KEY_FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("longer than {KEY_FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

fn warn_if_exposed(path: &Path, voice: &Voice) {
    if path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o044 != 0) {
        voice.warning(format!("identity file {} can be read by others", quoted(path)));
    }
}
