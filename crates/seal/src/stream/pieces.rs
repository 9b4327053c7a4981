//! Dividing a stream into pieces of whole chunks.
//!
//! Owns: which bytes belong to a piece, carrying the rest over to the next, noticing the end of the payload.
//! Does not own: the transformation of a piece, turns ([`super::turns`]).

use std::io::{self, Read};

use haul_io::Buf;

use crate::payload::chunks::ChunkRun;

/// The largest number of chunks in a piece.
const PIECE_CHUNKS: usize = 4;

/// A reader that is read in pieces.
pub(super) struct Pieces<R> {
    reader: R,
    chunk_bytes: usize,
    /// Bytes that were read and belong to the next piece.
    carried: Vec<u8>,
    /// The number of the next chunk.
    next: u64,
    /// Whether the last chunk of `reader` is the last of the payload.
    ends_payload: bool,
    state: State,
}

enum State {
    Open,
    /// The read failed; the error follows the pieces before it.
    Failed(io::Error),
    /// The end was reached; the last piece was not returned yet.
    Ended,
    Done,
}

impl<R: Read> Pieces<R> {
    /// Divides `start` and then `reader` into chunks of `chunk_bytes` bytes.
    ///
    /// # Panics
    /// If `start` is longer than a piece.
    pub(super) fn new(reader: R, chunk_bytes: usize, start: &[u8]) -> Self {
        assert!(start.len() <= PIECE_CHUNKS * chunk_bytes, "the start of a stream is short");
        let (carried, ends_payload) = (start.to_vec(), true);
        Self { reader, chunk_bytes, carried, next: 0, ends_payload, state: State::Open }
    }

    /// Divides `reader`, which holds consecutive chunks of a payload, the first of them with the number `first`.
    /// `ends_payload` says whether the payload ends with them.
    pub(super) fn within(reader: R, chunk_bytes: usize, first: u64, ends_payload: bool) -> Self {
        Self { next: first, ends_payload, ..Self::new(reader, chunk_bytes, &[]) }
    }

    /// The capacity that a piece needs: its length and one more byte, which shows that the piece isn't the last.
    pub(super) fn piece_bytes_max(&self) -> usize {
        PIECE_CHUNKS * self.chunk_bytes + 1
    }

    /// Reads the next piece into the empty buffer `piece`. Once there is a whole chunk, it doesn't wait for more data.
    /// Returns `None` after the last piece and after an error.
    pub(super) fn take(&mut self, piece: &mut Buf) -> Option<io::Result<ChunkRun>> {
        piece.append(&self.carried);
        self.carried.clear();
        while matches!(self.state, State::Open) && self.wants_more(piece) {
            let room = self.piece_bytes_max() - piece.filled().len();
            match self.reader.read(&mut piece.spare_mut()[..room]) {
                Ok(0) => self.state = State::Ended,
                Ok(count) => {
                    piece.commit(count);
                    if count < room && self.whole_chunks(piece) > 0 {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.state = State::Failed(error),
            }
        }
        self.cut(piece)
    }

    fn wants_more(&self, piece: &Buf) -> bool {
        piece.filled().len() < self.piece_bytes_max()
    }

    /// The number of chunks in `piece` that are followed by another byte.
    fn whole_chunks(&self, piece: &Buf) -> usize {
        piece.filled().len().saturating_sub(1) / self.chunk_bytes
    }

    fn cut(&mut self, piece: &mut Buf) -> Option<io::Result<ChunkRun>> {
        let first = self.next;
        let whole_chunks = self.whole_chunks(piece);
        match std::mem::replace(&mut self.state, State::Done) {
            State::Done => None,
            // The end was seen with room to spare, so the rest fits one piece.
            State::Ended => Some(Ok(ChunkRun { first, ends: self.ends_payload })),
            State::Failed(error) if whole_chunks == 0 => Some(Err(error)),
            state => {
                self.state = state;
                let bytes = whole_chunks * self.chunk_bytes;
                self.carried.extend_from_slice(&piece.filled()[bytes..]);
                piece.truncate(bytes);
                self.next += whole_chunks as u64;
                Some(Ok(ChunkRun { first, ends: false }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = 10;

    /// Returns `bytes` in reads of at most `most` bytes, then ends or fails.
    struct Slow<'a> {
        bytes: &'a [u8],
        most: usize,
        fails: bool,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.bytes.is_empty() && self.fails {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let count = self.most.min(out.len());
            (&self.bytes[..count.min(self.bytes.len())]).read(out).inspect(|count| {
                self.bytes = &self.bytes[*count..];
            })
        }
    }

    #[track_caller]
    fn check(length: usize, most: usize, begun: usize, fails: bool) {
        let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
        let (begun, rest) = bytes.split_at(begun.min(length));
        let mut source = Pieces::new(Slow { bytes: rest, most, fails }, CHUNK, begun);
        let (mut seen, mut chunks, mut ended) = (Vec::new(), 0, false);
        let mut buf = Buf::with_capacity(source.piece_bytes_max());
        loop {
            buf.clear();
            match source.take(&mut buf) {
                Some(Ok(piece)) => {
                    assert_eq!((piece.first, ended), (chunks, false));
                    assert!(
                        piece.ends || (buf.filled().len().is_multiple_of(CHUNK) && !buf.filled().is_empty())
                    );
                    chunks += buf.filled().len().div_ceil(CHUNK) as u64;
                    seen.extend_from_slice(buf.filled());
                    ended = piece.ends;
                }
                Some(Err(_)) => {
                    assert!(fails);
                    assert_eq!(
                        seen,
                        bytes[..length.saturating_sub(1) / CHUNK * CHUNK],
                        "what was whole came first"
                    );
                    break;
                }
                None => {
                    assert!(ended && !fails);
                    assert_eq!(seen, bytes);
                    break;
                }
            }
        }
        buf.clear();
        assert!(source.take(&mut buf).is_none(), "the end lasts");
    }

    #[test]
    fn every_length_in_reads_of_every_size() {
        for length in 0..=95 {
            for most in [1, 3, 9, 10, 11, 40, 41, 100] {
                for begun in [0, 1, 10, 25, 40] {
                    check(length, most, begun, false);
                    check(length, most, begun, true);
                }
            }
        }
    }

    #[test]
    fn a_chunk_at_hand_does_not_wait_for_more() {
        let bytes = [0; 100];
        let mut source = Pieces::new(Slow { bytes: &bytes, most: 11, fails: false }, CHUNK, &[]);
        let mut buf = Buf::with_capacity(source.piece_bytes_max());
        assert_eq!(source.take(&mut buf).unwrap().unwrap(), ChunkRun { first: 0, ends: false });
        assert_eq!(buf.filled().len(), CHUNK);
        assert_eq!(source.reader.bytes.len(), 89, "one read was enough");
    }
}
