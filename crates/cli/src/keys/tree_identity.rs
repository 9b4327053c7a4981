//! The identity of a tree that is sealed with a passphrase: the passphrase protects it, and it opens all files.
//!
//! scrypt takes about a second by design, so it runs once for a tree instead of once for each file. The identity lies
//! beside the results in `haul-identity.age`; `age -d -i haul-identity.age` opens the files as well.
//!
//! Owns: the directory of that file, creating it, its use for sealing.
//! Does not own: whether a file is believed ([`super::tree_file`]), finding it for opening ([`super::tree_search`]),
//! its grammar ([`haul_seal::protected_file`]), passphrases.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use haul_seal::{
    HybridIdentity, Identity, Passphrase, TREE_IDENTITY_NAME, WORK_FACTOR_IN_TREES_MAX, X25519Identity,
    protected_file,
};

use super::key_file::{protected_identities, unusable_key};
use super::keygen::joined;
use super::tree_file;
use crate::report::exit::{Exit, Problem};
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

/// What protects the identities of trees.
pub(super) struct Protection<'a> {
    pub(super) passphrase: &'a Passphrase,
    /// Identities are post-quantum, new ones and those that exist.
    pub(super) post_quantum: bool,
}

/// The identities for all `directories`: those that exist there, and a new one, which is stored in every directory that
/// lacks one. Each has a recipient.
pub(super) fn identities_in(
    directories: &BTreeSet<PathBuf>,
    protection: &Protection<'_>,
    voice: &Voice,
) -> Result<Vec<Identity>, Problem> {
    let mut identities = Vec::new();
    let mut has_hybrid = false;
    let mut missing = Vec::new();
    for path in directories.iter().map(|directory| directory.join(TREE_IDENTITY_NAME)) {
        let Some(file) = tree_file::read(&path).map_err(|reason| unbelievable(&path, &reason))? else {
            missing.push(path);
            continue;
        };
        let passphrase = protection.passphrase.clone().opening_up_to(WORK_FACTOR_IN_TREES_MAX);
        for identity in protected_identities(&path, &file, &passphrase)? {
            let recipient = identity.to_recipient().map_err(unusable_key(&path))?;
            if protection.post_quantum && !recipient.is_post_quantum() {
                let problem =
                    Problem::usage(format!("the identity in {} is not post-quantum", quoted(&path)));
                return Err(problem.hint("seal into a new directory with -o, or omit --pq"));
            }
            has_hybrid |= recipient.is_post_quantum();
            identities.push(identity);
        }
    }
    if !missing.is_empty() {
        // All recipients of a file must be post-quantum for it to be so.
        let identity = generate(protection.post_quantum || has_hybrid);
        let file = joined(&[&identity.to_secret_text(), "\n"]);
        let sealed = protected_file(&file, protection.passphrase, &mut system_random())
            .map_err(|error| Problem::usage(error.to_string()))?;
        for path in &missing {
            create(path, &sealed)?;
            voice.note(format!("the passphrase seals {}, which opens the files", quoted(path)));
        }
        identities.push(identity);
    }
    Ok(identities)
}

fn generate(post_quantum: bool) -> Identity {
    let mut random = system_random();
    if post_quantum {
        Identity::Hybrid(HybridIdentity::generate_with(&mut random))
    } else {
        Identity::X25519(X25519Identity::generate_with(&mut random))
    }
}

/// The problem with sealing to the file at `path`, which isn't believed for `reason`.
fn unbelievable(path: &Path, reason: &str) -> Problem {
    let problem = Problem::usage(format!("{} {reason}, so nothing is sealed to it", quoted(path)));
    problem
        .hint(format!("remove it: in a tree, {TREE_IDENTITY_NAME} is an identity that your passphrase seals"))
}

/// The directory of `input`, or `input` itself if it is one.
pub(super) fn directory_of(input: &Path) -> PathBuf {
    if input.is_dir() {
        return input.to_owned();
    }
    input.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Creates the file and makes it durable: without it, nothing that is sealed next can be opened.
fn create(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let problem = |error: std::io::Error| {
        let problem = Problem::usage(format!("cannot create {}: {}", quoted(path), haul_io::reason(&error)));
        Problem { exit: Exit::Usage.max(Exit::of_write(&error)), ..problem }
    };
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).and_then(|()| create_private(path, bytes)).map_err(problem)
}
