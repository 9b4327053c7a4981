//! The identity of a tree that is sealed with a passphrase: the passphrase protects it, and it opens all files.
//!
//! scrypt takes about a second by design, so it runs once for a tree instead of once for each file. The identity lies
//! beside the results in `haul-identity.age`; `age -d -i haul-identity.age` opens the files as well.
//!
//! Owns: the directory of that file, creating it, finding it.
//! Does not own: its grammar ([`haul_seal::protected_file`]), passphrases.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use haul_seal::{Identity, Passphrase, Recipient, TREE_IDENTITY_NAME, X25519Identity, protected_file};

use super::key_file::{read_protected_identities, unusable_key};
use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::run::random::system_random;
use crate::run::short_file::create_private;

/// The directories that get an identity when `inputs` are sealed; none for a single file, which the passphrase seals
/// directly.
pub(crate) fn directories(inputs: &[PathBuf], output: Option<&Path>) -> BTreeSet<PathBuf> {
    match (inputs, output) {
        ([input], _) if !input.is_dir() => BTreeSet::new(),
        (_, Some(output)) => BTreeSet::from([output.to_owned()]),
        (inputs, None) => inputs.iter().map(|input| directory_of(input)).collect(),
    }
}

/// Reads the identities that lie beside `inputs`, which are to be opened.
pub(super) fn find_beside(inputs: &[PathBuf], passphrase: &Passphrase) -> Result<Vec<Identity>, Problem> {
    let directories: BTreeSet<PathBuf> = inputs.iter().map(|input| directory_of(input)).collect();
    let files = directories.iter().map(|directory| directory.join(TREE_IDENTITY_NAME));
    let mut identities = Vec::new();
    for path in files.filter(|path| path.exists()) {
        identities.extend(read_protected_identities(&path, passphrase)?);
    }
    Ok(identities)
}

/// The recipients for all `directories`: those of the identities that exist there, and that of a new identity, which is
/// stored in every directory that lacks one.
pub(super) fn recipients_in(
    directories: &BTreeSet<PathBuf>,
    passphrase: &Passphrase,
    voice: &Voice,
) -> Result<Vec<Recipient>, Problem> {
    let mut recipients = Vec::new();
    let mut missing = Vec::new();
    for path in directories.iter().map(|directory| directory.join(TREE_IDENTITY_NAME)) {
        if !path.exists() {
            missing.push(path);
            continue;
        }
        for identity in read_protected_identities(&path, passphrase)? {
            recipients.push(identity.to_recipient().map_err(unusable_key(&path))?);
        }
    }
    if !missing.is_empty() {
        let mut random = system_random();
        let identity = X25519Identity::generate_with(&mut random);
        recipients.push(Recipient::X25519(identity.to_recipient()));
        let mut file = identity.to_secret_text();
        file.push('\n');
        let sealed = protected_file(&file, passphrase, &mut random);
        for path in &missing {
            create(path, &sealed)?;
            voice.note(format!("the passphrase seals {}, which opens the files", quoted(path)));
        }
    }
    Ok(recipients)
}

fn directory_of(input: &Path) -> PathBuf {
    if input.is_dir() {
        return input.to_owned();
    }
    input.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Creates the file and makes it durable: without it, nothing that is sealed next can be opened.
fn create(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let problem = |error: std::io::Error| {
        Problem::usage(format!("cannot create {}: {}", quoted(path), haul_io::reason(&error)))
    };
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).and_then(|()| create_private(path, bytes)).map_err(problem)?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| {
        let _ = std::fs::remove_file(path);
        problem(error)
    })
}
