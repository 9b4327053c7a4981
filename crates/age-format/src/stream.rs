//! The payload: STREAM chunks.
//!
//! Owns: chunk boundaries, nonces, the last-chunk flag, offsets of any chunk on both sides.
//! Does not own: the key's derivation, the order in which chunks are worked on.
//!
//! Spec: C2SP age.md, "Payload". STREAM: Hoang, Reyhanitabar, Rogaway, Vizár, ePrint 2015/189.

use crate::aead::{self, ChunkAead};
use crate::{ChunkError, PayloadKey, StreamError};

/// Plaintext bytes of every chunk but the last.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// What sealing adds to a chunk.
pub const TAG_BYTES: usize = aead::TAG_BYTES;
/// Sealed bytes of every chunk but the last.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// Where the chunks of a payload of known length lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    plain_bytes: u64,
}

impl Layout {
    /// The layout of a payload whose plaintext has `plain_bytes` bytes.
    pub fn of_plain(plain_bytes: u64) -> Self {
        Self { plain_bytes }
    }

    /// The layout of a sealed payload of `sealed_bytes` bytes (without header and nonce); `None` if no payload has that
    /// length.
    pub fn of_sealed(sealed_bytes: u64) -> Option<Self> {
        let chunk_count = sealed_bytes.div_ceil(SEALED_CHUNK_BYTES as u64);
        let plain_bytes = sealed_bytes.checked_sub(chunk_count * TAG_BYTES as u64)?;
        let layout = Self { plain_bytes };
        // An empty last chunk is allowed only where the whole payload is empty.
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

    /// How many chunks there are: at least one.
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

    /// Where chunk `index` begins in the plaintext.
    pub fn plain_offset(index: u64) -> u64 {
        index * CHUNK_BYTES as u64
    }

    /// Where chunk `index` begins in the sealed payload.
    pub fn sealed_offset(index: u64) -> u64 {
        index * SEALED_CHUNK_BYTES as u64
    }
}

impl PayloadKey {
    /// Seals chunk `index` into `sealed`, which is [`TAG_BYTES`] longer.
    ///
    /// A number is sealed twice under one key only for identical bytes: anything else gives the plaintext away.
    ///
    /// # Panics
    /// If the lengths don't fit, or `plain` is longer than a chunk.
    pub fn seal_chunk(&self, index: u64, last: bool, plain: &[u8], sealed: &mut [u8]) {
        assert!(plain.len() <= CHUNK_BYTES && sealed.len() == plain.len() + TAG_BYTES, "chunk lengths fit");
        let (ciphertext, tag) = sealed.split_last_chunk_mut().expect("the length was asserted");
        self.key.seal(&nonce(index, last), plain, ciphertext, tag);
    }

    /// Opens chunk `index` into `plain`, which is [`TAG_BYTES`] shorter.
    ///
    /// # Errors
    /// If the chunk isn't the one that was sealed with this number and flag; `plain` then holds nothing of use.
    ///
    /// # Panics
    /// If the lengths don't fit.
    pub fn open_chunk(
        &self,
        index: u64,
        last: bool,
        sealed: &[u8],
        plain: &mut [u8],
    ) -> Result<(), ChunkError> {
        assert!(sealed.len() == plain.len() + TAG_BYTES, "chunk lengths fit");
        let (ciphertext, tag) = sealed.split_last_chunk().expect("the length was asserted");
        self.key.open(&nonce(index, last), ciphertext, tag, plain).inspect_err(|_| plain.fill(0))
    }

    /// Opens chunk `index`, which more of the payload follows, into `plain`, which is [`TAG_BYTES`] shorter.
    ///
    /// # Errors
    /// If it isn't authentic: then nothing of it may be used. Or if it is the last chunk, [`StreamError::AfterEnd`]: then
    /// `plain` is authentic, and what follows is no part of the payload.
    ///
    /// # Panics
    /// If the lengths don't fit.
    pub fn open_followed(&self, index: u64, sealed: &[u8], plain: &mut [u8]) -> Result<(), StreamError> {
        if self.open_chunk(index, false, sealed, plain).is_ok() {
            return Ok(());
        }
        let was_last = self.open_chunk(index, true, sealed, plain).is_ok();
        Err(if was_last { StreamError::AfterEnd } else { StreamError::Chunk { index } })
    }

    /// Opens what stands at the end of the payload, as chunk `index`, into `plain`, which is [`TAG_BYTES`] shorter (empty for
    /// what is shorter than that).
    ///
    /// # Errors
    /// If it isn't an authentic last chunk. Nothing of it may be used, but after [`StreamError::CutShort`]: then `plain`
    /// is what an authentic chunk holds that others should follow, or empty.
    ///
    /// # Panics
    /// If the lengths don't fit.
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
