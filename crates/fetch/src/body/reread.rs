//! Reading files again, to hash or compare what is already there.
//!
//! Owns: the size of the pieces.
//! Does not own: hashing ([`crate::body::digest`]).

use std::io::ErrorKind;

use haul_io::{File, Io, Offset};

use crate::Error;

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Calls `each` with the first `bytes` of `file`, piece by piece.
///
/// # Errors
/// If the file can't be read or is shorter.
pub(crate) async fn reread(
    io: &impl Io,
    file: &File,
    bytes: u64,
    mut each: impl FnMut(&[u8]),
) -> Result<(), Error> {
    let mut offset = 0;
    while offset < bytes {
        let piece_bytes = PIECE_BYTES.min(usize::try_from(bytes - offset).unwrap_or(PIECE_BYTES));
        let buf = io.take_buf(PIECE_BYTES);
        let (count, buf) = io.read_full(file, buf, piece_bytes, Offset::At(offset)).await;
        each(buf.filled());
        io.give_buf(buf);
        match count.map_err(Error::write)? {
            0 => return Err(Error::write(ErrorKind::UnexpectedEof.into())),
            count => offset += count as u64,
        }
        io.yield_now().await;
    }
    Ok(())
}

/// Whether the first `bytes` of two files are the same.
///
/// # Errors
/// If one can't be read or is shorter.
pub(crate) async fn is_same(io: &impl Io, one: &File, other: &File, bytes: u64) -> Result<bool, Error> {
    let mut offset = 0;
    while offset < bytes {
        let piece_bytes = PIECE_BYTES.min(usize::try_from(bytes - offset).unwrap_or(PIECE_BYTES));
        let (first, one_buf) =
            io.read_full(one, io.take_buf(PIECE_BYTES), piece_bytes, Offset::At(offset)).await;
        let (second, other_buf) =
            io.read_full(other, io.take_buf(PIECE_BYTES), piece_bytes, Offset::At(offset)).await;
        let is_same = one_buf.filled() == other_buf.filled();
        io.give_buf(one_buf);
        io.give_buf(other_buf);
        if first.map_err(Error::write)?.min(second.map_err(Error::write)?) < piece_bytes {
            return Err(Error::write(ErrorKind::UnexpectedEof.into()));
        }
        if !is_same {
            return Ok(false);
        }
        offset += piece_bytes as u64;
        io.yield_now().await;
    }
    Ok(true)
}
