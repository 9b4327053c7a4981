//! Results that attempts are at, so that no two are at one name at a time.
//!
//! Owns: the names, for as long as an attempt.
//! Does not own: names that are taken by files ([`crate::kept::sync`]).

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names that are in use. Invariant: no more than attempts under way.
#[derive(Default)]
pub(crate) struct NameLocks(Arc<Mutex<HashSet<PathBuf>>>);

/// A name in use until this is dropped.
pub(crate) struct NameLock {
    locks: NameLocks,
    path: PathBuf,
}

impl NameLocks {
    /// `path` for the caller alone; `None` while somebody else has it.
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
    fn a_name_is_given_to_one_at_a_time() {
        let locks = NameLocks::default();
        let one = locks.try_lock(Path::new("d/x")).unwrap();
        assert!(locks.try_lock(Path::new("d/x")).is_none());
        assert!(locks.try_lock(Path::new("d/y")).is_some());
        drop(one);
        assert!(locks.try_lock(Path::new("d/x")).is_some());
        assert!(locks.names().is_empty());
    }
}
