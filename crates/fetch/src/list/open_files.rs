//! Files that stay open while their task rests between attempts.
//!
//! Owns: their number, which is bounded, as each takes a descriptor of the process.
//! Does not own: the files.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Permissions to keep a file open.
#[derive(Default)]
pub(crate) struct OpenFilePermits(Arc<AtomicUsize>);

/// One permission; given back when dropped.
pub(crate) struct OpenFilePermit(Arc<AtomicUsize>);

/// How many files may be open at rest.
const OPEN_FILES_MAX: usize = 128;

impl OpenFilePermits {
    /// A permission; `None` while all are out.
    pub(crate) fn take(&self) -> Option<OpenFilePermit> {
        let more = |held| (held < OPEN_FILES_MAX).then_some(held + 1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| OpenFilePermit(self.0.clone()))
    }
}

impl Drop for OpenFilePermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_bounded_and_come_back() {
        let permits = OpenFilePermits::default();
        let mut held: Vec<_> = std::iter::from_fn(|| permits.take()).collect();
        assert_eq!(held.len(), OPEN_FILES_MAX);
        held.truncate(OPEN_FILES_MAX - 2);
        assert_eq!(std::iter::from_fn(|| permits.take()).collect::<Vec<_>>().len(), 2);
    }
}
