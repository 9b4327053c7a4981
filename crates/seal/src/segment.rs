//! Segments: how a large payload is divided among workers.
//!
//! Owns: which chunks belong to a segment, and the pieces it is computed in.
//! Does not own: reading, sealing, writing.

use haul_age_format::{CHUNK_BYTES, Layout, SEALED_CHUNK_BYTES};

/// Chunks in a segment: 4 MiB of plaintext. Long enough that handing it over costs nothing, short enough that a file of
/// 100 MiB keeps sixteen workers busy.
const SEGMENT_CHUNKS: u64 = 64;
/// Chunks in a piece: 256 KiB, the most that is computed before other jobs get their turn.
const PIECE_CHUNKS: u64 = 4;

/// Plaintext bytes of the longest piece.
pub(crate) const PIECE_BYTES: usize = PIECE_CHUNKS as usize * CHUNK_BYTES;
/// Sealed bytes of the longest piece.
pub(crate) const SEALED_PIECE_BYTES: usize = PIECE_CHUNKS as usize * SEALED_CHUNK_BYTES;

/// Files up to this many bytes of plaintext are done in one go, through one buffer.
pub(crate) const SMALL_BYTES: u64 = 16 * CHUNK_BYTES as u64;

/// Capacity of a buffer for a file of `bytes` bytes, and one more that would show that it has grown. A few sizes only, so
/// that buffers are used again; small ones for small files, as many may be in flight.
pub(crate) fn buffer_bytes(bytes: u64) -> usize {
    (bytes as usize + 1).next_power_of_two().max(CHUNK_BYTES)
}

/// Neighbouring chunks that are read, computed and written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Number of the first chunk.
    pub(crate) first: u64,
    /// How many chunks there are, at least one.
    pub(crate) count: u64,
}

impl Piece {
    /// The chunks of the piece.
    pub(crate) fn chunks(self) -> std::ops::Range<u64> {
        self.first..self.first + self.count
    }

    /// Plaintext bytes.
    pub(crate) fn plain_bytes(self, layout: Layout) -> usize {
        let whole = (self.count as usize - 1) * CHUNK_BYTES;
        whole + layout.plain_bytes_of(self.first + self.count - 1)
    }

    /// Sealed bytes.
    pub(crate) fn sealed_bytes(self, layout: Layout) -> usize {
        self.plain_bytes(layout) + self.count as usize * (SEALED_CHUNK_BYTES - CHUNK_BYTES)
    }
}

/// How many segments a payload has.
pub(crate) fn segment_count(layout: Layout) -> u64 {
    layout.chunk_count().div_ceil(SEGMENT_CHUNKS)
}

/// The pieces of segment `index`.
pub(crate) fn pieces_of_segment(layout: Layout, index: u64) -> impl Iterator<Item = Piece> {
    let start = index * SEGMENT_CHUNKS;
    pieces(start, (start + SEGMENT_CHUNKS).min(layout.chunk_count()))
}

/// The pieces of the whole payload.
pub(crate) fn pieces_of(layout: Layout) -> impl Iterator<Item = Piece> {
    pieces(0, layout.chunk_count())
}

fn pieces(start: u64, end: u64) -> impl Iterator<Item = Piece> {
    let firsts = (start..end).step_by(PIECE_CHUNKS as usize);
    firsts.map(move |first| Piece { first, count: PIECE_CHUNKS.min(end - first) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_cover_every_chunk_once() {
        let chunk = CHUNK_BYTES as u64;
        for plain_bytes in [0, 1, chunk, 63 * chunk, 64 * chunk, 64 * chunk + 1, 1_000 * chunk + 9] {
            let layout = Layout::of_plain(plain_bytes);
            let segments = 0..segment_count(layout);
            let pieces: Vec<_> = segments.flat_map(|index| pieces_of_segment(layout, index)).collect();
            let chunks: Vec<_> = pieces.iter().flat_map(|piece| piece.chunks()).collect();
            assert_eq!(chunks, (0..layout.chunk_count()).collect::<Vec<_>>(), "{plain_bytes}");
            let sum: u64 = pieces.iter().map(|piece| piece.plain_bytes(layout) as u64).sum();
            assert_eq!(sum, plain_bytes);
            let sealed: u64 = pieces.iter().map(|piece| piece.sealed_bytes(layout) as u64).sum();
            assert_eq!(sealed, layout.sealed_bytes());
            assert!(pieces.iter().all(|piece| piece.plain_bytes(layout) <= PIECE_BYTES));
        }
    }
}
