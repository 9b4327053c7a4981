//! An age file that is read as if it were its plaintext, at any position.
//!
//! Owns: the position, which chunks are held, the order of authentication: the last chunk first.
//! Does not own: chunks ([`crate::payload`]), armor and offsets ([`crate::reader`]), turns ([`super::turns`]).

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::ops::Range;

use haul_age_format::{CHUNK_BYTES, Identity, Layout, SEALED_CHUNK_BYTES};
use haul_io::Buf;

use super::accept::accept;
use super::options::{StreamOptions, Streamed};
use super::pieces::Pieces;
use super::turns::Turns;
use crate::error::Error;
use crate::payload::Payload;
use crate::payload::chunks::ChunkRun;
use crate::payload::segments::Piece;
use crate::reader::Seekable;

/// The chunks that are read at a time if reads follow each other.
const CHUNKS_AHEAD: u64 = 4;

/// The plaintext of an age file, armored or not, for [`Read`] and [`Seek`].
///
/// Opening authenticates the last chunk, so that the length is true: a file that was cut short or lengthened doesn't
/// open. Every byte that is read was authenticated. A damaged chunk is an error of the reads that touch it, as is a
/// file that changes meanwhile: an [`io::Error`] of the kind `InvalidData` around an [`Error`].
///
/// A read opens one chunk of 64 KiB, or four if it follows the last one. Memory: two buffers for four chunks, no more
/// than the file needs; for an armored file, two more.
///
/// ```
/// use std::io::{Cursor, Read, Seek, SeekFrom};
///
/// use haul_seal::{SealedFile, X25519Identity};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let ada = X25519Identity::generate();
/// # let file = Cursor::new(haul_seal::seal_bytes(b"Dear Ada", &[ada.to_recipient().into()])?);
/// let mut letter = SealedFile::open(file, &[ada.into()])?;
/// assert_eq!(letter.len(), 8);
/// letter.seek(SeekFrom::End(-3))?;
/// let mut name = String::new();
/// letter.read_to_string(&mut name)?;
/// assert_eq!(name, "Ada");
/// # Ok(())
/// # }
/// ```
pub struct SealedFile<R> {
    file: Seekable<R>,
    payload: Payload,
    layout: Layout,
    position: u64,
    /// The number of the first chunk in `plain`.
    first: u64,
    /// The plaintext of consecutive chunks. Invariant: authentic.
    plain: Buf,
    sealed: Buf,
}

impl<R: Read + Seek> SealedFile<R> {
    /// Opens the age file in `file`, which begins at its position 0, with the first of `identities` that fits. Plugins
    /// aren't asked: see [`open_with`](Self::open_with).
    ///
    /// # Errors
    /// - [`Error::Header`] if no identity fits or the header is malformed.
    /// - [`Error::WrongLength`], [`Error::CutShort`] or [`Error::Chunk`] if the end of the file is missing or damaged.
    /// - [`Error::Armor`] if the armor is malformed, or its lines have different lengths or ends
    ///   ([`ArmorError::Irregular`](crate::ArmorError::Irregular)): only [`open_stream`](crate::open_stream) reads
    ///   these.
    /// - [`Error::Io`] if `file` can't be read.
    pub fn open(file: R, identities: &[Identity]) -> Result<Self, Error> {
        Self::accept(file, identities, None)
    }

    /// As [`open`](Self::open), and asks the plugins of `options` if no other identity fits.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`Error::Plugin`].
    pub fn open_with(file: R, identities: &[Identity], options: &StreamOptions) -> Result<Self, Error> {
        Self::accept(file, identities, Some(options))
    }

    fn accept(file: R, identities: &[Identity], options: Option<&StreamOptions>) -> Result<Self, Error> {
        let mut file = Seekable::new(file)?;
        let file_bytes = file.bytes();
        let payload = accept(&mut file.reader_of(0..file_bytes), identities, options)?.payload;
        let sealed_bytes = file_bytes.checked_sub(payload.offset).ok_or(Error::WrongLength)?;
        let layout = Layout::of_sealed(sealed_bytes).ok_or(Error::WrongLength)?;
        let ahead = Piece { first: 0, count: layout.chunk_count().min(CHUNKS_AHEAD) };
        let (plain, sealed) = (ahead.plain_bytes(layout), ahead.sealed_bytes(layout));
        let (plain, sealed) = (Buf::with_capacity(plain), Buf::with_capacity(sealed));
        let mut opened = Self { file, payload, layout, position: 0, first: 0, plain, sealed };
        opened.open_chunks(Piece { first: layout.chunk_count() - 1, count: 1 })?;
        Ok(opened)
    }

    /// Length of the plaintext in bytes.
    pub fn len(&self) -> u64 {
        self.layout.plain_bytes()
    }

    /// Whether the plaintext is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The age file.
    pub fn into_inner(self) -> R {
        self.file.into_inner()
    }

    /// Opens the plaintext in `range` and writes it to `sink`, on as many threads as `options` say. An end behind the
    /// plaintext stands for its end. The position stays. After an error, `sink` holds the authentic plaintext before
    /// the damage.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] if `range` begins at the end of the plaintext or behind it; [`Error::Chunk`];
    /// [`Error::SourceChanged`]; [`Error::Armor`]; [`Error::Io`] with the step that failed,
    /// [`During::Read`](crate::During::Read) or [`During::Write`](crate::During::Write).
    pub fn copy_range(
        &mut self,
        range: Range<u64>,
        sink: impl Write + Send,
        options: &StreamOptions,
    ) -> Result<Streamed, Error>
    where
        R: Send,
    {
        let Self { payload, layout, .. } = self;
        let (plain_bytes, start) = (layout.plain_bytes(), range.start);
        let end = range.end.min(plain_bytes);
        if start >= plain_bytes {
            return Err(Error::OutOfRange { plain_bytes });
        }
        let chunks = chunk_of(start)..chunk_of(end.saturating_sub(1).max(start)) + 1;
        let ends_payload = layout.is_last(chunks.end - 1);
        let sealed_end = if ends_payload { layout.sealed_bytes() } else { Layout::sealed_offset(chunks.end) };
        let sealed = payload.offset + Layout::sealed_offset(chunks.start)..payload.offset + sealed_end;
        let reader = self.file.reader_of(sealed);
        let pieces = Pieces::within(reader, SEALED_CHUNK_BYTES, chunks.start, ends_payload);
        let pieces_max = (chunks.end - chunks.start).div_ceil(CHUNKS_AHEAD);
        let workers = options.workers.min(NonZeroUsize::new(pieces_max as usize).unwrap_or(options.workers));
        let moved = Turns::new(pieces, sink, options.cancel.as_ref()).run(
            workers,
            |chunks: ChunkRun, sealed: &[u8], plain: &mut Buf| {
                let opened = payload.open_chunks(chunks, sealed, plain);
                let offset = Layout::plain_offset(chunks.first);
                plain.truncate(end.saturating_sub(offset).min(sealed.len() as u64) as usize);
                plain.consume((start.saturating_sub(offset) as usize).min(plain.filled().len()));
                opened
            },
        )?;
        Ok(Streamed { plain_bytes: moved.written, sealed_bytes: moved.read })
    }

    /// All of the plaintext.
    pub(crate) fn into_plaintext(mut self) -> Result<Vec<u8>, Error> {
        let mut plain = Vec::with_capacity(self.len() as usize);
        while (plain.len() as u64) < self.len() {
            self.hold(chunk_of(plain.len() as u64))?;
            let start = plain.len() - Layout::plain_offset(self.first) as usize;
            plain.extend_from_slice(&self.plain.filled()[start..]);
        }
        Ok(plain)
    }

    /// Makes `plain` hold the chunk with the number `index`.
    fn hold(&mut self, index: u64) -> Result<(), Error> {
        let held = self.first..self.first + self.plain.filled().len().div_ceil(CHUNK_BYTES) as u64;
        if held.contains(&index) {
            return Ok(());
        }
        let count_max = if index == held.end { CHUNKS_AHEAD } else { 1 };
        let count = count_max.min(self.layout.chunk_count() - index);
        match self.open_chunks(Piece { first: index, count }) {
            // Another chunk is damaged, which wasn't asked for.
            Err(_) if !self.plain.filled().is_empty() => Ok(()),
            result => result,
        }
    }

    /// Reads and opens the chunks of `piece`, up to the first that is damaged.
    fn open_chunks(&mut self, piece: Piece) -> Result<(), Error> {
        self.first = piece.first;
        self.plain.clear();
        self.sealed.clear();
        let bytes = piece.sealed_bytes(self.layout);
        let offset = self.payload.offset + Layout::sealed_offset(piece.first);
        self.file.read_at(offset, &mut self.sealed.spare_mut()[..bytes]).map_err(Error::of_read)?;
        self.sealed.commit(bytes);
        self.payload.open_piece(self.layout, piece, self.sealed.filled(), &mut self.plain)
    }
}

/// The number of the chunk with the plaintext byte at `position`.
fn chunk_of(position: u64) -> u64 {
    position / CHUNK_BYTES as u64
}

impl<R: Read + Seek> Read for SealedFile<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.len() || out.is_empty() {
            return Ok(0);
        }
        self.hold(chunk_of(self.position))?;
        let start = (self.position - Layout::plain_offset(self.first)) as usize;
        let count = (&self.plain.filled()[start..]).read(out)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl<R: Read + Seek> Seek for SealedFile<R> {
    /// Positions behind the end are valid; nothing is read there.
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let position = match position {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(distance) => self.len().checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        self.position = position
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a position before the first byte"))?;
        Ok(self.position)
    }
}

impl<R> std::fmt::Debug for SealedFile<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain_bytes = self.layout.plain_bytes();
        f.debug_struct("SealedFile").field("len", &plain_bytes).field("position", &self.position).finish()
    }
}
