//! Files that stay open while their task rests between attempts.
//!
//! Owns: their number, which is bounded, as each takes a descriptor of the process.
//! Does not own: the files.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Permissions to keep a file open.
#[derive(Default)]
pub(crate) struct Resting(Arc<AtomicUsize>);

/// One permission; given back when dropped.
pub(crate) struct Held(Arc<AtomicUsize>);

/// How many files may be open at rest.
const HELD_MAX: usize = 128;

impl Resting {
    /// A permission; `None` while all are out.
    pub(crate) fn hold(&self) -> Option<Held> {
        let more = |held| (held < HELD_MAX).then_some(held + 1);
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| Held(self.0.clone()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_bounded_and_come_back() {
        let resting = Resting::default();
        let mut held: Vec<_> = std::iter::from_fn(|| resting.hold()).collect();
        assert_eq!(held.len(), HELD_MAX);
        held.truncate(HELD_MAX - 2);
        assert_eq!(std::iter::from_fn(|| resting.hold()).collect::<Vec<_>>().len(), 2);
    }
}
