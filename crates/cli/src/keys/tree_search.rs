//! Finding the identities of trees for opening: beside the inputs, below them and above them, so that a tree opens
//! whole, nested or in part.
//!
//! Owns: where identities are searched, messages about those that are missing or not believed.
//! Does not own: whether a file is believed ([`super::tree_file`]), creating identities ([`super::tree_identity`]).

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use haul_seal::{
    Identity, KeyFileError, Passphrase, TREE_IDENTITY_NAME, WORK_FACTOR_IN_TREES_MAX, protected_identities_in,
};

use super::tree_file;
use super::tree_identity::directory_of;
use crate::report::text::quoted;
use crate::report::voice::Voice;

/// The largest number of different identity files that are unlocked. Each takes about a second by design.
const FILES_MAX: usize = 32;

/// The identities in, below and above `inputs` that `passphrase` unlocks. A file that is not believed or that another
/// passphrase seals is reported and left out.
pub(super) fn find(inputs: &[PathBuf], passphrase: &Passphrase, voice: &Voice) -> Vec<Identity> {
    let mut search = Search {
        passphrase: passphrase.clone().opening_up_to(WORK_FACTOR_IN_TREES_MAX),
        voice,
        directories: HashSet::new(),
        files: HashSet::new(),
        identities: Vec::new(),
    };
    for input in inputs {
        let directory = directory_of(input);
        search.look_in(&directory);
        if input.is_dir() {
            search.look_below(input);
        }
        let canonical = directory.canonicalize().unwrap_or_default();
        canonical.ancestors().skip(1).for_each(|above| search.look_in(above));
    }
    if search.identities.is_empty()
        && let Some(input) = inputs.iter().find(|input| may_need_identity(input))
    {
        voice.warning(format!(
            "no usable {TREE_IDENTITY_NAME} lies beside, below or above {}; what -p sealed as part of a tree opens \
             only with it",
            quoted(input)
        ));
    }
    search.identities
}

/// One search.
struct Search<'a> {
    passphrase: Passphrase,
    voice: &'a Voice,
    /// The directories that were searched, by device and inode.
    directories: HashSet<(u64, u64)>,
    /// The contents of the files that were unlocked. Several trees may share one identity.
    files: HashSet<Vec<u8>>,
    identities: Vec<Identity>,
}

impl Search<'_> {
    fn look_in(&mut self, directory: &Path) {
        let Ok(metadata) = directory.metadata() else { return };
        if self.directories.insert((metadata.dev(), metadata.ino())) {
            self.unlock(&directory.join(TREE_IDENTITY_NAME));
        }
    }

    /// Searches the directories below `root`. A directory that can't be read is reported by the walk.
    fn look_below(&mut self, root: &Path) {
        let mut pending = vec![root.to_owned()];
        while let Some(directory) = pending.pop() {
            let Ok(entries) = directory.read_dir() else { continue };
            for entry in entries.flatten() {
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if entry.file_name() == TREE_IDENTITY_NAME {
                    self.look_in(&directory);
                } else if is_directory {
                    pending.push(entry.path());
                }
            }
        }
    }

    fn unlock(&mut self, path: &Path) {
        let refused = |reason: &str| {
            self.voice.warning(format!("{} {reason} and isn't used", quoted(path)));
        };
        let file = match tree_file::read(path) {
            Ok(None) => return,
            Err(reason) => return refused(&reason),
            Ok(Some(file)) if self.files.contains(&file) => return,
            Ok(Some(_)) if self.files.len() == FILES_MAX => {
                return refused(&format!("is one of more than {FILES_MAX} identity files"));
            }
            Ok(Some(file)) => file,
        };
        match protected_identities_in(&file, &self.passphrase) {
            Ok(identities) => self.identities.extend(identities),
            Err(KeyFileError::WrongPassphrase) => refused("is sealed with another passphrase"),
            Err(error) => refused(&format!("is not an identity file ({error})")),
        }
        self.files.insert(file);
    }
}

/// Whether `input` may be sealed to the identity of a tree: it is a directory, or an age file that no passphrase opens
/// directly.
fn may_need_identity(input: &Path) -> bool {
    let Ok(metadata) = input.metadata() else { return false };
    let mut start = Vec::new();
    metadata.is_dir()
        || metadata.is_file()
            && File::open(input).is_ok_and(|file| file.take(256).read_to_end(&mut start).is_ok())
            && start.starts_with(b"age-encryption.org/v1\n")
            && !start.windows(11).any(|bytes| bytes == b"\n-> scrypt ")
}
