//! How long the body of a response is.
//!
//! Owns: the decision from method, status, version, Transfer-Encoding and Content-Length.
//! Does not own: decoding (see [`crate::body`]).
//!
//! Source: RFC 9112, section 6.1 (Transfer-Encoding), 6.3 (message body length); RFC 9110, section 8.6
//! (Content-Length).

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Version};

use crate::ProtocolError;
use crate::scan::{decimal, list};

/// How the body of a response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// The body has this many bytes.
    Length(u64),
    /// The body is chunked and ends with the last chunk and its trailer section.
    Chunked,
    /// The body ends where the connection does.
    UntilClose,
    /// There is no body and no further HTTP: the bytes after the head belong to another protocol (CONNECT
    /// answered with 2xx, or 101 that was asked for).
    Tunnel,
}

/// Decides the framing of a final response, or of 101.
pub(crate) fn decide(
    method: &Method,
    version: Version,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Framing, ProtocolError> {
    // RFC 9112, section 6.3, in its order. Where there is no body, length headers describe what another
    // request would have got, or nothing, and aren't looked at.
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Framing::Tunnel);
    }
    if method == Method::HEAD
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
    {
        return Ok(Framing::None);
    }
    if method == Method::CONNECT && status.is_success() {
        return Ok(Framing::Tunnel);
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        return check_transfer_encoding(version, headers).map(|()| Framing::Chunked);
    }
    Ok(content_length(headers)?.map_or(Framing::UntilClose, Framing::Length))
}

/// Accepts exactly one coding, `chunked`. No request of ours sends TE, so no server may apply another one.
fn check_transfer_encoding(version: Version, headers: &HeaderMap) -> Result<(), ProtocolError> {
    if headers.contains_key(CONTENT_LENGTH) {
        return Err(ProtocolError::LengthAndTransferEncoding);
    }
    if version < Version::HTTP_11 {
        return Err(ProtocolError::TransferEncodingInHttp10);
    }
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let (mut chunked_count, mut coding_count, mut last_is_chunked) = (0u32, 0u32, false);
    // Several lines are one list (RFC 9110, section 5.3), whose empty elements count for nothing (section
    // 5.6.1).
    for value in headers.get_all(TRANSFER_ENCODING) {
        for coding in list(value.as_bytes()).filter(|coding| !coding.is_empty()) {
            last_is_chunked = is_chunked(coding);
            chunked_count += u32::from(last_is_chunked);
            coding_count += 1;
        }
    }
    match (last_is_chunked, chunked_count, coding_count) {
        (true, 1, 1) => Ok(()),
        (true, 1, _) => Err(ProtocolError::UnsupportedTransferCoding),
        _ => Err(ProtocolError::ChunkedNotLast),
    }
}

/// The Content-Length of a header section in bytes, `None` where there is none.
///
/// Useful by itself for the answer to HEAD, which has no body but may say how long one would be.
///
/// # Errors
///
/// [`ProtocolError::InvalidContentLength`] for anything but decimal digits below 2^64, and
/// [`ProtocolError::ConflictingContentLength`] for values that differ. Equal ones collapse, on several lines
/// or in one list (RFC 9110, section 8.6).
pub fn content_length(headers: &HeaderMap) -> Result<Option<u64>, ProtocolError> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for digits in list(value.as_bytes()) {
            let this = decimal(digits).ok_or(ProtocolError::InvalidContentLength)?;
            if length.is_some_and(|other| other != this) {
                return Err(ProtocolError::ConflictingContentLength);
            }
            length = Some(this);
        }
    }
    Ok(length)
}
