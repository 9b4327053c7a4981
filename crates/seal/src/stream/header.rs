//! The header at the start of a stream.
//!
//! Owns: how far a stream is read for it.
//! Does not own: its grammar, what it opens.

use std::io::{self, Read};

use haul_age_format::{Header, NONCE_BYTES, OpenError, Parsed};

use crate::accept::{Keys, accept_header};
use crate::large::Payload;
use crate::{Error, Identity, StreamOptions};

/// What is read at a time.
const READ_BYTES: usize = 4096;

/// Length of the line with the MAC, and of the LF in front of it.
const LAST_LINE_BYTES: usize = 49;

/// The header, its length, and what was read behind it: less than [`READ_BYTES`].
pub(crate) fn read_header(source: &mut impl Read) -> Result<(Header, usize, Vec<u8>), Error> {
    let mut bytes = Vec::new();
    let mut tried_bytes = 0_usize;
    loop {
        let ended = !read_more(source, &mut bytes)?;
        // Long headers aren't parsed anew for every few bytes, unless the last line may be there.
        let may_end =
            bytes[tried_bytes.saturating_sub(LAST_LINE_BYTES)..].windows(4).any(|window| window == b"\n---");
        if ended || may_end || bytes.len() >= 2 * tried_bytes {
            tried_bytes = bytes.len();
            if let Parsed::Complete { header, len } = Header::parse(&bytes)? {
                let rest = bytes.split_off(len);
                return Ok((header, len, rest));
            }
            if ended {
                return Err(Error::CutShort);
            }
        }
    }
}

/// The payload that `identities` open, by their plugins where no other does, and what was read of it.
pub(super) fn accept(
    source: &mut impl Read,
    identities: &[Identity],
    options: &StreamOptions,
) -> Result<(Payload, Vec<u8>), Error> {
    let (header, header_bytes, mut rest) = read_header(source)?;
    while rest.len() < NONCE_BYTES {
        if !read_more(source, &mut rest)? {
            return Err(Error::CutShort);
        }
    }
    let mut keys = Keys { identities, file_key: None };
    let mut payload = accept_header(&header, header_bytes, &rest[..NONCE_BYTES], &keys);
    if let (Err(Error::Header(OpenError::NoMatch)), Some(plugins)) = (&payload, &options.plugins) {
        let answers = plugins.unwrap(identities, std::slice::from_ref(&header), &options.cancel);
        keys.file_key = answers.into_iter().next().unwrap_or(Ok(None)).map_err(Error::Plugin)?;
        payload = accept_header(&header, header_bytes, &rest[..NONCE_BYTES], &keys);
    }
    let payload = payload?;
    Ok((payload, rest.split_off(NONCE_BYTES)))
}

/// Whether there was more.
fn read_more(source: &mut impl Read, bytes: &mut Vec<u8>) -> Result<bool, Error> {
    let mut more = [0; READ_BYTES];
    loop {
        match source.read(&mut more) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::of_read(error)),
            Ok(count) => {
                bytes.extend_from_slice(&more[..count]);
                return Ok(count > 0);
            }
        }
    }
}
