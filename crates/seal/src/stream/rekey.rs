//! Giving a stream a header for other recipients.
//!
//! Owns: the order armor, header, nonce, payload.
//! Does not own: opening the present header ([`super::accept`]), turns ([`super::turns`]), headers
//! ([`haul_age_format::rewrap_header`]).

use std::io::{Read, Write};
use std::slice;

use haul_age_format::{
    FileKey, Identity, Layout, Recipient, SEALED_CHUNK_BYTES, check_recipients, open_header_with,
    rewrap_header, system_random,
};
use haul_io::Buf;

use super::accept::{Beginning, with_keys};
use super::armor::ArmorWriter;
use super::options::{StreamOptions, Streamed};
use super::pieces::Pieces;
use super::turns::Turns;
use crate::error::{During, Error};
use crate::payload::Payload;
use crate::payload::chunks::ChunkRun;
use crate::payload::keys::HeaderKeys;
use crate::reader::{Unarmored, unarmored};

/// Copies the age file in `source` to `sink` with a header for `recipients`, which it makes with the first of
/// `identities` that opens the present header. The payload stays as it is, and so does the file key: a former recipient
/// may have kept the key, with which the copy opens as well. An armored file stays armored, whatever `options` say.
///
/// The payload is authenticated on its way, to its end. After an error the sink holds the beginning of an age file,
/// which no key can open to its end. Cost: as [`open_stream`](crate::open_stream).
///
/// # Errors
/// [`Error::Recipients`]; otherwise as [`open_stream`](crate::open_stream).
pub fn rekey_stream(
    source: impl Read + Send,
    mut sink: impl Write + Send,
    identities: &[Identity],
    recipients: &[Recipient],
    options: &StreamOptions,
) -> Result<Streamed, Error> {
    check_recipients(recipients).map_err(Error::Recipients)?;
    let source = unarmored(source).map_err(Error::of_read)?;
    let keys = Keys { identities, recipients };
    if !source.is_armored() {
        return keys.rekey_into(source, &mut sink, options);
    }
    let mut armor = ArmorWriter::new(sink);
    let streamed = keys.rekey_into(source, &mut armor, options)?;
    armor.finish().map_err(Error::at(During::Write))?;
    Ok(streamed)
}

/// The present keys and the new ones.
struct Keys<'a> {
    identities: &'a [Identity],
    recipients: &'a [Recipient],
}

impl Keys<'_> {
    fn rekey_into(
        &self,
        mut source: Unarmored<impl Read + Send>,
        sink: &mut (impl Write + Send),
        options: &StreamOptions,
    ) -> Result<Streamed, Error> {
        let Beginning { header, header_bytes, nonce, start } = Beginning::read(&mut source)?;
        let open = |keys: HeaderKeys<'_>| keys.into_file_key(&header);
        let file_key = with_keys(&header, self.identities, Some(options), open)?;
        let offset = (header_bytes + nonce.len()) as u64;
        let payload = Payload { key: open_header_with(&header, &nonce, &file_key)?, offset };
        let mut beginning = self.new_header(&file_key, options)?;
        beginning.extend_from_slice(&nonce);
        sink.write_all(&beginning).map_err(Error::at(During::Write))?;
        let pieces = Pieces::new(source, SEALED_CHUNK_BYTES, &start);
        let moved = Turns::new(pieces, sink, options.cancel.as_ref()).run(
            options.workers,
            |chunks: ChunkRun, sealed: &[u8], out: &mut Buf| {
                let opened = payload.open_chunks(chunks, sealed, out);
                out.clear();
                opened.map(|()| out.append(sealed))
            },
        )?;
        let plain_bytes = Layout::of_sealed(moved.read).map(|layout| layout.plain_bytes());
        Ok(Streamed {
            plain_bytes: plain_bytes.ok_or(Error::WrongLength)?,
            sealed_bytes: beginning.len() as u64 + moved.written,
        })
    }

    fn new_header(&self, file_key: &FileKey, options: &StreamOptions) -> Result<Vec<u8>, Error> {
        let stanzas = match &options.plugins {
            Some(plugins) => {
                plugins.wrap(self.recipients, slice::from_ref(file_key), &options.switch()?)?.swap_remove(0)
            }
            None => Vec::new(),
        };
        rewrap_header(self.recipients, &stanzas, file_key, &mut system_random).map_err(Error::Recipients)
    }
}
