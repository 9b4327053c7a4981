//! The header of a stream that is opened.
//!
//! Owns: opening the header, with plugins if no other identity fits.
//! Does not own: reading the header ([`crate::reader`]), sessions with plugins ([`crate::plugin`]).

use std::io::Read;
use std::slice;

use haul_age_format::{Identity, NONCE_BYTES, OpenError};

use super::options::StreamOptions;
use crate::error::Error;
use crate::payload::Payload;
use crate::payload::keys::HeaderKeys;
use crate::reader::{HeaderRead, read_header, read_more};

/// An accepted header.
pub(super) struct Accepted {
    pub(super) payload: Payload,
    /// The start of the payload, as far as it was read.
    pub(super) start: Vec<u8>,
}

/// Reads the header and the nonce of `source` and opens them with `identities`; with plugins if `options` has some.
pub(super) fn accept(
    source: &mut impl Read,
    identities: &[Identity],
    options: Option<&StreamOptions>,
) -> Result<Accepted, Error> {
    let HeaderRead { header, header_bytes, rest: mut start } = read_header(source)?;
    while start.len() < NONCE_BYTES {
        if !read_more(source, &mut start)? {
            return Err(Error::CutShort);
        }
    }
    let nonce = &start[..NONCE_BYTES];
    let mut payload = HeaderKeys::new(identities, None).open(&header, header_bytes, nonce);
    if let Err(Error::Header(OpenError::NoMatch | OpenError::WrongPassphrase)) = &payload
        && let Some(options) = options
        && let Some(plugins) = &options.plugins
    {
        let answers = plugins.unwrap(identities, slice::from_ref(&header), &options.switch()?);
        let file_key = answers.into_iter().next().unwrap_or(Ok(None)).map_err(Error::Plugin)?;
        payload = HeaderKeys::new(identities, file_key).open(&header, header_bytes, nonce);
    }
    Ok(Accepted { payload: payload?, start: start.split_off(NONCE_BYTES) })
}
