//! Sealing and opening of streams: data of unknown length from any reader to any writer, on several cores.
//!
//! Several threads take pieces of the source in turn, compute them at the same time, and write them in turn again. Memory:
//! two buffers of 256 KiB for each worker, and the header (at most 1 MiB).
//!
//! Owns: the two entries, their options and accounts, the order header, nonce, payload.
//! Does not own: taking turns ([`turns`]), dividing the source ([`source`]), authentication ([`crate::accept`]), files.

mod file;
mod header;
mod source;
mod text;
mod turns;

use std::io::{Read, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;

use haul_age_format::{
    CHUNK_BYTES, FileKey, Identity, Recipient, SEALED_CHUNK_BYTES, SealedHeader, TAG_BYTES, check_recipients,
    seal_header, seal_header_with,
};
use haul_io::{Blocking, Buf, Cancel, Io};

use self::source::{Piece, Source};
use self::text::ArmorWriter;
use self::turns::Turns;
use crate::accept::open_chunks;
use crate::{During, Error, Plugins, Refusal};

pub use self::file::into_file;
pub(crate) use self::header::read_header;
pub(crate) use self::text::{Counted, Unarmored, unarmored};

/// How a stream is worked on.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// How many chunks are computed at a time. Defaults to the number of cores.
    pub workers: NonZeroUsize,
    /// Whether what is sealed becomes text. Defaults to not.
    pub armored: bool,
    /// The plugins to ask where recipients or identities need them. Defaults to none.
    pub plugins: Option<Arc<Plugins>>,
    /// Ends the work early when it is thrown. It is also thrown by the work itself as soon as that has failed, so that a
    /// source or sink that heeds it ([`haul_io::StreamReader`], [`haul_io::StreamWriter`]) isn't waited for.
    pub cancel: Cancel,
}

/// What came of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Streamed {
    /// Length of the plaintext in bytes.
    pub plain_bytes: u64,
    /// Length of the age file in bytes; of an armored one, of what it is the armor of.
    pub sealed_bytes: u64,
}

impl StreamOptions {
    /// The defaults, with a switch.
    pub fn new(cancel: Cancel) -> Self {
        let workers = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { workers, armored: false, plugins: None, cancel }
    }
}

/// Seals all of `source` to `recipients` and writes the age file to `sink`.
///
/// Reads and writes are made in order, one at a time, from threads that end before this returns. After an error the sink
/// holds the beginning of an age file that no key opens to its end.
///
/// ```
/// use haul_io::Cancel;
/// use haul_seal::{Identity, Recipient, StreamOptions, X25519Identity, open_stream, seal_stream};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut random = |out: &mut [u8]| out.fill(7); // the system's randomness in real use
/// let identity = X25519Identity::generate_with(&mut random);
/// let recipients = [Recipient::X25519(identity.to_recipient())];
/// let options = StreamOptions::new(Cancel::new()?);
/// let (mut sealed, mut opened) = (Vec::new(), Vec::new());
/// seal_stream(&b"Dear Ada"[..], &mut sealed, &recipients, &options)?;
/// open_stream(&sealed[..], &mut opened, &[Identity::X25519(identity)], &options)?;
/// assert_eq!(opened, b"Dear Ada");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Recipients`]; [`Error::Plugin`]; [`Error::Io`] with the step that failed, [`During::Read`] or [`During::Write`].
pub fn seal_stream(
    source: impl Read + Send,
    mut sink: impl Write + Send,
    recipients: &[Recipient],
    options: &StreamOptions,
) -> Result<Streamed, Error> {
    check_recipients(recipients).map_err(Error::Recipients)?;
    match options.armored {
        true => {
            let mut text = ArmorWriter::new(sink);
            let streamed = seal_into(source, &mut text, recipients, options)?;
            text.finish().map_err(Error::at(During::Write))?;
            Ok(streamed)
        }
        false => seal_into(source, &mut sink, recipients, options),
    }
}

fn seal_into(
    source: impl Read + Send,
    sink: &mut (impl Write + Send),
    recipients: &[Recipient],
    options: &StreamOptions,
) -> Result<Streamed, Error> {
    let header = header_for(recipients, options)?;
    sink.write_all(&header.bytes).map_err(Error::at(During::Write))?;
    let key = &header.payload_key;
    let moved = Turns::new(Source::new(source, CHUNK_BYTES, &[]), sink, &options.cancel).run(
        options.workers,
        |piece: Piece, plain: &[u8], sealed: &mut Buf| {
            // An empty payload is one empty chunk.
            let count = plain.len().div_ceil(CHUNK_BYTES).max(1);
            for number in 0..count {
                let start = number * CHUNK_BYTES;
                let chunk = &plain[start..plain.len().min(start + CHUNK_BYTES)];
                let last = piece.ends && number + 1 == count;
                let out = &mut sealed.spare_mut()[..chunk.len() + TAG_BYTES];
                key.seal_chunk(piece.first + number as u64, last, chunk, out);
                sealed.commit(chunk.len() + TAG_BYTES);
            }
            Ok(())
        },
    )?;
    Ok(Streamed { plain_bytes: moved.read, sealed_bytes: header.bytes.len() as u64 + moved.written })
}

fn header_for(recipients: &[Recipient], options: &StreamOptions) -> Result<SealedHeader, Error> {
    let io = Blocking::new(options.cancel.clone());
    let mut random = |out: &mut [u8]| io.random(out);
    let Some(plugins) = &options.plugins else {
        return seal_header(recipients, &mut random).map_err(Error::Recipients);
    };
    let file_key = [FileKey::generate_with(&mut random)];
    let stanzas = plugins.wrap(recipients, &file_key, &options.cancel).map_err(|refusal| match refusal {
        Refusal::Plugin(error) => Error::Plugin(error),
        Refusal::Recipients(error) => Error::Recipients(error),
    })?;
    seal_header_with(recipients, &stanzas[0], &file_key[0], &mut random).map_err(Error::Recipients)
}

/// Opens the age file in `source`, armored or not, with the first of `identities` that fits, and writes its plaintext to
/// `sink`. With [`std::io::sink`] it verifies.
///
/// Nothing is written that isn't authentic and in its place. After an error the sink holds exactly what is authentic in front
/// of the damage, or of the end that came too early: whoever can't make use of a part must discard it.
///
/// # Errors
/// [`Error::Header`] if no identity fits or the header is malformed, and [`Error::Plugin`], before anything is written. [`Error::Chunk`],
/// [`Error::CutShort`], [`Error::AfterEnd`] and [`Error::Armor`] if the rest is damaged. [`Error::Io`] with the step that failed,
/// [`During::Read`] or [`During::Write`].
pub fn open_stream(
    source: impl Read + Send,
    sink: impl Write + Send,
    identities: &[Identity],
    options: &StreamOptions,
) -> Result<Streamed, Error> {
    let mut source = unarmored(source).map_err(Error::of_read)?;
    let (payload, rest) = header::accept(&mut source, identities, options)?;
    let moved = Turns::new(Source::new(source, SEALED_CHUNK_BYTES, &rest), sink, &options.cancel).run(
        options.workers,
        |piece: Piece, sealed: &[u8], plain: &mut Buf| {
            open_chunks(&payload, piece.first, piece.ends, sealed, plain)
        },
    )?;
    Ok(Streamed { plain_bytes: moved.written, sealed_bytes: payload.offset + moved.read })
}
