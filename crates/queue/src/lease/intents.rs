//! The intents of a slot: what one attempt records for the next, complete at every instant.
//!
//! Owns: two buffers, and which of them is current.
//! Does not own: the content; who may write (the holder of the lease).
//!
//! Source: `PROTOCOL.md`, part 2, lemma W; the step numbers in the comments are those of that file.

use super::layout::{Layout, Part};
use super::map::Map;
use crate::sync::{AtomicU64, Ordering};

/// Values of the word that names the current buffer. Zero, as in fresh memory, means that there is no intent.
const A: u64 = 1;
const B: u64 = 2;

pub(super) struct Intents<'a> {
    pub(super) map: &'a Map,
    pub(super) layout: &'a Layout,
    pub(super) slot: usize,
}

impl Intents<'_> {
    /// Replaces the intent. To be called by the holder of the lease, with bytes within the table's bound.
    pub(super) fn record(&self, intent: &[u8]) {
        let (buffer, name) = self.spare();
        // I1
        self.map.put(self.layout, self.slot, buffer, intent);
        // I2
        self.current().store(name, Ordering::Release);
    }

    /// The current intent; empty if there is none.
    pub(super) fn latest(&self) -> Vec<u8> {
        let mut intent = Vec::new();
        match self.current().load(Ordering::Acquire) {
            A => self.map.get(self.layout, self.slot, Part::IntentA, &mut intent),
            B => self.map.get(self.layout, self.slot, Part::IntentB, &mut intent),
            _ => {}
        }
        intent
    }

    /// Discards the intent, for a task that has not been attempted yet.
    pub(super) fn clear(&self) {
        self.current().store(0, Ordering::Relaxed);
    }

    /// The buffer that is not current, and the value that names it.
    fn spare(&self) -> (Part, u64) {
        if self.current().load(Ordering::Relaxed) == A { (Part::IntentB, B) } else { (Part::IntentA, A) }
    }

    fn current(&self) -> &AtomicU64 {
        self.map.word(self.layout.current_intent_at(self.slot))
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::Config;
    use super::*;

    #[test]
    fn a_writer_that_dies_at_any_store_leaves_the_previous_intent() {
        let layout =
            Layout::of(Config { slot_count: 2, intent_bytes_max: 2_000, ..Config::default() }).unwrap();
        let (_memfd, map) = Map::create(&layout).unwrap();
        let intents = Intents { map: &map, layout: &layout, slot: 1 };
        let mut before = Vec::new();
        // Buffers near and far, in every order.
        for (number, length) in [3, 1_999, 600, 512, 8, 2_000, 0, 513, 1].into_iter().enumerate() {
            assert_eq!(intents.latest(), before);
            let intent = vec![number as u8 + 1; length];
            let (buffer, _) = intents.spare();
            let words = map.words(layout.bytes_at(1, buffer, length), length.div_ceil(8));
            for word in words {
                word.store(u64::MAX, Ordering::Relaxed);
                assert_eq!(intents.latest(), before, "bytes of {length}");
            }
            map.put(&layout, 1, buffer, &intent);
            assert_eq!(intents.latest(), before, "all but the switch to it");
            intents.record(&intent);
            before = intent;
        }
        intents.clear();
        assert_eq!(intents.latest(), b"");
    }
}
