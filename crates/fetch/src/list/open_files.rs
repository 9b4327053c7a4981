//! Permits for files that stay open between the attempts at their task.
//!
//! Owns: the limit on their number, as each takes a file descriptor of the process.
//! Does not own: the files.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The permits in use.
#[derive(Default)]
pub(crate) struct OpenFilePermits(Arc<AtomicUsize>);

/// A permit to keep one file open; returned when this is dropped.
pub(crate) struct OpenFilePermit(Arc<AtomicUsize>);

/// How many files may be open between attempts.
const OPEN_FILES_MAX: usize = 128;

impl OpenFilePermits {
    /// A permit; `None` if all are in use.
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
    fn permits_are_bounded_and_returned() {
        let permits = OpenFilePermits::default();
        let mut held: Vec<_> = std::iter::from_fn(|| permits.take()).collect();
        assert_eq!(held.len(), OPEN_FILES_MAX);
        held.truncate(OPEN_FILES_MAX - 2);
        assert_eq!(std::iter::from_fn(|| permits.take()).collect::<Vec<_>>().len(), 2);
    }
}
