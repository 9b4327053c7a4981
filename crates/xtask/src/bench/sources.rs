//! The files that are sealed and copied, the same in every run of the chore.
//!
//! Owns: their number, lengths and content.
//! Does not own: where they lie.

use std::fs;
use std::io::Write;
use std::path::Path;

/// Files in each directory of a tree.
const FILES_PER_DIRECTORY: usize = 100;
const LENGTHS: std::ops::RangeInclusive<u64> = 1_000..=60_000;

/// Makes a tree of `count` files.
pub(super) fn tree(root: &Path, count: usize) -> Result<(), String> {
    files(root, count, |index| format!("directory-{:04}/file-{index:06}", index / FILES_PER_DIRECTORY))
}

/// Makes `count` files with these names in `root`.
pub(super) fn files(root: &Path, count: usize, name: impl Fn(usize) -> String) -> Result<(), String> {
    let mut random = Random(1);
    for index in 0..count {
        let path = root.join(name(index));
        let directory = path.parent().unwrap_or(root);
        fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        let bytes = LENGTHS.start() + random.next() % (LENGTHS.end() - LENGTHS.start() + 1);
        file(&path, bytes as usize)?;
    }
    Ok(())
}

/// Makes a file of `bytes` bytes without a pattern that a file system could compress.
pub(super) fn file(path: &Path, bytes: usize) -> Result<(), String> {
    let mut random = Random(bytes as u64 + 1);
    let mut piece = Vec::with_capacity(1 << 16);
    let mut write = || {
        let mut file = fs::File::create_new(path)?;
        let mut left = bytes;
        while left > 0 {
            piece.clear();
            piece.extend((0..1 << 13).flat_map(|_| random.next().to_le_bytes()));
            let now = left.min(piece.len());
            file.write_all(&piece[..now])?;
            left -= now;
        }
        std::io::Result::Ok(())
    };
    write().map_err(|e| format!("{}: {e}", path.display()))
}

/// xorshift64*: fast, and random enough for lengths and incompressible content.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
