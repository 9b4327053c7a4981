//! Directories that the run makes. Nothing of an earlier run lies in them, so that no name has to be looked up before
//! its file is fetched.
//!
//! This only saves the look: publishing never replaces a file that somebody else puts there meanwhile.
//!
//! Owns: which directories were missing when their first file was wanted.
//! Does not own: making directories, the names within the run ([`crate::kept::claims`]).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use haul_io::Io;

/// The directories of a run's results.
#[derive(Default)]
pub(crate) struct NewDirectories {
    hasher: RandomState,
    /// Whether each was missing, by the hash of its name. Invariant: at most [`COUNT_MAX`].
    is_new: Mutex<HashMap<u64, bool>>,
}

/// How many directories are remembered. In others, every name is looked up.
const COUNT_MAX: usize = 4_096;

impl NewDirectories {
    /// Whether a file of an earlier run, or of another program, has the name `path`.
    pub(crate) async fn has(&self, io: &impl Io, path: &Path) -> bool {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let Some(directory) = directory else { return exists(io, path).await };
        let key = self.hasher.hash_one(directory.as_os_str().as_encoded_bytes());
        let known = self.known().get(&key).copied();
        let is_new = match known {
            Some(is_new) => is_new,
            None => {
                let is_missing = is_missing(io, directory).await;
                let mut known = self.known();
                if known.len() < COUNT_MAX {
                    // Another task may have looked before the directory was made.
                    *known.entry(key).or_insert(is_missing)
                } else {
                    false
                }
            }
        };
        !is_new && exists(io, path).await
    }

    /// Forgets that the directory of `path` is new: somebody else puts files there.
    pub(crate) fn forget(&self, path: &Path) {
        if let Some(directory) = path.parent() {
            let key = self.hasher.hash_one(directory.as_os_str().as_encoded_bytes());
            self.known().entry(key).and_modify(|is_new| *is_new = false);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u64, bool>> {
        self.is_new.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn exists(io: &impl Io, path: &Path) -> bool {
    io.stat_at(None, path).await.is_ok()
}

async fn is_missing(io: &impl Io, directory: &Path) -> bool {
    matches!(io.stat_at(None, directory).await, Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use haul_io::sim::{Files, Sim};
    use haul_io::{Buf, Publish};

    use super::*;

    #[test]
    fn a_directory_is_looked_at_once() {
        let mut files = Files::default();
        files.put("old/x", b"x");
        let sim = Sim::with_files(1, files);
        let directories = NewDirectories::default();
        let steps = async {
            assert!(directories.has(&sim, Path::new("old/x")).await);
            assert!(!directories.has(&sim, Path::new("old/y")).await);
            assert!(!directories.has(&sim, Path::new("new/x")).await);
            haul_io::write_file(&sim, Publish::new("new/x"), Buf::from(b"x".to_vec())).await.0.unwrap();
            haul_io::write_file(&sim, Publish::new("old/y"), Buf::from(b"y".to_vec())).await.0.unwrap();
            assert!(
                directories.has(&sim, Path::new("old/y")).await,
                "names in old directories are looked up"
            );
            assert!(!directories.has(&sim, Path::new("new/x")).await, "those in new ones aren't");
            directories.forget(Path::new("new/x"));
            assert!(
                directories.has(&sim, Path::new("new/x")).await,
                "until a file of somebody else turned up"
            );
            assert!(!directories.has(&sim, Path::new("x")).await, "the working directory exists");
        };
        sim.run(steps).unwrap();
    }
}
