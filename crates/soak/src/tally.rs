//! Counts what a soak did, for its summary.
//!
//! Owns: the counts and their printing.
//! Does not own: what is counted.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by name.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// Counts one.
    pub(crate) fn one(&mut self, name: impl Into<String>) {
        self.many(name, 1);
    }

    /// Counts `count`.
    pub(crate) fn many(&mut self, name: impl Into<String>, count: u64) {
        *self.0.entry(name.into()).or_default() += count;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, count)| writeln!(f, "{count:>9}  {name}"))
    }
}
