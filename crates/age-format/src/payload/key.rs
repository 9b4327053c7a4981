//! The key of one payload.
//!
//! Owns: the cipher's key, and the secret it was made from.
//! Does not own: its derivation from the file key, chunks.

use zeroize::Zeroizing;

use super::aead::{ChunkAead, ChunkKey};

/// Seals and opens the chunks of one payload, in any order and from any thread.
pub struct PayloadKey {
    pub(super) cipher: ChunkKey,
    /// The secret, for wrapping under a [`RunKey`](crate::RunKey).
    pub(crate) bytes: Zeroizing<[u8; 32]>,
}

impl PayloadKey {
    pub(crate) fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { cipher: ChunkKey::new(&bytes), bytes }
    }
}
