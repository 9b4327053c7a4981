//! STREAM chunks.
//!
//! Owns: chunk boundaries, nonces, the last-chunk flag, the offsets of any chunk in plaintext and payload.
//! Does not own: the key's derivation, the order in which chunks are processed.
//!
//! Spec: C2SP age.md, "Payload". STREAM: Hoang, Reyhanitabar, Rogaway, Vizár, ePrint 2015/189.

use super::aead::{self, ChunkAead};
use super::key::PayloadKey;
use crate::error::{ChunkError, StreamError};

/// Plaintext bytes of every chunk but the last.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes that sealing adds to a chunk.
pub const TAG_BYTES: usize = aead::TAG_BYTES;
/// Sealed bytes of every chunk but the last.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// The positions of all chunks in a payload of known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    plain_bytes: u64,
}

impl Layout {
    /// The layout of a payload with `plain_bytes` bytes of plaintext.
    pub fn of_plain(plain_bytes: u64) -> Self {
        Self { plain_bytes }
    }

    /// The layout of a sealed payload of `sealed_bytes` bytes, without header and nonce; `None` if no payload has
    /// that length.
    pub fn of_sealed(sealed_bytes: u64) -> Option<Self> {
        let chunk_count = sealed_bytes.div_ceil(SEALED_CHUNK_BYTES as u64);
        let plain_bytes = sealed_bytes.checked_sub(chunk_count * TAG_BYTES as u64)?;
        let layout = Self { plain_bytes };
        // Only an empty payload may have an empty last chunk.
        (layout.sealed_bytes() == sealed_bytes).then_some(layout)
    }

    /// Plaintext bytes in all.
    pub fn plain_bytes(self) -> u64 {
        self.plain_bytes
    }

    /// Sealed bytes in all.
    pub fn sealed_bytes(self) -> u64 {
        self.plain_bytes + self.chunk_count() * TAG_BYTES as u64
    }

    /// The number of chunks, at least one.
    pub fn chunk_count(self) -> u64 {
        self.plain_bytes.div_ceil(CHUNK_BYTES as u64).max(1)
    }

    /// Whether chunk `index` is the last.
    pub fn is_last(self, index: u64) -> bool {
        index + 1 == self.chunk_count()
    }

    /// Plaintext bytes of chunk `index`, which must exist.
    pub fn plain_bytes_of(self, index: u64) -> usize {
        let start = index * CHUNK_BYTES as u64;
        (self.plain_bytes - start).min(CHUNK_BYTES as u64) as usize
    }

    /// The offset of chunk `index` in the plaintext.
    pub fn plain_offset(index: u64) -> u64 {
        index * CHUNK_BYTES as u64
    }

    /// The offset of chunk `index` in the sealed payload.
    pub fn sealed_offset(index: u64) -> u64 {
        index * SEALED_CHUNK_BYTES as u64
    }
}

impl PayloadKey {
    /// Seals chunk `index` into `sealed`, which is [`TAG_BYTES`] longer.
    ///
    /// Never seal different bytes under one key with the same `index` and `last`: that would reveal both plaintexts.
    ///
    /// # Panics
    /// If the lengths don't match, or `plain` is longer than a chunk.
    pub fn seal_chunk(&self, index: u64, last: bool, plain: &[u8], sealed: &mut [u8]) {
        assert!(plain.len() <= CHUNK_BYTES && sealed.len() == plain.len() + TAG_BYTES, "chunk lengths fit");
        let (ciphertext, tag) = sealed.split_last_chunk_mut().expect("the length was asserted");
        self.cipher.seal(&nonce(index, last), plain, ciphertext, tag);
    }

    /// Opens chunk `index` into `plain`, which is [`TAG_BYTES`] shorter.
    ///
    /// # Errors
    /// If the chunk isn't the one sealed with this index and flag. `plain` is then zeroed.
    ///
    /// # Panics
    /// If the lengths don't match.
    pub fn open_chunk(
        &self,
        index: u64,
        last: bool,
        sealed: &[u8],
        plain: &mut [u8],
    ) -> Result<(), ChunkError> {
        assert!(sealed.len() == plain.len() + TAG_BYTES, "chunk lengths fit");
        let (ciphertext, tag) = sealed.split_last_chunk().expect("the length was asserted");
        self.cipher.open(&nonce(index, last), ciphertext, tag, plain).inspect_err(|_| plain.fill(0))
    }

    /// Opens chunk `index`, after which more bytes follow, into `plain`, which is [`TAG_BYTES`] shorter.
    ///
    /// # Errors
    /// - [`StreamError::Chunk`] if the chunk isn't authentic: `plain` is zeroed.
    /// - [`StreamError::AfterEnd`] if it is an authentic last chunk: `plain` may be used, the following bytes may not.
    ///
    /// # Panics
    /// If the lengths don't match.
    pub fn open_followed(&self, index: u64, sealed: &[u8], plain: &mut [u8]) -> Result<(), StreamError> {
        if self.open_chunk(index, false, sealed, plain).is_ok() {
            return Ok(());
        }
        let was_last = self.open_chunk(index, true, sealed, plain).is_ok();
        Err(if was_last { StreamError::AfterEnd } else { StreamError::Chunk { index } })
    }

    /// Opens the bytes at the end of the payload, as chunk `index`, into `plain`, which is [`TAG_BYTES`] shorter
    /// (empty if `sealed` is shorter than that).
    ///
    /// # Errors
    /// - [`StreamError::Chunk`] if the chunk isn't authentic: `plain` is zeroed.
    /// - [`StreamError::CutShort`] if it is an authentic chunk but not the last, or too short for one: `plain` may be
    ///   used.
    ///
    /// # Panics
    /// If the lengths don't match.
    pub fn open_final(&self, index: u64, sealed: &[u8], plain: &mut [u8]) -> Result<(), StreamError> {
        if sealed.len() < TAG_BYTES {
            return Err(StreamError::CutShort);
        }
        // Only the first chunk may be empty.
        let is_empty = sealed.len() == TAG_BYTES && index > 0;
        if !is_empty && self.open_chunk(index, true, sealed, plain).is_ok() {
            return Ok(());
        }
        let is_cut =
            sealed.len() == SEALED_CHUNK_BYTES && self.open_chunk(index, false, sealed, plain).is_ok();
        Err(if is_cut { StreamError::CutShort } else { StreamError::Chunk { index } })
    }
}

/// An 11-byte big-endian counter, then 1 for the last chunk, else 0.
fn nonce(index: u64, last: bool) -> [u8; aead::NONCE_BYTES] {
    let mut bytes = [0; aead::NONCE_BYTES];
    bytes[3..11].copy_from_slice(&index.to_be_bytes());
    bytes[11] = u8::from(last);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: u64 = CHUNK_BYTES as u64;

    #[test]
    fn layouts_agree_in_both_directions() {
        for (plain, chunks) in
            [(0, 1), (1, 1), (CHUNK - 1, 1), (CHUNK, 1), (CHUNK + 1, 2), (2 * CHUNK, 2), (10 * CHUNK + 5, 11)]
        {
            let layout = Layout::of_plain(plain);
            assert_eq!(layout.chunk_count(), chunks, "{plain}");
            assert_eq!(layout.sealed_bytes(), plain + 16 * chunks);
            assert_eq!(Layout::of_sealed(layout.sealed_bytes()), Some(layout));
            let sum: u64 = (0..chunks).map(|index| layout.plain_bytes_of(index) as u64).sum();
            assert_eq!(sum, plain);
            assert!(layout.is_last(chunks - 1) && (chunks == 1 || !layout.is_last(chunks - 2)));
        }
    }

    #[test]
    fn lengths_that_no_payload_has_are_refused() {
        let sealed_chunk = SEALED_CHUNK_BYTES as u64;
        for sealed in
            [0, 1, 15, sealed_chunk + 1, sealed_chunk + 15, sealed_chunk + 16, 2 * sealed_chunk + 16]
        {
            assert_eq!(Layout::of_sealed(sealed), None, "{sealed}");
        }
    }
}
