//! The header at the start of a stream.
//!
//! Owns: how much of a stream is read for the header.
//! Does not own: its grammar ([`haul_age_format::Header`]), the keys that open it.

use std::io::{self, Read};

use haul_age_format::{Header, Parsed};

use crate::error::Error;

/// Length of one read in bytes.
const READ_BYTES: usize = 4096;

/// Length in bytes of the line with the MAC and the LF before it.
const LAST_LINE_BYTES: usize = 49;

/// The header of a stream.
pub(crate) struct HeaderRead {
    pub(crate) header: Header,
    pub(crate) header_bytes: usize,
    /// What was read after the header: less than [`READ_BYTES`].
    pub(crate) rest: Vec<u8>,
}

/// Reads the header from the start of `source`.
pub(crate) fn read_header(source: &mut impl Read) -> Result<HeaderRead, Error> {
    let mut bytes = Vec::new();
    let mut tried_bytes = 0_usize;
    loop {
        let ended = !read_more(source, &mut bytes)?;
        // A long header is parsed again only after its length has doubled, or if its last line may have arrived.
        let may_end =
            bytes[tried_bytes.saturating_sub(LAST_LINE_BYTES)..].windows(4).any(|window| window == b"\n---");
        if ended || may_end || bytes.len() >= 2 * tried_bytes {
            tried_bytes = bytes.len();
            if let Parsed::Complete { header, len } = Header::parse(&bytes)? {
                let rest = bytes.split_off(len);
                return Ok(HeaderRead { header, header_bytes: len, rest });
            }
            if ended {
                return Err(Error::CutShort);
            }
        }
    }
}

/// Appends one read of `source` to `bytes`. Returns false at the end of the stream.
pub(crate) fn read_more(source: &mut impl Read, bytes: &mut Vec<u8>) -> Result<bool, Error> {
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
