//! The chunked transfer coding, encoding side: request bodies of unknown length.
//!
//! Owns: the bytes around the data of each chunk, the last chunk, the trailer section.
//! Does not own: how the data is divided into chunks.
//!
//! Source: RFC 9112, section 7.1 (chunked) and 7.1.2 (trailer section); RFC 9110, section 6.5.1 (fields that
//! can't be trailers).

use std::num::NonZeroUsize;

use http::HeaderMap;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    COOKIE, EXPECT, HOST, HeaderName, MAX_FORWARDS, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
};

use super::error::RequestError;
use super::head::write_field;

/// The bytes after the data of every chunk.
pub const CHUNK_END: &[u8; 2] = b"\r\n";

/// Fields that a recipient needs before the body, or that control its transfer.
const NEVER_TRAILERS: [HeaderName; 15] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    HOST,
    MAX_FORWARDS,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
];

/// The size line of a chunk, on the stack, for callers that send the data without copying it.
///
/// A chunk consists of this line, the data, and [`CHUNK_END`]. The size can't be zero, as an empty chunk would end
/// the body.
#[derive(Clone, Copy, Debug)]
pub struct ChunkHead {
    bytes: [u8; Self::BYTES_MAX],
    /// Invariant: `start < BYTES_MAX - 2`; the bytes from there on are digits and CR LF.
    start: usize,
}

impl ChunkHead {
    /// 16 digits and CR LF.
    const BYTES_MAX: usize = 18;

    /// The size line for `data_bytes` bytes of data.
    pub fn new(data_bytes: NonZeroUsize) -> Self {
        let mut bytes = *b"0000000000000000\r\n";
        let mut start = Self::BYTES_MAX - CHUNK_END.len();
        let mut left = data_bytes.get();
        while left > 0 {
            start -= 1;
            bytes[start] = b"0123456789abcdef"[left & 0xf];
            left >>= 4;
        }
        Self { bytes, start }
    }

    /// The line, including its line end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// Appends `data` as one chunk to `out`, or nothing if `data` is empty. Copies the data once.
pub fn encode_chunk(data: &[u8], out: &mut Vec<u8>) {
    let Some(data_bytes) = NonZeroUsize::new(data.len()) else { return };
    let head = ChunkHead::new(data_bytes);
    out.reserve(head.as_bytes().len() + data.len() + CHUNK_END.len());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(CHUNK_END);
}

/// Appends the last chunk and the trailer section, which is often empty, to `out`. This completes the body. An error
/// leaves `out` unchanged.
///
/// # Errors
///
/// [`RequestError::ReservedField`] for a trailer that would affect framing, routing, authentication or the processing
/// of the body.
pub fn encode_last_chunk(trailers: &HeaderMap, out: &mut Vec<u8>) -> Result<(), RequestError> {
    if let Some(name) = trailers.keys().find(|name| NEVER_TRAILERS.contains(name)) {
        return Err(RequestError::ReservedField { name: name.clone() });
    }
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        write_field(name, value, &[], out);
    }
    out.extend_from_slice(CHUNK_END);
    Ok(())
}
