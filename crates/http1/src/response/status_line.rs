//! The status line of a response.
//!
//! Owns: its grammar, and the early refusal of bytes that can't become one.
//! Does not own: line ends and limits (see `head.rs`).
//!
//! Source: RFC 9112, section 4 (status line) and section 2.3 (version).

use std::ops::Range;

use http::{StatusCode, Version};

use crate::error::ProtocolError;
use crate::syntax::is_text;

const NAME: &[u8] = b"HTTP/";

/// The parts of a status line.
pub(crate) struct StatusLine {
    /// HTTP/1.0, or HTTP/1.1 for every later minor version (RFC 9110, section 2.5).
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    /// The position of the reason phrase in the line; often empty.
    pub(crate) reason: Range<usize>,
}

/// Whether `input`, as far as it goes, begins with the name of the protocol.
pub(crate) fn is_name(input: &[u8]) -> bool {
    let known = input.len().min(NAME.len());
    input[..known] == NAME[..known]
}

/// Refuses, by the first bytes alone, input that can't be an HTTP/1.x response, so that input of another protocol isn't
/// read up to a limit. An HTTP/0.9 response is a body alone and is refused here.
pub(crate) fn check_start(input: &[u8]) -> Result<(), ProtocolError> {
    if !is_name(input) {
        return Err(ProtocolError::NotHttp);
    }
    // The name is case-sensitive, and each number of the version is one digit.
    match input.get(NAME.len()) {
        None | Some(b'1') => {}
        Some(_) => return Err(ProtocolError::UnsupportedVersion),
    }
    match input.get(NAME.len() + 1) {
        None | Some(b'.') => Ok(()),
        Some(_) => Err(ProtocolError::UnsupportedVersion),
    }
}

/// Parses a line without its line end.
pub(crate) fn parse(line: &[u8]) -> Result<StatusLine, ProtocolError> {
    check_start(line)?;
    let malformed = ProtocolError::MalformedStatusLine;
    let [_, _, _, _, _, _, _, minor, b' ', hundreds, tens, ones, reason @ ..] = line else {
        return Err(malformed);
    };
    if !minor.is_ascii_digit() {
        return Err(ProtocolError::UnsupportedVersion);
    }
    let version = if *minor == b'0' { Version::HTTP_10 } else { Version::HTTP_11 };
    let Ok(status) = StatusCode::from_bytes(&[*hundreds, *tens, *ones]) else {
        return Err(malformed);
    };
    // The grammar requires the space before an empty reason phrase; many servers leave it out.
    match reason {
        [] => Ok(StatusLine { version, status, reason: line.len()..line.len() }),
        [b' ', text @ ..] if text.iter().all(|byte| is_text(*byte)) => {
            Ok(StatusLine { version, status, reason: line.len() - text.len()..line.len() })
        }
        [b' ', text @ ..] if text.contains(&b'\r') => Err(ProtocolError::BareCr),
        _ => Err(malformed),
    }
}
