//! What the system refuses to a run that goes on without it: threads, rings, kernel workers.
//!
//! Owns: the account of refusals.
//! Does not own: what a worker does instead.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A resource of which the system granted less than the engine asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The resource, in the plural: `threads`.
    pub resource: &'static str,
    /// The number that the engine asked for.
    pub wanted: usize,
    /// The number that it got.
    pub granted: usize,
    /// Why it got no more, as a fragment.
    pub reason: String,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, wanted, granted, reason } = self;
        write!(f, "{granted} of {wanted} {resource}: {reason}")
    }
}

/// The shortages of a run, which its workers add to.
#[derive(Default)]
pub(crate) struct Shortages(Mutex<Vec<Shortage>>);

impl Shortages {
    /// Notes that only `granted` of `wanted` were granted. Of each resource, the first shortage counts.
    pub(crate) fn note(&self, resource: &'static str, wanted: usize, granted: usize, reason: String) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.iter().all(|shortage| shortage.resource != resource) {
            noted.push(Shortage { resource, wanted, granted, reason });
        }
    }

    /// Notes that one of `wanted` was refused.
    pub(crate) fn note_one(&self, resource: &'static str, wanted: usize, reason: String) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match noted.iter_mut().find(|shortage| shortage.resource == resource) {
            Some(shortage) => shortage.granted = shortage.granted.saturating_sub(1),
            None => noted.push(Shortage { resource, wanted, granted: wanted - 1, reason }),
        }
    }

    pub(crate) fn into_inner(self) -> Vec<Shortage> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
