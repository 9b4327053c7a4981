//! Payloads in order, in pieces of any size, without knowing their length in advance.
//!
//! Owns: which chunk comes next, and how much of a damaged payload is released.
//! Does not own: the chunks' cryptography; payloads whose chunks are processed in any order ([`crate::Layout`]).
//!
//! Spec: C2SP age.md, "Payload".

use super::chunks::{CHUNK_BYTES, SEALED_CHUNK_BYTES, TAG_BYTES};
use super::key::PayloadKey;
use crate::error::StreamError;

/// Seals plaintext to a payload. Buffers up to one chunk, as the last chunk is known only at the end.
pub struct StreamSealer {
    key: PayloadKey,
    index: u64,
    /// Invariant: at most [`CHUNK_BYTES`] bytes.
    pending: Vec<u8>,
}

impl StreamSealer {
    /// Starts a payload under `key`, which must not have sealed anything before.
    pub fn new(key: PayloadKey) -> Self {
        Self { key, index: 0, pending: Vec::with_capacity(CHUNK_BYTES) }
    }

    /// Seals more plaintext and appends the completed chunks to `sealed`.
    pub fn push(&mut self, mut plain: &[u8], sealed: &mut Vec<u8>) {
        while !plain.is_empty() {
            if self.pending.len() == CHUNK_BYTES {
                self.seal(false, sealed);
            }
            let (now, later) = plain.split_at(plain.len().min(CHUNK_BYTES - self.pending.len()));
            self.pending.extend_from_slice(now);
            plain = later;
        }
    }

    /// Appends the last chunk.
    pub fn finish(mut self, sealed: &mut Vec<u8>) {
        self.seal(true, sealed);
    }

    fn seal(&mut self, last: bool, sealed: &mut Vec<u8>) {
        let start = sealed.len();
        sealed.resize(start + self.pending.len() + TAG_BYTES, 0);
        self.key.seal_chunk(self.index, last, &self.pending, &mut sealed[start..]);
        self.index += 1;
        self.pending.clear();
    }
}

impl Drop for StreamSealer {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.pending);
    }
}

/// Opens a payload to plaintext. Released plaintext is authentic; it is complete once [`StreamOpener::finish`]
/// succeeds.
pub struct StreamOpener {
    key: PayloadKey,
    index: u64,
    /// Invariant: at most [`SEALED_CHUNK_BYTES`] bytes.
    pending: Vec<u8>,
    failed: Option<StreamError>,
}

impl StreamOpener {
    /// Starts the payload that `key` belongs to.
    pub fn new(key: PayloadKey) -> Self {
        Self { key, index: 0, pending: Vec::with_capacity(SEALED_CHUNK_BYTES), failed: None }
    }

    /// Opens more of the payload, which follows the header and its nonce, and appends the completed chunks to `plain`.
    ///
    /// # Errors
    /// At the first chunk that isn't authentic, or if bytes follow the last one. Every later call fails as well.
    pub fn push(&mut self, mut sealed: &[u8], plain: &mut Vec<u8>) -> Result<(), StreamError> {
        while !sealed.is_empty() {
            if let Some(error) = self.failed {
                return Err(error);
            }
            if self.pending.len() == SEALED_CHUNK_BYTES {
                self.failed = self.open_followed(plain).err();
                continue;
            }
            let (now, later) = sealed.split_at(sealed.len().min(SEALED_CHUNK_BYTES - self.pending.len()));
            self.pending.extend_from_slice(now);
            sealed = later;
        }
        Ok(())
    }

    /// Ends the input and appends the last chunk.
    ///
    /// # Errors
    /// If the input doesn't end with an authentic last chunk.
    pub fn finish(self, plain: &mut Vec<u8>) -> Result<(), StreamError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.open(plain, PayloadKey::open_final)
    }

    /// Opens the pending chunk, after which more bytes follow.
    fn open_followed(&mut self, plain: &mut Vec<u8>) -> Result<(), StreamError> {
        self.open(plain, PayloadKey::open_followed)?;
        self.index += 1;
        self.pending.clear();
        Ok(())
    }

    /// Opens the pending chunk with `open` and appends its plaintext if it is authentic.
    fn open(
        &self,
        plain: &mut Vec<u8>,
        open: impl Fn(&PayloadKey, u64, &[u8], &mut [u8]) -> Result<(), StreamError>,
    ) -> Result<(), StreamError> {
        let start = plain.len();
        plain.resize(start + self.pending.len().saturating_sub(TAG_BYTES), 0);
        let opened = open(&self.key, self.index, &self.pending, &mut plain[start..]);
        if let Err(StreamError::Chunk { .. }) = opened {
            plain.truncate(start);
        }
        opened
    }
}
