//! The interface between chunks and the cipher libraries.
//!
//! Owns: lengths, and what a library has to provide.
//! Does not own: any library's calls.

use crate::error::ChunkError;

pub(crate) const KEY_BYTES: usize = 32;
pub(crate) const NONCE_BYTES: usize = 12;
pub(crate) const TAG_BYTES: usize = 16;

/// A key of one library. It seals and opens out of place, from any thread, without an allocation per chunk.
pub(crate) trait ChunkAead {
    fn new(key: &[u8; KEY_BYTES]) -> Self;

    /// Seals `plain` into `ciphertext` of the same length. The caller uses a nonce twice only for the same `plain`.
    fn seal(&self, nonce: &[u8; NONCE_BYTES], plain: &[u8], ciphertext: &mut [u8], tag: &mut [u8; TAG_BYTES]);

    /// Opens `ciphertext` into `plain` of the same length. After an error, `plain` holds nothing of use.
    fn open(
        &self,
        nonce: &[u8; NONCE_BYTES],
        ciphertext: &[u8],
        tag: &[u8; TAG_BYTES],
        plain: &mut [u8],
    ) -> Result<(), ChunkError>;
}
