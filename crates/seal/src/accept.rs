//! The beginning of every file that is opened or verified, and the one place where chunks are authenticated.
//!
//! Owns: reading the header, telling armor, opening chunks.
//! Does not own: the format, where plaintext goes.

use haul_age_format::{
    FileKey, Header, HeaderError, Identity, Layout, NONCE_BYTES, Parsed, SEALED_CHUNK_BYTES, StreamError,
    TAG_BYTES, is_armored, open_header, open_header_with,
};
use haul_io::{Buf, File, Io, Offset, Stat};

use crate::large::Payload;
use crate::portable::SharedKey;
use crate::segment::{Piece, SMALL_BYTES, buffer_bytes, pieces_of};
use crate::{During, Error, Task};

/// How much of a source is read at first: all of a small one, and the header of any but the most crowded.
const FIRST_READ_BYTES: usize = SMALL_BYTES as usize + 16 * 1024;

/// What a header is opened with.
pub(crate) struct Keys<'a> {
    pub(crate) identities: &'a [Identity],
    /// What a plugin gave, where it was asked; the identities then aren't.
    pub(crate) file_key: Option<FileKey>,
}

impl<'a> Keys<'a> {
    /// For `task` of a run with this `run_key`.
    pub(crate) fn of(task: &Task, identities: &'a [Identity], run_key: &SharedKey) -> Self {
        Self { identities, file_key: task.key().map(|key| key.file_key(run_key.get())) }
    }
}

/// What a source turned out to be.
pub(crate) enum Found {
    /// An age file whose header was accepted.
    Binary(Accepted),
    /// An armored one. The start of the text is of no use: it is read again.
    Armored,
}

/// A source whose header was accepted.
pub(crate) struct Accepted {
    pub(crate) payload: Payload,
    pub(crate) layout: Layout,
    /// The start of the source, as far as it was read.
    first: Buf,
    /// Whether that is all of it, and short enough to be dealt with at once.
    pub(crate) is_small: bool,
}

/// Reads the header of `file` and finds the key that fits.
pub(crate) async fn accept(io: &impl Io, file: &File, stat: &Stat, keys: &Keys<'_>) -> Result<Found, Error> {
    let Some((header, header_bytes, first)) = read_header(io, file, stat).await? else {
        return Ok(Found::Armored);
    };
    let Some(nonce) = first.filled().get(header_bytes..header_bytes + NONCE_BYTES) else {
        return Err(Error::WrongLength);
    };
    let payload = accept_header(&header, header_bytes, nonce, keys)?;
    let sealed_bytes = stat.bytes.checked_sub(payload.offset).ok_or(Error::SourceChanged)?;
    let layout = Layout::of_sealed(sealed_bytes).ok_or(Error::WrongLength)?;
    let is_small = first.filled().len() as u64 == stat.bytes && layout.plain_bytes() <= SMALL_BYTES;
    Ok(Found::Binary(Accepted { payload, layout, first, is_small }))
}

/// The payload behind a header of `header_bytes` bytes and `nonce`.
pub(crate) fn accept_header(
    header: &Header,
    header_bytes: usize,
    nonce: &[u8],
    keys: &Keys<'_>,
) -> Result<Payload, Error> {
    let nonce = nonce.try_into().expect("a nonce has its length");
    let key = match &keys.file_key {
        Some(file_key) => open_header_with(header, nonce, file_key)?,
        None => open_header(header, nonce, keys.identities)?,
    };
    Ok(Payload { key, offset: (header_bytes + NONCE_BYTES) as u64 })
}

impl Accepted {
    /// The plaintext of a small source.
    pub(crate) async fn open_small(self, io: &impl Io) -> Result<Buf, Error> {
        let Self { payload, layout, mut first, .. } = self;
        first.consume(payload.offset as usize);
        let mut plain = io.take_buf(buffer_bytes(layout.plain_bytes()));
        let mut rest = first.filled();
        for piece in pieces_of(layout) {
            let (now, later) = rest.split_at(piece.sealed_bytes(layout));
            open_piece(&payload, layout, piece, now, &mut plain)?;
            rest = later;
            io.yield_now().await;
        }
        io.give_buf(first);
        Ok(plain)
    }

    /// What the segments of a large source need.
    pub(crate) fn into_payload(self, io: &impl Io) -> (Layout, Payload) {
        io.give_buf(self.first);
        (self.layout, self.payload)
    }
}

/// The header, its length, and the start of the source as far as it was read; `None` for an armored one.
async fn read_header(io: &impl Io, file: &File, stat: &Stat) -> Result<Option<(Header, usize, Buf)>, Error> {
    let mut capacity = FIRST_READ_BYTES.min(buffer_bytes(stat.bytes));
    let mut first = io.take_buf(capacity);
    loop {
        let (count, back) = io.read_full(file, first, capacity, Offset::At(0)).await;
        first = back;
        let at_end = count.map_err(Error::at(During::Read))? as u64 == stat.bytes;
        if is_armored(first.filled()) {
            io.give_buf(first);
            return Ok(None);
        }
        match Header::parse(first.filled())? {
            // The nonce must be there as well.
            Parsed::Complete { header, len } if at_end || len + NONCE_BYTES <= capacity => {
                return Ok(Some((header, len, first)));
            }
            _ if at_end => return Err(Error::WrongLength),
            _ if capacity > Header::BYTES_MAX => return Err(HeaderError::TooLong.into()),
            _ => {
                capacity = Header::BYTES_MAX + NONCE_BYTES + 1;
                first = io.take_buf(capacity);
            }
        }
    }
}

/// Appends the plaintext of `piece` to `out`; nothing of a chunk that isn't authentic.
pub(crate) fn open_piece(
    payload: &Payload,
    layout: Layout,
    piece: Piece,
    sealed: &[u8],
    out: &mut Buf,
) -> Result<(), Error> {
    let ends = layout.is_last(piece.first + piece.count - 1);
    open_chunks(payload, piece.first, ends, sealed, out)
}

/// Appends the plaintext of the chunks in `sealed`, the first of which is number `first`, to `out`. Whether the payload
/// `ends` behind them is authenticated as well. After an error, `out` has what is authentic in front of the damage.
pub(crate) fn open_chunks(
    payload: &Payload,
    first: u64,
    ends: bool,
    sealed: &[u8],
    out: &mut Buf,
) -> Result<(), Error> {
    let count = sealed.len().div_ceil(SEALED_CHUNK_BYTES).max(1);
    for number in 0..count {
        let start = number * SEALED_CHUNK_BYTES;
        let chunk = &sealed[start..sealed.len().min(start + SEALED_CHUNK_BYTES)];
        let index = first + number as u64;
        let plain_bytes = chunk.len().saturating_sub(TAG_BYTES);
        let plain = &mut out.spare_mut()[..plain_bytes];
        let opened = match ends && number + 1 == count {
            true => payload.key.open_final(index, chunk, plain),
            false => payload.key.open_followed(index, chunk, plain),
        };
        // What was cut short or has something behind it is authentic itself.
        if !matches!(opened, Err(StreamError::Chunk { .. })) {
            out.commit(plain_bytes);
        }
        opened.map_err(|error| Error::of_stream(error, payload.offset, chunk.len()))?;
    }
    Ok(())
}
