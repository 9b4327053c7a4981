//! Which results a run has promised, so that two tasks never share a result and no result takes the place of a source.
//!
//! Names of inputs are compared before anything starts. Below them, results are compared during the walk if existing
//! results are replaced; otherwise publishing itself refuses the second one.
//!
//! Owns: comparing names, file systems that ignore case, names that no result may have.
//! Does not own: the names of results ([`super::placement`]).

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::placement::{NameError, is_identity_name};

/// The longest file name on Linux, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Why no result may have the file name `name`; `None` if it may.
pub(super) fn unfit(name: &OsStr, suffix: &OsStr) -> Option<&'static str> {
    let bytes = name.as_bytes();
    let stem = bytes.strip_suffix(suffix.as_bytes()).unwrap_or(bytes);
    match stem {
        b"." | b".." => Some("the result would have no name"),
        _ if bytes.is_empty() => Some("the result would have no name"),
        _ if is_identity_name(name) => Some("the result would take the name of a tree's identity"),
        _ if haul_io::is_temporary(name) => Some("the result would take the name of a temporary file"),
        _ if bytes.len() > NAME_BYTES_MAX => Some("the name of the result is too long"),
        _ => None,
    }
}

/// A name in a directory: the directory's real path if it exists, and the last component.
pub(super) fn real_name(path: &Path) -> PathBuf {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    directory.join(path.file_name().unwrap_or_default())
}

/// Checks the pairs of source and result of inputs that are files, and the `mirrors` of inputs that are directories.
///
/// # Errors
/// Two of them share a result, or a result would take the place of a source.
pub(super) fn check_inputs(pairs: &[(PathBuf, PathBuf)], mirrors: &[PathBuf]) -> Result<(), NameError> {
    let mut results = HashMap::new();
    for target in pairs.iter().map(|(_, target)| target).chain(mirrors) {
        let name = real_name(target);
        match results.entry(folded(&name)) {
            Entry::Vacant(free) => drop(free.insert(name)),
            Entry::Occupied(taken) if *taken.get() == name || merges_names(target) => {
                return Err(NameError::SameResult(target.clone()));
            }
            Entry::Occupied(_) => {}
        }
    }
    let sources: HashSet<PathBuf> = pairs.iter().map(|(source, _)| real_name(source)).collect();
    for (source, target) in pairs {
        if sources.contains(&real_name(target)) || are_one_file(source, target) {
            return Err(NameError::ResultIsSource(target.clone()));
        }
    }
    Ok(())
}

/// Whether two names lead to one file with one name, as on a file system that ignores case.
fn are_one_file(left: &Path, right: &Path) -> bool {
    let (Ok(left), Ok(right)) = (left.symlink_metadata(), right.symlink_metadata()) else { return false };
    (left.dev(), left.ino()) == (right.dev(), right.ino()) && left.nlink() == 1
}

/// Results that were promised in trees. Memory: about 20 bytes for each.
#[derive(Default)]
pub(super) struct Claims {
    /// Hashes of names in their folded form, each with the hash of the first name itself.
    folded: HashMap<u64, u64>,
    /// Hashes of further names with the same letters, in directories that tell them apart.
    variants: HashSet<u64>,
    /// Whether a directory merges such names, by the hash of its name. Directories of one file system may differ.
    merging: HashMap<u64, bool>,
    /// Whether no directory does.
    is_exact: bool,
}

impl Claims {
    /// For results that have their names exactly as they are written, and lie in no file system.
    pub(super) fn exact() -> Self {
        Self { is_exact: true, ..Self::default() }
    }

    /// Claims the result `target`. Returns whether it was free.
    pub(super) fn claim(&mut self, target: &Path) -> bool {
        let exact = hash(target);
        if self.is_exact {
            return self.variants.insert(exact);
        }
        match self.folded.entry(hash(&folded(target))) {
            Entry::Vacant(free) => {
                free.insert(exact);
                true
            }
            Entry::Occupied(taken) if *taken.get() == exact => false,
            Entry::Occupied(_) => {
                let directory = hash(target.parent().unwrap_or(target));
                !*self.merging.entry(directory).or_insert_with(|| merges_names(target))
                    && self.variants.insert(exact)
            }
        }
    }
}

fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What `path` has in common with names that some file systems take for one with it.
fn folded(path: &Path) -> String {
    haul_io::folded(path).unwrap_or_else(|| path.to_string_lossy().into_owned())
}

/// Whether the directory of `target` merges names that differ in what some file systems ignore only. True if that
/// can't be found out: then a file may not be replaced.
fn merges_names(target: &Path) -> bool {
    let Some(directory) =
        target.ancestors().skip(1).find(|above| above.is_dir() || above.as_os_str().is_empty())
    else {
        return true;
    };
    let unique = hash(&(std::process::id(), target, std::time::SystemTime::now()));
    let name = haul_io::probe_name(unique);
    let probe = directory.join(&name);
    if File::options().write(true).create_new(true).open(&probe).is_err() {
        return true;
    }
    let is_there = |other: &String| directory.join(other).symlink_metadata().is_ok();
    let found = haul_io::probe_aliases(&name).iter().any(is_there);
    // A probe that is gone was taken for the leftover of a killed run, perhaps before its other names were looked for.
    let is_gone = std::fs::remove_file(&probe).is_err();
    found || is_gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_result_may_have() {
        for (name, is_fit) in [
            ("a.age", true),
            ("...age.age", true),
            ("....age", true),
            (".", false),
            ("..", false),
            ("..age", false),
            ("...age", false),
            (".age", true),
            ("", false),
            ("haul-identity.age", false),
            ("Haul-Identity.AGE", false),
            ("haul-identity.age. ", false),
            (".haul-0123456789abcdef.tmp", false),
        ] {
            assert_eq!(unfit(name.as_ref(), ".age".as_ref()).is_none(), is_fit, "{name}");
        }
        assert!(unfit("x".repeat(256).as_ref(), ".age".as_ref()).is_some());
        assert!(unfit("x".repeat(255).as_ref(), ".age".as_ref()).is_none());
    }

    #[test]
    fn results_and_sources_of_inputs_are_kept_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["a", "a.age", "b"] {
            std::fs::write(path(name), "x").unwrap();
        }
        let checked = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(source, target)| (path(source), path(target))).collect();
            check_inputs(&pairs, &[]).map_err(|error| error.to_string())
        };
        assert_eq!(checked(&[("a", "a.age"), ("b", "b.age")]), Ok(()));
        assert_eq!(checked(&[("a", "B"), ("b", "b.age"), ("a.age", "A")]), Ok(()));
        let same = format!("two sources would become {:?}", path("./o"));
        assert_eq!(checked(&[("a", "o"), ("b", "./o")]), Err(same));
        for pairs in [&[("a", "a.age"), ("a.age", "a.age.age")][..], &[("a", "a")]] {
            assert!(checked(pairs).unwrap_err().ends_with(", which is one of the sources"), "{pairs:?}");
        }
    }

    #[test]
    fn a_result_is_claimed_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut claims = Claims::default();
        for (name, is_free) in
            [("out/a", true), ("out/A", true), ("out/A", false), ("out/a", false), ("out/b", true)]
        {
            assert_eq!(claims.claim(&dir.path().join(name)), is_free, "{name}");
        }
        assert_eq!(dir.path().read_dir().unwrap().count(), 0, "the probe is gone");
        let mut claims = Claims::exact();
        let claimed = ["a", "A", "a", "b"].map(|name| claims.claim(Path::new(name)));
        assert_eq!(claimed, [true, true, false, true]);
        for (first, second) in
            [("a", "A"), ("\u{e9}", "e\u{301}"), ("\u{c9}", "e\u{301}"), ("a", "a."), ("a", "a\u{200d}")]
        {
            for merges in [true, false] {
                let merging = [(hash(Path::new("")), merges)].into();
                let mut claims = Claims { merging, ..Claims::default() };
                assert!(claims.claim(Path::new(first)), "{first}");
                assert_eq!(claims.claim(Path::new(second)), !merges, "{first} {second}");
            }
        }
    }
}
