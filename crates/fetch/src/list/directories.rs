//! The directories of a run's results, each looked at once.
//!
//! - In one that the run makes, nothing of an earlier run lies, so that no name has to be looked up before its file is
//!   fetched. This only saves the look: publishing never replaces a file that somebody else puts there meanwhile.
//! - From one that exists, the temporary files of killed runs are removed.
//!
//! Owns: which directories were missing when their first file was wanted.
//! Does not own: making directories, the names within the run ([`crate::kept::claims`]), what a leftover is
//! ([`haul_io::sweep`]).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use haul_io::{Io, Location, Publish};

/// The directories of a run's results.
#[derive(Default)]
pub(crate) struct Directories {
    hasher: RandomState,
    /// Whether each was missing, by the hash of its name. Invariant: at most [`COUNT_MAX`].
    is_new: Mutex<HashMap<u64, bool>>,
}

/// How many directories are remembered. In others, every name is looked up and nothing is removed.
const COUNT_MAX: usize = 4_096;

impl Directories {
    /// Looks at the directory of a result, if no earlier result was for it. Returns whether names in it have to be
    /// looked up: files of earlier runs, or of other programs, may lie there.
    pub(crate) async fn enter(&self, io: &impl Io, publish: &Publish) -> bool {
        let path = &publish.path;
        let key = self.key(path);
        if let Some(is_new) = self.known().get(&key) {
            return !is_new;
        }
        let is_missing = match directory_of(path) {
            Some(directory) => is_missing(io, directory).await,
            None => false,
        };
        let is_first = {
            let mut known = self.known();
            // Another task may have looked before the directory was made.
            match known.get(&key) {
                Some(is_new) => return !is_new,
                None if known.len() < COUNT_MAX => known.insert(key, is_missing).is_none(),
                None => return true,
            }
        };
        if is_first && !is_missing {
            let location = match publish.root_bytes {
                Some(root_bytes) => Location::beneath(path, root_bytes),
                None => Location::named(path),
            };
            haul_io::sweep(io, location).await;
        }
        !is_missing
    }

    /// Forgets that the directory of `path` is new: somebody else puts files there.
    pub(crate) fn forget(&self, path: &Path) {
        self.known().entry(self.key(path)).and_modify(|is_new| *is_new = false);
    }

    fn key(&self, path: &Path) -> u64 {
        self.hasher.hash_one(directory_of(path).map(|directory| directory.as_os_str().as_encoded_bytes()))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u64, bool>> {
        self.is_new.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The directory part of `path`; `None` if that is the working directory.
fn directory_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|parent| !parent.as_os_str().is_empty())
}

async fn is_missing(io: &impl Io, directory: &Path) -> bool {
    matches!(io.stat_at(None, directory).await, Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use haul_io::sim::{Files, Sim};
    use haul_io::{Blocking, Buf, Cancel, OpenMode, Publish, run_ready};

    use super::*;

    #[test]
    fn a_directory_is_looked_at_once() {
        let mut files = Files::default();
        files.put("old/x", b"x");
        let sim = Sim::with_files(1, files);
        let directories = Directories::default();
        let enter = async |path: &str| directories.enter(&sim, &Publish::new(path)).await;
        let steps = async {
            assert!(enter("old/x").await);
            assert!(!enter("new/x").await);
            haul_io::write_file(&sim, Publish::new("new/x"), Buf::from(b"x".to_vec())).await.0.unwrap();
            assert!(enter("old/y").await, "names in old directories are looked up");
            assert!(!enter("new/x").await, "those in new ones aren't");
            directories.forget(Path::new("new/x"));
            assert!(enter("new/x").await, "until a file of somebody else turned up");
            assert!(enter("x").await, "the working directory exists");
        };
        sim.run(steps).unwrap();
    }

    #[test]
    fn leftovers_go_unless_they_are_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let io = Blocking::new(Cancel::new().unwrap());
        let directories = Directories::default();
        let publish = Publish::new(dir.path().join("x"));
        let (left, used) = (".haul-0123456789abcdef.tmp", ".haul-fedcba9876543210.tmp");
        let (probe, others) = (haul_io::probe_name(7), ".haul-notes.tmp");
        for name in [left, &probe, others] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let held = run_ready(io.open(None, &dir.path().join(used), OpenMode::CreateNew)).unwrap();
        assert!(run_ready(directories.enter(&io, &publish)));
        let there = |name: &str| dir.path().join(name).exists();
        assert_eq!([left, &probe, used, others].map(there), [false, false, true, true]);
        drop(held);
        run_ready(directories.enter(&io, &publish));
        assert!(there(used), "a directory is read once");
    }
}
