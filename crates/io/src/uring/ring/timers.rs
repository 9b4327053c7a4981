//! The deadlines of a ring, in one list.
//!
//! A timeout costs an insertion into a tree and a removal, and the earliest one bounds the sleep in `io_uring_enter`.
//! Linked timeouts would cost two entries and a kernel timer for each operation, and can't guard a multishot receive.
//!
//! Owns: the order of the deadlines.
//! Does not own: what happens at them.

use std::collections::BTreeSet;
use std::time::Instant;

use super::slab::Key;

#[derive(Default)]
pub(super) struct Timers(BTreeSet<(Instant, Key)>);

impl Timers {
    pub(super) fn insert(&mut self, moment: Instant, key: Key) {
        self.0.insert((moment, key));
    }

    pub(super) fn remove(&mut self, moment: Instant, key: Key) {
        self.0.remove(&(moment, key));
    }

    pub(super) fn earliest(&self) -> Option<Instant> {
        self.0.first().map(|(moment, _)| *moment)
    }

    /// Removes and returns one that is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Key> {
        let (moment, key) = *self.0.first()?;
        if moment > now {
            return None;
        }
        self.0.pop_first();
        Some(key)
    }
}
