//! How many files a walk took and left out.
//!
//! Owns: the counts, which a caller reads after the walk.
//! Does not own: deciding what is left out ([`super::walker`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counts of one walk. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    taken: AtomicU64,
    left_out: AtomicU64,
    excluded: AtomicU64,
}

impl Tally {
    /// Counts a task.
    pub fn take(&self) {
        self.0.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a file that is left out because of its name.
    pub fn leave_out(&self) {
        self.0.left_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a file or directory if patterns leave it out, and returns whether they do.
    pub fn exclude(&self, is_excluded: bool) -> bool {
        self.0.excluded.fetch_add(u64::from(is_excluded), Ordering::Relaxed);
        is_excluded
    }

    /// The number of tasks, including those that only report something.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// The number of files of trees that were left out because of their names: they are sealed already, or lack the
    /// suffix of sealed files.
    pub fn left_out(&self) -> u64 {
        self.0.left_out.load(Ordering::Relaxed)
    }

    /// The number of files and directories of trees that patterns left out; what lies in such a directory isn't
    /// counted.
    pub fn excluded(&self) -> u64 {
        self.0.excluded.load(Ordering::Relaxed)
    }
}
