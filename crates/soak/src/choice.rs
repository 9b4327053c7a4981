//! Seeded choices: the same seed makes the same choices on every machine.
//!
//! Owns: the generator and the ways to choose.
//! Does not own: what is chosen.
//!
//! Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (SplitMix64).

use std::ops::RangeInclusive;
use std::time::Duration;

/// A generator of choices.
#[derive(Clone, Debug)]
pub(crate) struct Choice(u64);

impl Choice {
    /// The choices of stream `stream` of `seed`; streams are independent of each other.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut mixer = Self(seed);
        let start = mixer.number();
        Self(Self(start ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93)).number())
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `count`, which is at least 1.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        (self.number() % count.max(1) as u64) as usize
    }

    /// A number of the range.
    pub(crate) fn within(&mut self, range: RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `values`, which has at least one.
    pub(crate) fn pick<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.below(values.len())]
    }

    /// A moment of a run: often in its first milliseconds, sometimes late.
    pub(crate) fn moment(&mut self) -> Duration {
        let max = *self.pick(&[20_000, 80_000, 300_000, 1_000_000]);
        Duration::from_micros(self.below(max) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_a_seed_are_repeatable_and_differ() {
        let numbers = |seed, stream| {
            let mut choice = Choice::new(seed, stream);
            [choice.number(), choice.number(), choice.number()]
        };
        assert_eq!(numbers(1, 2), numbers(1, 2));
        assert_ne!(numbers(1, 2), numbers(1, 3));
        assert_ne!(numbers(1, 2), numbers(2, 2));
        let mut choice = Choice::new(5, 5);
        assert!((0..100).all(|_| (3..=5).contains(&choice.within(3..=5))));
    }
}
