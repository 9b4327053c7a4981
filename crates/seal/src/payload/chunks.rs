//! Sealing and opening chunks. This is the only place where chunks are authenticated.
//!
//! Owns: appending sealed chunks or authentic plaintext to a buffer, what a damaged chunk leaves there.
//! Does not own: the cipher ([`haul_age_format::PayloadKey`]), reading and writing.
//!
//! Spec: C2SP age.md, "Payload".

use haul_age_format::{CHUNK_BYTES, Layout, PayloadKey, SEALED_CHUNK_BYTES, StreamError, TAG_BYTES};
use haul_io::Buf;

use super::segments::Piece;
use crate::error::Error;

/// The key and the position of a payload.
pub struct Payload {
    pub(crate) key: PayloadKey,
    /// The position in the age file where the payload begins, in bytes.
    pub(crate) offset: u64,
}

/// Consecutive chunks of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkRun {
    /// The number of the first chunk.
    pub(crate) first: u64,
    /// Whether the last of these chunks is the last of the payload.
    pub(crate) ends: bool,
}

/// Appends the sealed chunks of `piece` to `out`.
pub(crate) fn seal_piece(key: &PayloadKey, layout: Layout, piece: Piece, mut plain: &[u8], out: &mut Buf) {
    for index in piece.chunks() {
        let (chunk, rest) = plain.split_at(layout.plain_bytes_of(index));
        seal_chunk(key, index, layout.is_last(index), chunk, out);
        plain = rest;
    }
}

/// Appends the sealed chunks of `plain` to `out`. An empty payload is one empty chunk.
pub(crate) fn seal_chunks(key: &PayloadKey, chunks: ChunkRun, plain: &[u8], out: &mut Buf) {
    let count = plain.len().div_ceil(CHUNK_BYTES).max(1);
    for number in 0..count {
        let start = number * CHUNK_BYTES;
        let chunk = &plain[start..plain.len().min(start + CHUNK_BYTES)];
        let is_last = chunks.ends && number + 1 == count;
        seal_chunk(key, chunks.first + number as u64, is_last, chunk, out);
    }
}

fn seal_chunk(key: &PayloadKey, index: u64, is_last: bool, chunk: &[u8], out: &mut Buf) {
    let sealed_bytes = chunk.len() + TAG_BYTES;
    key.seal_chunk(index, is_last, chunk, &mut out.spare_mut()[..sealed_bytes]);
    out.commit(sealed_bytes);
}

impl Payload {
    /// Appends the plaintext of `piece` to `out`, up to the first chunk that is not authentic.
    pub(crate) fn open_piece(
        &self,
        layout: Layout,
        piece: Piece,
        sealed: &[u8],
        out: &mut Buf,
    ) -> Result<(), Error> {
        let ends = layout.is_last(piece.first + piece.count - 1);
        self.open_chunks(ChunkRun { first: piece.first, ends }, sealed, out)
    }

    /// Appends the plaintext of the chunks in `sealed` to `out`. Authenticates also whether the payload ends with them.
    /// After an error, `out` holds the authentic plaintext before the damage.
    pub(crate) fn open_chunks(&self, chunks: ChunkRun, sealed: &[u8], out: &mut Buf) -> Result<(), Error> {
        let count = sealed.len().div_ceil(SEALED_CHUNK_BYTES).max(1);
        for number in 0..count {
            let start = number * SEALED_CHUNK_BYTES;
            let chunk = &sealed[start..sealed.len().min(start + SEALED_CHUNK_BYTES)];
            let index = chunks.first + number as u64;
            let plain_bytes = chunk.len().saturating_sub(TAG_BYTES);
            let plain = &mut out.spare_mut()[..plain_bytes];
            let opened = if chunks.ends && number + 1 == count {
                self.key.open_final(index, chunk, plain)
            } else {
                self.key.open_followed(index, chunk, plain)
            };
            // If the payload was truncated or extended after this chunk, the chunk itself is authentic.
            if !matches!(opened, Err(StreamError::Chunk { .. })) {
                out.commit(plain_bytes);
            }
            opened.map_err(|error| Error::of_stream(error, self.offset, chunk.len()))?;
        }
        Ok(())
    }
}
