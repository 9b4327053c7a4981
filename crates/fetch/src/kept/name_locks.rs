//! Locks on the names of results, so that no two attempts of a job write the same file.
//!
//! Owns: the names in use.
//! Does not own: files that exist already ([`crate::kept::sync`]).

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names in use. Invariant: no more than there are active attempts.
#[derive(Default)]
pub(crate) struct NameLocks(Arc<Mutex<HashSet<PathBuf>>>);

/// The lock on one name; released when this is dropped.
pub(crate) struct NameLock {
    locks: NameLocks,
    path: PathBuf,
}

impl NameLocks {
    /// Locks `path`; `None` while another attempt has it.
    pub(crate) fn try_lock(&self, path: &Path) -> Option<NameLock> {
        let path = path.to_owned();
        self.names().insert(path.clone()).then(|| NameLock { locks: NameLocks(self.0.clone()), path })
    }

    fn names(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        self.locks.names().remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_locked_by_one_attempt_at_a_time() {
        let locks = NameLocks::default();
        let one = locks.try_lock(Path::new("d/x")).unwrap();
        assert!(locks.try_lock(Path::new("d/x")).is_none());
        assert!(locks.try_lock(Path::new("d/y")).is_some());
        drop(one);
        assert!(locks.try_lock(Path::new("d/x")).is_some());
        assert!(locks.names().is_empty());
    }
}
