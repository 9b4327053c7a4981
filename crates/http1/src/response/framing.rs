//! The framing of a response body: where the body ends.
//!
//! Owns: the decision by method, status, version, Transfer-Encoding and Content-Length.
//! Does not own: decoding (see `body.rs`).
//!
//! Source: RFC 9112, section 6.1 (Transfer-Encoding), 6.3 (message body length); RFC 9110, section 8.6
//! (Content-Length).

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Version};

use crate::error::ProtocolError;
use crate::syntax::{decimal, list};

/// How the body of a response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// The body has this many bytes.
    Length(u64),
    /// The body is chunked and ends with the last chunk and its trailer section.
    Chunked,
    /// The body ends when the connection closes.
    UntilClose,
    /// There is no body and no further HTTP: the bytes after the head belong to another protocol (2xx to CONNECT, or a
    /// requested 101).
    Tunnel,
}

/// Decides the framing of a final response, or of 101.
pub(crate) fn decide(
    method: &Method,
    version: Version,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Framing, ProtocolError> {
    // RFC 9112, section 6.3, in its order. Where there is no body, the length fields describe the response to another
    // method, or nothing, and are ignored.
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
    let length = content_length(headers)?.map_or(Framing::UntilClose, Framing::Length);
    if !headers.contains_key(TRANSFER_ENCODING) {
        return Ok(length);
    }
    if version < Version::HTTP_11 {
        return Err(ProtocolError::TransferEncodingInHttp10);
    }
    // Transfer-Encoding overrides Content-Length. A body of the coding `identity` alone isn't encoded.
    Ok(if is_chunked(headers)? { Framing::Chunked } else { length })
}

/// Whether Transfer-Encoding says that the body is chunked; `false` for the coding `identity` of RFC 2616. This client
/// sends no TE, so servers may not apply another one.
fn is_chunked(headers: &HeaderMap) -> Result<bool, ProtocolError> {
    let is = |coding: &[u8], name: &[u8]| coding.eq_ignore_ascii_case(name);
    let (mut chunked_count, mut other_count, mut last_is_chunked) = (0u32, 0u32, false);
    let (mut has_identity, mut repeats) = (false, false);
    // Several lines form one list (RFC 9110, section 5.3), in which empty elements are ignored (section 5.6.1).
    for value in headers.get_all(TRANSFER_ENCODING) {
        let is_chunked_alone = is(value.as_bytes(), b"chunked");
        // A line that only repeats the one before comes from a server and its gateway, each of which added it.
        if is_chunked_alone && repeats {
            continue;
        }
        repeats = is_chunked_alone;
        for coding in list(value.as_bytes()).filter(|coding| !coding.is_empty()) {
            last_is_chunked = is(coding, b"chunked");
            chunked_count += u32::from(last_is_chunked);
            let is_identity = is(coding, b"identity");
            has_identity |= is_identity;
            other_count += u32::from(!last_is_chunked && !is_identity);
        }
    }
    match (last_is_chunked, chunked_count, other_count) {
        (true, 1, 0) => Ok(true),
        (true, 1, _) => Err(ProtocolError::UnsupportedTransferCoding),
        (false, 0, 0) if has_identity => Ok(false),
        _ => Err(ProtocolError::ChunkedNotLast),
    }
}

/// Whether another recipient might find another end of the body: Transfer-Encoding says more than one `chunked`, or
/// comes with Content-Length (RFC 9112, section 6.3).
pub(crate) fn is_ambiguous(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(TRANSFER_ENCODING).into_iter();
    let Some(first) = lines.next() else { return false };
    let is_plain = first.as_bytes().eq_ignore_ascii_case(b"chunked") && lines.next().is_none();
    !is_plain || headers.contains_key(CONTENT_LENGTH)
}

/// The Content-Length of a header section, in bytes; `None` if it has none.
///
/// Callers need it for the response to HEAD, which has no body but may say how long one would be.
///
/// # Errors
///
/// - [`ProtocolError::InvalidContentLength`] for anything but a decimal number below 2^64.
/// - [`ProtocolError::ConflictingContentLength`] for different values. Equal values, on several lines or in one list,
///   count as one (RFC 9110, section 8.6).
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
