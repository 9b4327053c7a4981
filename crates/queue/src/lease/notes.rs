//! The note of a slot: what one attempt leaves for the next, whole at every instant.
//!
//! Owns: two places for it, and which of them counts.
//! Does not own: what it says, and who may write it (the holder of the lease).
//!
//! Source: `PROTOCOL.md`, part 2, lemma W.

use super::layout::{Layout, Part};
use super::map::Map;
use crate::sync::{AtomicU64, Ordering};

/// What says which note counts. Zero, as in fresh memory: none does.
const A: u64 = 1;
const B: u64 = 2;

pub(super) struct Notes<'a> {
    pub(super) map: &'a Map,
    pub(super) layout: &'a Layout,
    pub(super) slot: usize,
}

impl Notes<'_> {
    /// Replaces the note; for the holder of the lease. `note` is not longer than the table's bound.
    pub(super) fn leave(&self, note: &[u8]) {
        let (place, name) = self.spare();
        // N1
        self.map.put(self.layout, self.slot, place, note);
        // N2
        self.counting().store(name, Ordering::Release);
    }

    /// The note that counts; empty if none does.
    pub(super) fn last(&self) -> Vec<u8> {
        let mut note = Vec::new();
        match self.counting().load(Ordering::Acquire) {
            A => self.map.get(self.layout, self.slot, Part::NoteA, &mut note),
            B => self.map.get(self.layout, self.slot, Part::NoteB, &mut note),
            _ => {}
        }
        note
    }

    /// For a task that nobody has attempted.
    pub(super) fn clear(&self) {
        self.counting().store(0, Ordering::Relaxed);
    }

    /// The place of the note that doesn't count, and its name.
    fn spare(&self) -> (Part, u64) {
        if self.counting().load(Ordering::Relaxed) == A { (Part::NoteB, B) } else { (Part::NoteA, A) }
    }

    fn counting(&self) -> &AtomicU64 {
        self.map.word(self.layout.note_at(self.slot))
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Config;
    use super::*;

    #[test]
    fn a_writer_that_dies_at_any_store_leaves_the_note_before() {
        let layout =
            Layout::of(Config { slot_count: 2, note_bytes_max: 2_000, ..Config::default() }).unwrap();
        let (_memfd, map) = Map::create(&layout).unwrap();
        let notes = Notes { map: &map, layout: &layout, slot: 1 };
        let mut before = Vec::new();
        // Near and far places in every order.
        for (number, length) in [3, 1_999, 600, 512, 8, 2_000, 0, 513, 1].into_iter().enumerate() {
            assert_eq!(notes.last(), before);
            let note = vec![number as u8 + 1; length];
            let (place, _) = notes.spare();
            let words = map.words(layout.bytes_at(1, place, length), length.div_ceil(8));
            for word in words {
                word.store(u64::MAX, Ordering::Relaxed);
                assert_eq!(notes.last(), before, "bytes of {length}");
            }
            map.put(&layout, 1, place, &note);
            assert_eq!(notes.last(), before, "all but that it counts");
            notes.leave(&note);
            before = note;
        }
        notes.clear();
        assert_eq!(notes.last(), b"");
    }
}
