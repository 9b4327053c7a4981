//! The header of a stream that is opened or gets another one.
//!
//! Owns: what comes before the payload, opening it, with plugins if no other identity fits.
//! Does not own: reading the header ([`crate::reader`]), sessions with plugins ([`crate::plugin`]).

use std::io::Read;
use std::slice;

use haul_age_format::{Header, Identity, NONCE_BYTES, OpenError};

use super::options::StreamOptions;
use crate::error::Error;
use crate::payload::Payload;
use crate::payload::keys::HeaderKeys;
use crate::reader::{HeaderRead, read_header, read_more};

/// What comes before the payload.
pub(super) struct Beginning {
    pub(super) header: Header,
    pub(super) header_bytes: usize,
    pub(super) nonce: [u8; NONCE_BYTES],
    /// The start of the payload, as far as it was read.
    pub(super) start: Vec<u8>,
}

/// An accepted header.
pub(crate) struct Accepted {
    pub(crate) payload: Payload,
    /// The start of the payload, as far as it was read.
    pub(crate) start: Vec<u8>,
}

/// Reads the header and the nonce of `source` and opens them with `identities`; with plugins if `options` has some.
pub(crate) fn accept(
    source: &mut impl Read,
    identities: &[Identity],
    options: Option<&StreamOptions>,
) -> Result<Accepted, Error> {
    let Beginning { header, header_bytes, nonce, start } = Beginning::read(source)?;
    let payload = with_keys(&header, identities, options, |keys| keys.open(&header, header_bytes, &nonce))?;
    Ok(Accepted { payload, start })
}

impl Beginning {
    pub(super) fn read(source: &mut impl Read) -> Result<Self, Error> {
        let HeaderRead { header, header_bytes, rest: mut start } = read_header(source)?;
        while start.len() < NONCE_BYTES {
            if !read_more(source, &mut start)? {
                return Err(Error::CutShort);
            }
        }
        let payload = start.split_off(NONCE_BYTES);
        let nonce = start.try_into().expect("the nonce was split off");
        Ok(Self { header, header_bytes, nonce, start: payload })
    }
}

/// Opens `header` by `open` with `identities`, and if none fits, with what the plugins of `options` answer.
pub(super) fn with_keys<T>(
    header: &Header,
    identities: &[Identity],
    options: Option<&StreamOptions>,
    open: impl Fn(HeaderKeys<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let opened = open(HeaderKeys::new(identities, None));
    if let Err(Error::Header(OpenError::NoMatch | OpenError::WrongPassphrase)) = &opened
        && let Some(options) = options
        && let Some(plugins) = &options.plugins
    {
        let answers = plugins.unwrap(identities, slice::from_ref(header), &options.switch()?);
        let file_key = answers.into_iter().next().unwrap_or(Ok(None)).map_err(Error::Plugin)?;
        return open(HeaderKeys::new(identities, file_key));
    }
    opened
}
