//! The words of all slots, and each party's atomic step on them.
//!
//! Owns: one compare-and-swap per step, and its memory ordering.
//! Does not own: the rules (see `word.rs`), bytes, sleeping.
//!
//! Source: `PROTOCOL.md`, part 2; the step numbers in the comments are those of that file.

use super::word::{Reaped, State, Suspicion, Word};
use crate::sync::{AtomicU64, Ordering};

/// A view of the words: in shared memory in the program, in the model's memory under loom.
#[derive(Clone, Copy)]
pub(super) struct Slots<'a>(pub(super) &'a [AtomicU64]);

/// The effect of [`Slots::reap`] on one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Untouched,
    Reclaimed,
    Poisoned,
}

impl Slots<'_> {
    pub(super) fn load(self, slot: usize) -> Word {
        Word(self.0[slot].load(Ordering::Acquire))
    }

    /// O2, after the task's bytes are in place. Only the supervisor moves a free slot, so a store suffices.
    /// A word that isn't free is corrupt, and replaced.
    pub(super) fn offer(self, slot: usize, suspicion: u8) {
        let seen = self.load(slot);
        let ready = seen.offered(suspicion).unwrap_or_else(|| seen.renewed(suspicion, State::Ready));
        self.0[slot].store(ready.0, Ordering::Release);
    }

    /// Whether the word of an offered task says what no transition produces. Its lease is over.
    pub(super) fn is_corrupt(self, slot: usize) -> bool {
        matches!(self.load(slot).state(), None | Some(State::Free))
    }

    /// Frees a slot whose word is corrupt. An attempt that is under way is fenced.
    pub(super) fn clear(self, slot: usize) {
        self.0[slot].store(self.load(slot).renewed(0, State::Free).0, Ordering::Release);
    }

    /// The owner of the task that is running in the slot.
    pub(super) fn owner(self, slot: usize) -> Option<u16> {
        let word = self.load(slot);
        word.is(State::Running).then(|| word.owner())
    }

    /// K1, K2: claims the first ready slot from `start` on, wrapping around, that this owner wins.
    pub(super) fn claim(self, start: usize, owner: u16) -> Option<(usize, Word)> {
        let count = self.0.len();
        (start..start + count).map(|slot| slot % count).find_map(|slot| {
            let seen = self.load(slot);
            let running = seen.claimed(owner)?;
            self.swap(slot, seen, running).then_some((slot, running))
        })
    }

    /// F2, after the outcome's bytes are in place: false if the lease was lost.
    pub(super) fn finish(self, slot: usize, lease: Word) -> bool {
        lease.finished().is_some_and(|done| self.swap(slot, lease, done))
    }

    /// T2: whether the lease still holds.
    #[cfg(not(loom))]
    pub(super) fn holds(self, slot: usize, lease: Word) -> bool {
        self.load(slot) == lease
    }

    pub(super) fn is_done(self, slot: usize) -> bool {
        self.load(slot).is(State::Done)
    }

    /// G2, after the outcome's bytes were read. Only the supervisor moves a done slot, so a store suffices.
    pub(super) fn collect(self, slot: usize) {
        if let Some(free) = self.load(slot).collected() {
            self.0[slot].store(free.0, Ordering::Release);
        }
    }

    /// R1, R2: a compare-and-swap because an owner that is alive after all may finish meanwhile.
    pub(super) fn reap(self, slot: usize, owner: u16, suspicion: Suspicion) -> Fate {
        let seen = self.load(slot);
        let (next, fate) = match seen.reaped(owner, suspicion) {
            None => return Fate::Untouched,
            Some(Reaped::Reclaimed(next)) => (next, Fate::Reclaimed),
            Some(Reaped::Poisoned(next)) => (next, Fate::Poisoned),
        };
        if self.swap(slot, seen, next) { fate } else { Fate::Untouched }
    }

    /// W1: a compare-and-swap because a worker may claim it meanwhile.
    pub(super) fn withdraw(self, slot: usize) -> bool {
        let seen = self.load(slot);
        seen.withdrawn().is_some_and(|free| self.swap(slot, seen, free))
    }

    /// On success, acquires what the last holder released, and releases what this one wrote.
    fn swap(self, slot: usize, seen: Word, next: Word) -> bool {
        self.0[slot].compare_exchange(seen.0, next.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}
