//! Content that waits until it is known whether its last chunk is the last of the file.
//!
//! Owns: its memory, which is never moved while it holds content, and wiped in the end.
//! Does not own: what becomes of the content ([`crate::body::encoded::encoder`]).

use std::mem::take;

use zeroize::{Zeroize, Zeroizing};

/// Content of the chunks that come next.
pub(crate) struct Waiting {
    content: Zeroizing<Vec<u8>>,
    chunk_bytes: usize,
}

impl Waiting {
    pub(crate) fn new(chunk_bytes: usize) -> Self {
        Self { content: Zeroizing::default(), chunk_bytes }
    }

    pub(crate) fn content(&self) -> &[u8] {
        &self.content
    }

    /// Bytes of the chunks that aren't the last of the file, whatever follows.
    pub(crate) fn whole_bytes(&self) -> usize {
        self.content.len().saturating_sub(1) / self.chunk_bytes * self.chunk_bytes
    }

    /// Appends the first bytes of `content`, until `bytes_max` bytes wait. Returns the others. Memory is taken for no
    /// more than the whole file, if its length is known: most are short.
    pub(crate) fn append<'a>(
        &mut self,
        content: &'a [u8],
        bytes_max: usize,
        file_bytes: Option<u64>,
    ) -> &'a [u8] {
        if self.content.is_empty() && self.content.capacity() < bytes_max {
            self.wipe();
            let file_bytes = file_bytes.and_then(|bytes| usize::try_from(bytes).ok());
            self.content.reserve_exact(file_bytes.map_or(bytes_max, |bytes| bytes.min(bytes_max)));
        }
        let (now, rest) = content.split_at(content.len().min(bytes_max - self.content.len()));
        self.content.extend_from_slice(now);
        rest
    }

    /// Takes the first `count` bytes; the others are dropped.
    pub(crate) fn take_first(&mut self, count: usize) -> Zeroizing<Vec<u8>> {
        self.content[count..].zeroize();
        self.content.truncate(count);
        take(&mut self.content)
    }

    /// Uses the memory of `content`, which is done with, for content to come.
    pub(crate) fn reuse(&mut self, mut content: Zeroizing<Vec<u8>>) {
        if self.content.is_empty() {
            content.clear();
            self.content = content;
        }
    }

    /// Drops all content.
    pub(crate) fn wipe(&mut self) {
        self.content.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_chunk_is_whole_only_if_something_follows_it() {
        let mut waiting = Waiting::new(4);
        for (bytes, whole) in [(0, 0), (3, 0), (4, 0), (5, 4), (8, 4), (9, 8)] {
            waiting.wipe();
            assert!(waiting.append(&vec![7; bytes], 12, None).is_empty());
            assert_eq!(waiting.whole_bytes(), whole, "{bytes}");
        }
        assert_eq!(waiting.append(&[7; 5], 12, None), [7; 2]);
        assert_eq!(*waiting.take_first(8), [7; 8]);
        assert!(waiting.content().is_empty());
    }

    #[test]
    fn a_short_file_needs_little_memory() {
        let mut waiting = Waiting::new(1 << 16);
        waiting.append(b"ab", 1 << 16, Some(100));
        assert!(waiting.content.capacity() < 1000);
    }
}
