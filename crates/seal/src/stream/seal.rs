//! Sealing a stream.
//!
//! Owns: the order header, nonce, payload, armor.
//! Does not own: turns ([`super::turns`]), chunks ([`crate::payload`]).

use std::io::{Read, Write};

use haul_age_format::{
    CHUNK_BYTES, FileKey, Recipient, SealedHeader, check_recipients, seal_header, seal_header_with,
    system_random,
};
use haul_io::Buf;

use super::armor::ArmorWriter;
use super::options::{StreamOptions, Streamed};
use super::pieces::Pieces;
use super::turns::Turns;
use crate::error::{During, Error};
use crate::payload::chunks::{ChunkRun, seal_chunks};

/// Seals all of `source` to `recipients` and writes the age file to `sink`.
///
/// Reads and writes happen in order, one at a time, from threads that end before this function returns. After an error
/// the sink holds the beginning of an age file, which no key can open to its end.
///
/// ```
/// use haul_seal::{StreamOptions, X25519Identity, open_stream, seal_stream};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ada = X25519Identity::generate();
/// let (mut sealed, mut opened) = (Vec::new(), Vec::new());
/// let options = StreamOptions::default();
/// seal_stream(&b"Dear Ada"[..], &mut sealed, &[ada.to_recipient().into()], &options)?;
/// open_stream(&sealed[..], &mut opened, &[ada.into()], &options)?;
/// assert_eq!(opened, b"Dear Ada");
/// # Ok(())
/// # }
/// ```
///
/// Memory: two buffers of 256 KiB for each worker of `options`. Whatever the caller's thread, reads and writes wait.
///
/// # Errors
/// [`Error::Recipients`]; [`Error::Plugin`]; [`Error::Io`] with the step that failed, [`During::Read`] or
/// [`During::Write`].
///
/// # Panics
/// If `source` or `sink` panics, or the system provides no randomness.
pub fn seal_stream(
    source: impl Read + Send,
    mut sink: impl Write + Send,
    recipients: &[Recipient],
    options: &StreamOptions,
) -> Result<Streamed, Error> {
    check_recipients(recipients).map_err(Error::Recipients)?;
    if !options.armored {
        return seal_into(source, &mut sink, recipients, options);
    }
    let mut armor = ArmorWriter::new(sink);
    let streamed = seal_into(source, &mut armor, recipients, options)?;
    armor.finish().map_err(Error::at(During::Write))?;
    Ok(streamed)
}

fn seal_into(
    source: impl Read + Send,
    sink: &mut (impl Write + Send),
    recipients: &[Recipient],
    options: &StreamOptions,
) -> Result<Streamed, Error> {
    let header = header_for(recipients, options)?;
    sink.write_all(&header.bytes).map_err(Error::at(During::Write))?;
    let pieces = Pieces::new(source, CHUNK_BYTES, &[]);
    let moved = Turns::new(pieces, sink, options.cancel.as_ref()).run(
        options.workers,
        |chunks: ChunkRun, plain: &[u8], sealed: &mut Buf| {
            seal_chunks(&header.payload_key, chunks, plain, sealed);
            Ok(())
        },
    )?;
    Ok(Streamed { plain_bytes: moved.read, sealed_bytes: header.bytes.len() as u64 + moved.written })
}

fn header_for(recipients: &[Recipient], options: &StreamOptions) -> Result<SealedHeader, Error> {
    let Some(plugins) = &options.plugins else {
        return seal_header(recipients, &mut system_random).map_err(Error::Recipients);
    };
    let file_key = [FileKey::generate_with(&mut system_random)];
    let stanzas = plugins.wrap(recipients, &file_key, &options.switch()?)?;
    seal_header_with(recipients, &stanzas[0], &file_key[0], &mut system_random).map_err(Error::Recipients)
}
