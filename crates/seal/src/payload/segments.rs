//! How a payload is divided: segments for workers, pieces for buffers.
//!
//! Owns: which chunks belong to a segment and to a piece, the sizes of buffers.
//! Does not own: reading, sealing, writing.

use haul_age_format::{CHUNK_BYTES, Layout, SEALED_CHUNK_BYTES};

/// Chunks in a segment: 4 MiB of plaintext. This is long enough to make the cost of dispatching it negligible, and
/// short enough for a file of 100 MiB to keep sixteen workers busy.
const SEGMENT_CHUNKS: u64 = 64;
/// Chunks in a piece: 256 KiB, the longest computation before a job yields to others.
const PIECE_CHUNKS: u64 = 4;

/// Length of the longest piece in bytes of plaintext.
pub(crate) const PIECE_BYTES: usize = PIECE_CHUNKS as usize * CHUNK_BYTES;
/// Length of the longest piece in sealed bytes.
pub(crate) const SEALED_PIECE_BYTES: usize = PIECE_CHUNKS as usize * SEALED_CHUNK_BYTES;

/// Files with at most this many bytes of plaintext are transformed at once, in one buffer.
pub(crate) const SMALL_BYTES: u64 = 16 * CHUNK_BYTES as u64;

/// Returns the capacity of a buffer for a file of `bytes` bytes, plus one byte that shows whether the file has grown.
/// There are only a few sizes, so that buffers can be reused; small files get small buffers, because many can be in
/// flight.
pub(crate) fn buffer_bytes(bytes: u64) -> usize {
    (bytes as usize + 1).next_power_of_two().max(CHUNK_BYTES)
}

/// Consecutive chunks that are read, computed and written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The number of the first chunk.
    pub(crate) first: u64,
    /// The number of chunks, at least one.
    pub(crate) count: u64,
}

impl Piece {
    /// The numbers of its chunks.
    pub(crate) fn chunks(self) -> std::ops::Range<u64> {
        self.first..self.first + self.count
    }

    /// Its length in bytes of plaintext.
    pub(crate) fn plain_bytes(self, layout: Layout) -> usize {
        let whole = (self.count as usize - 1) * CHUNK_BYTES;
        whole + layout.plain_bytes_of(self.first + self.count - 1)
    }

    /// Its length in sealed bytes.
    pub(crate) fn sealed_bytes(self, layout: Layout) -> usize {
        self.plain_bytes(layout) + self.count as usize * (SEALED_CHUNK_BYTES - CHUNK_BYTES)
    }
}

/// Returns the number of segments of a payload.
pub(crate) fn segment_count(layout: Layout) -> u64 {
    layout.chunk_count().div_ceil(SEGMENT_CHUNKS)
}

/// Returns the pieces of segment `index`.
pub(crate) fn pieces_of_segment(layout: Layout, index: u64) -> impl Iterator<Item = Piece> {
    let start = index * SEGMENT_CHUNKS;
    pieces(start, (start + SEGMENT_CHUNKS).min(layout.chunk_count()))
}

/// Returns the pieces of the whole payload.
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
