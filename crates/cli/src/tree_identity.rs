//! A passphrase for many files: an identity of its own, sealed with the passphrase, opens them all.
//!
//! scrypt takes about a second by design, so it is done once for a tree and not once for each of its files. The identity lies
//! beside the results in `haul-identity.age`; `age -d -i haul-identity.age` opens the files as well.
//!
//! Owns: where that file lies, making it, finding it again.
//! Does not own: its grammar ([`haul_seal::protected_file`]), passphrases.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use haul_seal::{Identity, Passphrase, Recipient, TREE_IDENTITY_NAME, X25519Identity, protected_file};

use crate::exit::Problem;
use crate::keys;
use crate::plan::system_random;
use crate::voice::{Voice, quoted};

/// Where the identity of what is sealed belongs; nowhere for a single file, which the passphrase seals itself.
pub(crate) fn places_of_results(inputs: &[PathBuf], output: Option<&Path>) -> BTreeSet<PathBuf> {
    match (inputs, output) {
        ([input], _) if !input.is_dir() => BTreeSet::new(),
        (_, Some(output)) => BTreeSet::from([output.to_owned()]),
        (inputs, None) => inputs.iter().map(|input| place_of(input)).collect(),
    }
}

/// The identities that lie beside `inputs`, which are to be opened.
pub(crate) fn found_beside(inputs: &[PathBuf], passphrase: &Passphrase) -> Result<Vec<Identity>, Problem> {
    let places: BTreeSet<PathBuf> = inputs.iter().map(|input| place_of(input)).collect();
    let mut identities = Vec::new();
    for path in places.iter().map(|place| place.join(TREE_IDENTITY_NAME)).filter(|path| path.exists()) {
        identities.extend(keys::identities_under(&path, passphrase)?);
    }
    Ok(identities)
}

/// Recipients for all of `places`: of the identities that lie there, and of a new one for places where none does.
pub(crate) fn recipients_at(
    places: &BTreeSet<PathBuf>,
    passphrase: &Passphrase,
    voice: &Voice,
) -> Result<Vec<Recipient>, Problem> {
    let mut recipients = Vec::new();
    let mut missing = Vec::new();
    for path in places.iter().map(|place| place.join(TREE_IDENTITY_NAME)) {
        if !path.exists() {
            missing.push(path);
            continue;
        }
        for identity in keys::identities_under(&path, passphrase)? {
            let recipient = identity.to_recipient();
            let bad = |error| Problem::usage(format!("{} holds a key that is {error}", quoted(&path)));
            recipients.push(recipient.map_err(bad)?);
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

fn place_of(input: &Path) -> PathBuf {
    let parent = || input.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if input.is_dir() { input.to_owned() } else { parent().to_owned() }
}

/// Makes the file and sees to it that it survives a power cut: without it, nothing that is sealed next can be opened.
fn create(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let refused = |error: std::io::Error| {
        Problem::usage(format!("cannot create {}: {}", quoted(path), haul_io::reason(&error)))
    };
    let place = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(place).and_then(|()| keys::create_private(path, bytes)).map_err(refused)?;
    File::open(place).and_then(|place| place.sync_all()).map_err(|error| {
        let _ = std::fs::remove_file(path);
        refused(error)
    })
}
