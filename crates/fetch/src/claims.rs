//! Results that attempts are at, so that no two are at one name at a time.
//!
//! Owns: the names, for as long as an attempt.
//! Does not own: names that are taken by files ([`crate::sync`]).

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names that are in use. Invariant: no more than attempts under way.
#[derive(Default)]
pub(crate) struct Claims(Arc<Mutex<HashSet<PathBuf>>>);

/// A name in use until this is dropped.
pub(crate) struct Claim {
    claims: Claims,
    path: PathBuf,
}

impl Claims {
    /// `path` for the caller alone; `None` while somebody else has it.
    pub(crate) fn claim(&self, path: &Path) -> Option<Claim> {
        let path = path.to_owned();
        self.lock().insert(path.clone()).then(|| Claim { claims: Claims(self.0.clone()), path })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_given_to_one_at_a_time() {
        let claims = Claims::default();
        let one = claims.claim(Path::new("d/x")).unwrap();
        assert!(claims.claim(Path::new("d/x")).is_none());
        assert!(claims.claim(Path::new("d/y")).is_some());
        drop(one);
        assert!(claims.claim(Path::new("d/x")).is_some());
        assert!(claims.lock().is_empty());
    }
}
