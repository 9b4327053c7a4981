//! Opening a stream.
//!
//! Owns: the order armor, header, payload.
//! Does not own: turns ([`super::turns`]), authentication ([`crate::payload`]).

use std::io::{Read, Write};

use haul_age_format::{Identity, SEALED_CHUNK_BYTES};
use haul_io::Buf;

use super::accept::{Accepted, accept};
use super::options::{StreamOptions, Streamed};
use super::pieces::Pieces;
use super::turns::Turns;
use crate::error::Error;
use crate::payload::chunks::ChunkRun;
use crate::reader::unarmored;

/// Opens the age file in `source`, armored or not, with the first of `identities` that fits, and writes its plaintext
/// to `sink`. With [`std::io::sink`], this verifies the file.
///
/// Only authentic plaintext is written, in order. After an error the sink holds exactly the authentic plaintext before
/// the damage or the premature end. A caller that can't use a part of the plaintext must discard it.
///
/// # Errors
/// - Before anything is written: [`Error::Header`] if no identity fits or the header is malformed; [`Error::Plugin`].
/// - If the payload is damaged: [`Error::Chunk`], [`Error::CutShort`], [`Error::AfterEnd`], [`Error::Armor`].
/// - [`Error::Io`] with the step that failed, [`During::Read`](crate::During::Read) or
///   [`During::Write`](crate::During::Write).
pub fn open_stream(
    source: impl Read + Send,
    sink: impl Write + Send,
    identities: &[Identity],
    options: &StreamOptions,
) -> Result<Streamed, Error> {
    let mut source = unarmored(source).map_err(Error::of_read)?;
    let Accepted { payload, start } = accept(&mut source, identities, Some(options))?;
    let pieces = Pieces::new(source, SEALED_CHUNK_BYTES, &start);
    let moved = Turns::new(pieces, sink, options.cancel.as_ref())
        .run(options.workers, |chunks: ChunkRun, sealed: &[u8], plain: &mut Buf| {
            payload.open_chunks(chunks, sealed, plain)
        })?;
    Ok(Streamed { plain_bytes: moved.written, sealed_bytes: payload.offset + moved.read })
}
