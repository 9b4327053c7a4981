//! Sealing and opening what lies in memory, on the calling thread.
//!
//! Owns: the two functions.
//! Does not own: chunks ([`crate::payload`]), armor ([`crate::reader`]), streams on several threads
//! ([`crate::stream`]).

use std::io::{Cursor, Read};

use haul_age_format::{CHUNK_BYTES, Identity, Layout, Recipient, StreamSealer, seal_header, system_random};

use crate::error::Error;
use crate::reader::unarmored;
use crate::stream::SealedFile;

/// Seals `plain` to `recipients` and returns the age file. Plugins aren't asked: see
/// [`seal_stream`](crate::seal_stream) for their recipients, for armor, and for data that doesn't fit in memory.
///
/// Cost: a copy of the data; about 30 µs for an X25519 recipient, a second for a passphrase. No thread is started.
///
/// ```
/// use haul_seal::{X25519Identity, open_bytes, seal_bytes};
///
/// let ada = X25519Identity::generate();
/// let sealed = seal_bytes(b"Dear Ada", &[ada.to_recipient().into()])?;
/// assert_eq!(open_bytes(&sealed, &[ada.into()])?, b"Dear Ada");
/// # Ok::<(), haul_seal::Error>(())
/// ```
///
/// # Errors
/// [`Error::Recipients`] if there are no recipients, or they can't be combined.
///
/// # Panics
/// If the system provides no randomness.
pub fn seal_bytes(plain: &[u8], recipients: &[Recipient]) -> Result<Vec<u8>, Error> {
    let header = seal_header(recipients, &mut system_random).map_err(Error::Recipients)?;
    let mut sealed = header.bytes;
    sealed.reserve_exact(Layout::of_plain(plain.len() as u64).sealed_bytes() as usize);
    let mut sealer = StreamSealer::new(header.payload_key);
    for chunk in plain.chunks(CHUNK_BYTES) {
        sealer.push(chunk, &mut sealed);
    }
    sealer.finish(&mut sealed);
    Ok(sealed)
}

/// Opens the age file `sealed`, armored or not, with the first of `identities` that fits, and returns its plaintext.
/// Plugins aren't asked: see [`open_stream`](crate::open_stream).
///
/// Cost: a copy of the data, about 60 µs for an X25519 identity. No thread is started.
///
/// # Errors
/// - [`Error::Header`] if no identity fits or the header is malformed.
/// - [`Error::WrongLength`], [`Error::CutShort`], [`Error::Chunk`] or [`Error::Armor`] if the file is damaged. Nothing
///   of it is returned then.
pub fn open_bytes(sealed: &[u8], identities: &[Identity]) -> Result<Vec<u8>, Error> {
    let mut source = unarmored(sealed).map_err(Error::of_read)?;
    if source.is_armored() {
        let mut binary = Vec::new();
        source.read_to_end(&mut binary).map_err(Error::of_read)?;
        return SealedFile::open(Cursor::new(binary), identities)?.into_plaintext();
    }
    SealedFile::open(Cursor::new(sealed), identities)?.into_plaintext()
}
