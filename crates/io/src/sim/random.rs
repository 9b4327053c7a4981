//! The random choices of a simulation.
//!
//! Owns: the generator.
//! Does not own: what is chosen.

/// SplitMix64 (Steele, Lea, Flood 2014): small, seedable, good enough for choosing faults.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Returns `count` or, at random, a smaller number that is at least one.
    pub(super) fn short(&mut self, count: usize) -> usize {
        if count > 1 && self.below(4) == 0 { 1 + self.below(count as u64 - 1) as usize } else { count }
    }
}
