//! The content of a simulated file: what programs read, and what its disk has.
//!
//! Owns: blocks that were written and not stored, what a sync, a failed sync and a power cut make of them.
//! Does not own: names, the other attributes of a file.
//!
//! Source: fsync(2); A. Rebello and others, "Can Applications Recover from fsync Failures?", USENIX ATC 2020: after a
//! failed sync, pages count as clean though the disk doesn't have them, and the next sync succeeds without them.

use std::collections::BTreeSet;

use super::random::Random;

/// The unit in which content reaches the disk.
const BLOCK_BYTES: usize = 4_096;
/// The unit that a power cut doesn't tear.
const SECTOR_BYTES: usize = 512;

#[derive(Clone, Default)]
pub(super) struct Content {
    /// What programs read.
    cached: Vec<u8>,
    /// What the disk has.
    stored: Vec<u8>,
    /// Blocks that the next sync stores.
    dirty: BTreeSet<usize>,
    /// The disk may have another length.
    is_length_dirty: bool,
}

/// What a power cut leaves of what wasn't stored.
enum Rest {
    /// All of it had been written back.
    New,
    /// None of it had.
    Old,
    /// The length and some of the blocks.
    Blocks,
    /// The first part, and a length to match.
    Beginning,
}

impl Content {
    /// Content that the disk has.
    pub(super) fn stored(bytes: &[u8]) -> Self {
        Self { cached: bytes.to_vec(), stored: bytes.to_vec(), ..Self::default() }
    }

    /// What programs read.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.cached
    }

    pub(super) fn len(&self) -> usize {
        self.cached.len()
    }

    /// Replaces everything.
    pub(super) fn set(&mut self, bytes: &[u8]) {
        self.resize(bytes.len());
        self.write(0, bytes);
    }

    /// Writes within the present length.
    pub(super) fn write(&mut self, from: usize, bytes: &[u8]) {
        self.cached[from..from + bytes.len()].copy_from_slice(bytes);
        self.dirty.extend(blocks(from, from + bytes.len()));
    }

    pub(super) fn resize(&mut self, length: usize) {
        let before = self.cached.len();
        self.cached.resize(length, 0);
        self.dirty.extend(blocks(before, length));
        self.dirty.retain(|block| block * BLOCK_BYTES < length);
        self.is_length_dirty |= before != length;
    }

    /// Stores what is dirty. Blocks that a failed sync gave up stay as the disk has them.
    pub(super) fn sync(&mut self) {
        self.stored.resize(self.cached.len(), 0);
        for block in std::mem::take(&mut self.dirty) {
            let range = range(block, self.cached.len());
            self.stored[range.clone()].copy_from_slice(&self.cached[range]);
        }
        self.is_length_dirty = false;
    }

    /// A sync that fails: some blocks reach the disk, the others count as clean all the same. What programs read of
    /// these stays, or is what the disk has.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        let reverts = random.below(2) == 0;
        self.stored.resize(self.stored.len().max(self.cached.len()), 0);
        for block in std::mem::take(&mut self.dirty) {
            let range = range(block, self.cached.len());
            if random.below(4) == 0 {
                self.stored[range.clone()].copy_from_slice(&self.cached[range]);
            } else if reverts {
                self.cached[range.clone()].copy_from_slice(&self.stored[range]);
            }
        }
    }

    /// A possible content after a power cut at this moment.
    pub(super) fn after_power_cut(&self, random: &mut Random) -> Self {
        if self.dirty.is_empty() && !self.is_length_dirty {
            return Self::stored(&self.stored);
        }
        let rest = match random.below(4) {
            0 => Rest::New,
            1 => Rest::Old,
            2 => Rest::Beginning,
            _ => Rest::Blocks,
        };
        let length = match rest {
            _ if !self.is_length_dirty => self.cached.len(),
            Rest::Old => self.stored.len(),
            Rest::New | Rest::Blocks => self.cached.len(),
            Rest::Beginning => random.below(self.cached.len() as u64 + 1) as usize,
        };
        let mut left = self.stored.clone();
        left.resize(length, 0);
        for block in self.dirty.iter().filter(|block| *block * BLOCK_BYTES < length) {
            let range = range(*block, length);
            let new = &self.cached[range.clone()];
            let is_appended = range.end > self.stored.len();
            match rest {
                Rest::New | Rest::Beginning => left[range].copy_from_slice(new),
                Rest::Old => {}
                Rest::Blocks => match random.below(4) {
                    0 => {}
                    1 => left[range].copy_from_slice(new),
                    // A block of another file, which was removed.
                    2 if is_appended => {
                        let appended = range.start.max(self.stored.len())..range.end;
                        left[appended].fill_with(|| random.below(256) as u8);
                    }
                    _ => {
                        let torn = new.len() / SECTOR_BYTES * SECTOR_BYTES;
                        let sectors = random.below((torn / SECTOR_BYTES) as u64 + 1) as usize;
                        let torn = sectors * SECTOR_BYTES;
                        left[range.start..range.start + torn].copy_from_slice(&new[..torn]);
                    }
                },
            }
        }
        Self::stored(&left)
    }
}

/// The blocks of the bytes `from..to`.
fn blocks(from: usize, to: usize) -> std::ops::Range<usize> {
    if from < to { from / BLOCK_BYTES..to.div_ceil(BLOCK_BYTES) } else { 0..0 }
}

/// The bytes of a block in content of this length.
fn range(block: usize, length: usize) -> std::ops::Range<usize> {
    block * BLOCK_BYTES..((block + 1) * BLOCK_BYTES).min(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(content: &Content) -> Vec<Vec<u8>> {
        let mut random = Random::new(1);
        (0..200).map(|_| content.after_power_cut(&mut random).cached).collect()
    }

    #[test]
    fn what_is_synced_survives_and_the_rest_may_have_its_length_and_other_bytes() {
        let mut content = Content::default();
        content.set(&[7; 3 * BLOCK_BYTES + 5]);
        let left = cuts(&content);
        let whole = content.bytes();
        assert!(left.iter().any(|left| left == whole) && left.iter().any(Vec::is_empty));
        assert!(left.iter().any(|left| left.len() == whole.len() && left != whole), "the right length");
        assert!(left.iter().any(|left| !left.is_empty() && left.len() < whole.len()));
        content.sync();
        assert!(cuts(&content).iter().all(|left| left == content.bytes()));

        content.write(BLOCK_BYTES + 9, &[8; 2_000]);
        let left = cuts(&content);
        assert!(
            left.iter().all(|left| left.len() == content.len() && left[..BLOCK_BYTES] == [7; BLOCK_BYTES])
        );
        assert!(left.iter().all(|left| left.iter().all(|byte| [7, 8].contains(byte))), "old or new");
        assert!(left.iter().any(|left| left.contains(&8) && left != content.bytes()), "torn between sectors");
    }

    #[test]
    fn a_sync_after_a_failed_one_succeeds_without_the_pages_that_are_lost() {
        let (mut kept, mut reverted) = (0, 0);
        for seed in 0..20 {
            let mut content = Content::default();
            content.set(&[7; 8 * BLOCK_BYTES]);
            content.fail_sync(&mut Random::new(seed));
            content.sync();
            let left = cuts(&content);
            assert!(left.windows(2).all(|pair| pair[0] == pair[1]) && left[0].len() == content.len());
            assert_ne!(left[0], [7; 8 * BLOCK_BYTES], "seed {seed}");
            if content.bytes() == [7; 8 * BLOCK_BYTES] {
                kept += 1;
            } else {
                reverted += 1;
                assert_eq!(content.bytes(), left[0], "programs read what the disk has");
            }
        }
        assert!(kept > 0 && reverted > 0);
    }
}
