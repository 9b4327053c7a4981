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
    if headers.contains_key(TRANSFER_ENCODING) {
        return check_transfer_encoding(version, headers).map(|()| Framing::Chunked);
    }
    Ok(content_length(headers)?.map_or(Framing::UntilClose, Framing::Length))
}

/// Accepts exactly one coding, `chunked`. This client sends no TE, so servers may not apply another one.
fn check_transfer_encoding(version: Version, headers: &HeaderMap) -> Result<(), ProtocolError> {
    if headers.contains_key(CONTENT_LENGTH) {
        return Err(ProtocolError::LengthAndTransferEncoding);
    }
    if version < Version::HTTP_11 {
        return Err(ProtocolError::TransferEncodingInHttp10);
    }
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let (mut chunked_count, mut coding_count, mut last_is_chunked) = (0u32, 0u32, false);
    // Several lines form one list (RFC 9110, section 5.3), in which empty elements are ignored (section 5.6.1).
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
