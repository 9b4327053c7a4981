//! Buffers that wait for their next use.
//!
//! Owns: which are kept, and the bound on them.
//! Does not own: what was in them; it is forgotten, not wiped.

use std::collections::VecDeque;

use crate::Buf;

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
        // The one given back last is the likeliest to be in the processor's cache.
        match self.bufs.iter().rposition(|buf| buf.capacity() == capacity) {
            Some(index) => {
                self.bytes -= capacity;
                self.bufs.remove(index).expect("just found")
            }
            None => Buf::with_capacity(capacity),
        }
    }

    pub(super) fn give(&mut self, mut buf: Buf) {
        if buf.capacity() > self.bytes_max {
            return;
        }
        buf.clear();
        self.bytes += buf.capacity();
        self.bufs.push_back(buf);
        while self.bytes > self.bytes_max {
            let oldest = self.bufs.pop_front().expect("the sum is of what is there");
            self.bytes -= oldest.capacity();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room() {
        let mut spare = Spare::new(10);
        [3, 4, 5].into_iter().for_each(|capacity| spare.give(Buf::with_capacity(capacity)));
        assert_eq!((spare.bytes, spare.bufs.len()), (9, 2));
        spare.give(Buf::with_capacity(11));
        assert_eq!(spare.bytes, 9, "one that never fits makes no room");
        assert_eq!(spare.take(4).capacity(), 4);
        assert_eq!(spare.take(7).capacity(), 7);
        assert_eq!((spare.bytes, spare.bufs.len()), (5, 1));
    }
}
