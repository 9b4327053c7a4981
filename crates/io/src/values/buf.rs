//! The owned buffer that travels through an operation and back.
//!
//! Owns: fixed storage and the range of it that is filled.
//! Does not own: reuse (a worker keeps its buffers), what the bytes mean.

use std::fmt;
use std::ops::Range;

/// A fixed piece of memory of which `filled` holds data.
///
/// Reads and receives append behind the filled range, writes and sends take from it. Because the buffer is moved into
/// the operation and moved back with its completion, no engine can let the kernel write into memory that a dropped
/// job still borrows. The buffer that comes back holds what went in plus what arrived; it need not be the same
/// storage.
///
/// ```
/// let mut buf = haul_io::Buf::with_capacity(8);
/// buf.append(b"abc");
/// buf.consume(1);
/// assert_eq!(buf.filled(), b"bc");
/// ```
pub struct Buf {
    storage: Box<[u8]>,
    /// Invariant: `start <= end <= storage.len()`.
    filled: Range<usize>,
}

impl Buf {
    /// An empty buffer for `capacity` bytes. Cost: one zeroed allocation.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { storage: vec![0; capacity].into_boxed_slice(), filled: 0..0 }
    }

    /// The length of the storage in bytes.
    pub fn capacity(&self) -> usize {
        self.storage.len()
    }

    /// The bytes that hold data.
    pub fn filled(&self) -> &[u8] {
        &self.storage[self.filled.clone()]
    }

    /// The bytes that hold data, to be changed in place.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.filled.clone()]
    }

    /// The free bytes after the filled range.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        &mut self.storage[self.filled.end..]
    }

    /// Extends the filled range by the first `count` free bytes.
    ///
    /// # Panics
    /// If fewer are free.
    pub fn commit(&mut self, count: usize) {
        assert!(count <= self.storage.len() - self.filled.end, "committed more than the buffer holds");
        self.filled.end += count;
    }

    /// Drops the first `count` filled bytes.
    ///
    /// # Panics
    /// If fewer are filled.
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.filled.len(), "consumed more than was filled");
        self.filled.start += count;
        if self.filled.is_empty() {
            self.filled = 0..0;
        }
    }

    /// Keeps the first `count` filled bytes and drops the others.
    pub fn truncate(&mut self, count: usize) {
        self.filled.end = self.filled.end.min(self.filled.start + count);
    }

    /// Appends `bytes`.
    ///
    /// # Panics
    /// If they don't fit.
    pub fn append(&mut self, bytes: &[u8]) {
        self.spare_mut()[..bytes.len()].copy_from_slice(bytes);
        self.commit(bytes.len());
    }

    /// Moves the filled bytes to the front, so that all free bytes follow them. Cost: a copy of the filled bytes.
    pub fn compact(&mut self) {
        self.storage.copy_within(self.filled.clone(), 0);
        self.filled = 0..self.filled.len();
    }

    /// Empties the buffer; the storage stays.
    pub fn clear(&mut self) {
        self.filled = 0..0;
    }
}

impl From<Vec<u8>> for Buf {
    /// The vector's spare capacity becomes free room of the buffer: shrinking would allocate anew.
    fn from(mut bytes: Vec<u8>) -> Self {
        let filled = 0..bytes.len();
        bytes.resize(bytes.capacity(), 0);
        Self { storage: bytes.into_boxed_slice(), filled }
    }
}

impl fmt::Debug for Buf {
    /// Sizes only: a buffer may hold plaintext.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buf").field("capacity", &self.capacity()).field("filled", &self.filled).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_consumes_and_compacts() {
        let mut buf = Buf::with_capacity(6);
        buf.append(b"abcd");
        buf.consume(3);
        assert_eq!(buf.spare_mut().len(), 2);
        buf.compact();
        assert_eq!(buf.filled(), b"d");
        assert_eq!(buf.spare_mut().len(), 5);
        buf.consume(1);
        assert_eq!(buf.spare_mut().len(), 6, "an emptied buffer has all its room again");
    }

    #[test]
    #[should_panic(expected = "committed more")]
    fn committing_more_than_is_free_panics() {
        Buf::with_capacity(2).commit(3);
    }

    #[test]
    fn debug_shows_no_content() {
        let text = format!("{:?}", Buf::from(b"secret".to_vec()));
        assert!(!text.contains("115") && !text.contains("secret"), "{text}");
    }
}
