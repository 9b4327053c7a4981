//! Errors of responses: everything that a peer can send wrongly or fail to send.
//!
//! Owns: the error of [`crate::Exchange`] and [`crate::Body`], its texts, and whether it is a truncation.
//! Does not own: errors of requests ([`crate::RequestError`]) and of ranges ([`crate::RangeError`]).

use std::fmt;

use http::HeaderName;

/// Why a response was refused. Close the connection after any of these errors.
///
/// The texts read after "cannot fetch …: ". No variant wraps another error, so `source()` is always `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The response doesn't start with `HTTP/`: another protocol, HTTP/0.9, or bytes left over from an earlier
    /// response.
    NotHttp,
    /// The version isn't 1.0 to 1.9.
    UnsupportedVersion,
    /// The status line isn't a version, one space, three digits from 100 up, and optionally a space and a reason
    /// phrase.
    MalformedStatusLine,
    /// The status line is longer than
    /// [`Limits::status_line_bytes_max`](crate::Limits::status_line_bytes_max).
    StatusLineTooLong {
        /// The limit.
        bytes_max: usize,
    },
    /// The head is larger than [`Limits::head_bytes_max`](crate::Limits::head_bytes_max).
    HeadTooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// More field lines than [`Limits::header_count_max`](crate::Limits::header_count_max).
    TooManyFields {
        /// The limit.
        count_max: usize,
    },
    /// More interim responses than [`Limits::interim_count_max`](crate::Limits::interim_count_max).
    TooManyInterim {
        /// The limit.
        count_max: u32,
    },
    /// A carriage return that doesn't end a line.
    BareCr,
    /// White space before the first field line.
    SpaceBeforeFirstField,
    /// White space between a field name and its colon.
    SpaceBeforeColon,
    /// A field line without a colon.
    MissingColon,
    /// A field name that isn't a token.
    InvalidFieldName {
        /// The first invalid byte; `None` if the name is empty or too long.
        byte: Option<u8>,
    },
    /// NUL or another control character in a field value.
    InvalidFieldValue {
        /// The field.
        name: HeaderName,
        /// The first such byte.
        byte: u8,
    },
    /// Transfer-Encoding in an HTTP/1.0 message.
    TransferEncodingInHttp10,
    /// Transfer-Encoding doesn't end with `chunked`, applies it twice, or is empty. (`identity` alone is accepted.)
    ChunkedNotLast,
    /// A transfer coding other than `chunked`, which the client didn't request.
    UnsupportedTransferCoding,
    /// A Content-Length that isn't a decimal number below 2^64.
    InvalidContentLength,
    /// Several Content-Length values that differ.
    ConflictingContentLength,
    /// 101 (Switching Protocols) although the client didn't request an upgrade.
    UnrequestedUpgrade,
    /// The caller asked for another response after the final one.
    AlreadyAnswered,
    /// A chunk size that contains anything but hexadecimal digits.
    InvalidChunkSize {
        /// The invalid byte.
        byte: u8,
    },
    /// A chunk size of more than 16 digits.
    ChunkSizeTooLong,
    /// A control character in a chunk extension, or a line feed alone.
    InvalidChunkExtension {
        /// The invalid byte.
        byte: u8,
    },
    /// More extension bytes than
    /// [`Limits::chunk_extension_bytes_max`](crate::Limits::chunk_extension_bytes_max).
    ChunkExtensionsTooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// A line of the chunked framing that doesn't end with CR LF where it must.
    ChunkLineEnd {
        /// The byte found instead.
        byte: u8,
    },
    /// The trailer section is larger than [`Limits::trailer_bytes_max`](crate::Limits::trailer_bytes_max).
    TrailersTooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// The connection closed before the first byte of a response.
    ClosedBeforeResponse,
    /// The connection closed within a head.
    ClosedInHead {
        /// Bytes of the unfinished head.
        received_bytes: u64,
    },
    /// The connection closed before the body was complete.
    Incomplete {
        /// Body bytes received.
        received_bytes: u64,
        /// Body bytes announced by Content-Length; `None` for a chunked body.
        expected_bytes: Option<u64>,
    },
    /// A body that lasts until the connection closes ended without an orderly close, so it may be truncated.
    UncleanClose {
        /// Body bytes received.
        received_bytes: u64,
    },
}

impl ProtocolError {
    /// Whether the response was well-formed but ended too early, so that another attempt may succeed. All other
    /// errors are about malformed or unacceptable responses.
    pub fn is_truncation(&self) -> bool {
        use ProtocolError::{ClosedBeforeResponse, ClosedInHead, Incomplete, UncleanClose};
        matches!(self, ClosedBeforeResponse | ClosedInHead { .. } | Incomplete { .. } | UncleanClose { .. })
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fixed = match self {
            Self::NotHttp => "the answer isn't an HTTP/1 response",
            Self::UnsupportedVersion => "the response has a version other than HTTP/1.x",
            Self::MalformedStatusLine => "malformed status line",
            Self::BareCr => "carriage return within a header line",
            Self::SpaceBeforeFirstField => "white space before the first header field",
            Self::SpaceBeforeColon => "white space between a header name and its colon",
            Self::MissingColon => "header line without a colon",
            Self::InvalidFieldName { byte: None } => "header name empty or too long",
            Self::TransferEncodingInHttp10 => "Transfer-Encoding in an HTTP/1.0 response",
            Self::ChunkedNotLast => "Transfer-Encoding doesn't end with one \"chunked\"",
            Self::UnsupportedTransferCoding => "transfer coding other than \"chunked\"",
            Self::InvalidContentLength => "malformed Content-Length",
            Self::ConflictingContentLength => "several different Content-Length values",
            Self::UnrequestedUpgrade => "the server switched protocols without being asked",
            Self::AlreadyAnswered => "a second response to one request",
            Self::ChunkSizeTooLong => "chunk size of more than 16 digits",
            Self::ClosedBeforeResponse => "connection closed before a response",
            _ => return self.fmt_with_values(f),
        };
        f.write_str(fixed)
    }
}

impl ProtocolError {
    fn fmt_with_values(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidFieldName { byte: Some(byte) } => {
                write!(f, "byte {} in a header name", Shown(*byte))
            }
            Self::InvalidFieldValue { name, byte } => {
                write!(f, "byte {} in the value of header \"{name}\"", Shown(*byte))
            }
            Self::InvalidChunkSize { byte } => write!(f, "byte {} in a chunk size", Shown(*byte)),
            Self::InvalidChunkExtension { byte } => write!(f, "byte {} in a chunk extension", Shown(*byte)),
            Self::ChunkLineEnd { byte } => {
                write!(f, "byte {} where a chunk line must end with CR LF", Shown(*byte))
            }
            Self::StatusLineTooLong { bytes_max } => write!(f, "status line of more than {bytes_max} bytes"),
            Self::HeadTooLarge { bytes_max } => write!(f, "response head of more than {bytes_max} bytes"),
            Self::TooManyFields { count_max } => write!(f, "more than {count_max} header fields"),
            Self::TooManyInterim { count_max } => write!(f, "more than {count_max} interim responses"),
            Self::ChunkExtensionsTooLarge { bytes_max } => {
                write!(f, "more than {bytes_max} bytes of chunk extensions")
            }
            Self::TrailersTooLarge { bytes_max } => write!(f, "more than {bytes_max} bytes of trailers"),
            Self::ClosedInHead { received_bytes } => {
                write!(f, "connection closed after {received_bytes} bytes of a response head")
            }
            Self::Incomplete { received_bytes, expected_bytes: Some(expected) } => {
                write!(f, "connection closed after {received_bytes} of {expected} body bytes")
            }
            Self::Incomplete { received_bytes, expected_bytes: None } => {
                write!(f, "connection closed after {received_bytes} body bytes, before the last chunk")
            }
            Self::UncleanClose { received_bytes } => {
                write!(f, "connection cut after {received_bytes} body bytes of unknown total")
            }
            // `fmt` handles every other variant.
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// Shows a byte in a message: a visible character in quotes, any other byte as a number.
pub(crate) struct Shown(pub(crate) u8);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            visible @ 0x21..=0x7e => write!(f, "'{}'", char::from(visible)),
            other => write!(f, "0x{other:02x}"),
        }
    }
}
