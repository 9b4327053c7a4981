//! Spare buffers.
//!
//! Owns: which buffers are kept, and the bound on them.
//! Does not own: their old content, which is dropped but not wiped.

use std::collections::VecDeque;

use crate::Buf;

/// Smaller buffers aren't kept: they are cheap to allocate, and their many lengths would only lengthen the search.
const BYTES_MIN: usize = 4 * 1024;

pub(super) struct Spare {
    bufs: VecDeque<Buf>,
    /// Invariant: the sum of the capacities, at most `bytes_max`.
    bytes: usize,
    bytes_max: usize,
}

impl Spare {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bufs: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// An empty buffer of exactly this capacity.
    pub(super) fn take(&mut self, capacity: usize) -> Buf {
        // The buffer given back last is the most likely to be in the processor's cache.
        match self.bufs.iter().rposition(|buf| buf.capacity() == capacity) {
            Some(index) => {
                self.bytes -= capacity;
                self.bufs.remove(index).expect("just found")
            }
            None => Buf::with_capacity(capacity),
        }
    }

    pub(super) fn give(&mut self, mut buf: Buf) {
        if !(BYTES_MIN..=self.bytes_max).contains(&buf.capacity()) {
            return;
        }
        buf.clear();
        self.bytes += buf.capacity();
        self.bufs.push_back(buf);
        while self.bytes > self.bytes_max {
            let oldest = self.bufs.pop_front().expect("a sum above zero has a buffer");
            self.bytes -= oldest.capacity();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_buffers_make_room() {
        const KIB: usize = 1024;
        let mut spare = Spare::new(40 * KIB);
        [12, 16, 20].into_iter().for_each(|kib| spare.give(Buf::with_capacity(kib * KIB)));
        assert_eq!((spare.bytes, spare.bufs.len()), (36 * KIB, 2));
        spare.give(Buf::with_capacity(44 * KIB));
        assert_eq!(spare.bytes, 36 * KIB, "a buffer that never fits evicts no other");
        spare.give(Buf::with_capacity(100));
        assert_eq!(spare.bufs.len(), 2, "small ones aren't kept");
        assert_eq!(spare.take(16 * KIB).capacity(), 16 * KIB);
        assert_eq!(spare.take(7 * KIB).capacity(), 7 * KIB);
        assert_eq!((spare.bytes, spare.bufs.len()), (20 * KIB, 1));
    }
}
