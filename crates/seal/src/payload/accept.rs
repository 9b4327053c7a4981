//! The beginning of each file that is opened or verified.
//!
//! Owns: reading the header from a file, recognising armor, opening small files at once.
//! Does not own: the header's grammar ([`haul_age_format::Header`]), where plaintext goes.

use haul_age_format::{Header, HeaderError, Layout, NONCE_BYTES, Parsed, is_armored};
use haul_io::{Buf, Io, Offset};

use super::chunks::Payload;
use super::keys::HeaderKeys;
use super::segments::{SMALL_BYTES, buffer_bytes, pieces_of};
use crate::error::{During, Error};
use crate::task::SourceFile;

/// The length of the first read: all of a small file, and the header of any file except those with very many
/// recipients.
const FIRST_READ_BYTES: usize = SMALL_BYTES as usize + 16 * 1024;

/// The format of a source.
pub(crate) enum SourceFormat {
    /// A binary age file whose header was accepted.
    Binary(Accepted),
    /// An age file that must be read from its start: an armored one, or one whose length isn't known.
    InOrder(Form),
}

/// The form of an age file that is written or read from start to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text.
    Armored,
    /// Binary, of a length that isn't known before its end.
    Binary,
}

/// A binary age file whose header was accepted.
pub(crate) struct Accepted {
    payload: Payload,
    layout: Layout,
    /// The start of the file, as far as it was read.
    start: Buf,
    /// Whether `start` is the whole file, and short enough to be opened at once.
    pub(crate) is_small: bool,
    /// Whether a passphrase seals it.
    pub(crate) is_by_passphrase: bool,
}

/// The start of a binary age file.
pub(crate) struct FileStart {
    pub(crate) header: Header,
    pub(crate) header_bytes: usize,
    /// The start of the file, as far as it was read.
    pub(crate) start: Buf,
    /// Whether the file ends there.
    pub(crate) is_whole: bool,
}

impl FileStart {
    /// The nonce, which follows the header.
    pub(crate) fn nonce(&self) -> Result<[u8; NONCE_BYTES], Error> {
        let nonce = self.start.filled().get(self.header_bytes..self.header_bytes + NONCE_BYTES);
        nonce.and_then(|nonce| nonce.try_into().ok()).ok_or(Error::WrongLength)
    }
}

/// Reads the header of `source` and opens it with `keys`.
pub(crate) async fn accept(
    io: &impl Io,
    source: &SourceFile,
    keys: &HeaderKeys<'_>,
) -> Result<SourceFormat, Error> {
    let Some(file_start) = read_header(io, source).await? else {
        return Ok(SourceFormat::InOrder(Form::Armored));
    };
    let nonce = file_start.nonce();
    let FileStart { header, header_bytes, start, is_whole } = file_start;
    let is_length_true = if is_whole {
        start.filled().len() as u64 == source.stat.bytes
    } else {
        source.is_length_true(io).await?
    };
    if !is_length_true {
        source.check_unchanged(io).await?;
        io.give_buf(start);
        return Ok(SourceFormat::InOrder(Form::Binary));
    }
    let payload = keys.open(&header, header_bytes, &nonce?)?;
    let sealed_bytes = source.stat.bytes.checked_sub(payload.offset).ok_or(Error::SourceChanged)?;
    let layout = Layout::of_sealed(sealed_bytes).ok_or(Error::WrongLength)?;
    let is_small = start.filled().len() as u64 == source.stat.bytes && layout.plain_bytes() <= SMALL_BYTES;
    let is_by_passphrase = is_by_passphrase(&header);
    Ok(SourceFormat::Binary(Accepted { payload, layout, start, is_small, is_by_passphrase }))
}

/// Whether a passphrase seals the file with `header`, and so no key besides.
pub(crate) fn is_by_passphrase(header: &Header) -> bool {
    header.stanzas().iter().any(|stanza| stanza.tag() == "scrypt")
}

impl Accepted {
    /// Opens a small file and returns its plaintext.
    pub(crate) async fn open_small(self, io: &impl Io) -> Result<Buf, Error> {
        let Self { payload, layout, mut start, .. } = self;
        start.consume(payload.offset as usize);
        let mut plain = io.take_buf(buffer_bytes(layout.plain_bytes()));
        let mut rest = start.filled();
        for piece in pieces_of(layout) {
            let (sealed, later) = rest.split_at(piece.sealed_bytes(layout));
            payload.open_piece(layout, piece, sealed, &mut plain)?;
            rest = later;
            io.yield_now().await;
        }
        io.give_buf(start);
        Ok(plain)
    }

    /// Returns what the segments of a large file need.
    pub(crate) fn into_payload(self, io: &impl Io) -> (Layout, Payload) {
        io.give_buf(self.start);
        (self.layout, self.payload)
    }
}

/// Reads the start of `source` with its header and nonce; `None` if it is armored.
pub(crate) async fn read_header(io: &impl Io, source: &SourceFile) -> Result<Option<FileStart>, Error> {
    let mut capacity = FIRST_READ_BYTES.min(buffer_bytes(source.stat.bytes));
    let mut start = io.take_buf(capacity);
    loop {
        let (count, back) = io.read_full(&source.file, start, capacity, Offset::At(0)).await;
        start = back;
        let at_end = count.map_err(Error::at(During::Read))? < capacity;
        if is_armored(start.filled()) {
            io.give_buf(start);
            return Ok(None);
        }
        match Header::parse(start.filled())? {
            // The nonce must have been read as well.
            Parsed::Complete { header, len } if at_end || len + NONCE_BYTES <= capacity => {
                return Ok(Some(FileStart { header, header_bytes: len, start, is_whole: at_end }));
            }
            _ if at_end => return Err(Error::WrongLength),
            _ if capacity > Header::BYTES_MAX => return Err(HeaderError::TooLong.into()),
            _ => {
                capacity = Header::BYTES_MAX + NONCE_BYTES + 1;
                start = io.take_buf(capacity);
            }
        }
    }
}
