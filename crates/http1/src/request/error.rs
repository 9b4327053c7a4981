//! Errors of requests.
//!
//! Owns: the reasons why a request can't be encoded, and their texts.
//! Does not own: errors of responses ([`crate::ProtocolError`]).

use std::fmt;

use http::{HeaderName, Method};

use crate::error::Shown;

/// Why a request can't be encoded: the part at fault, and its first invalid byte.
///
/// The texts read after "cannot fetch …: ". No variant wraps another error, so `source()` is always `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// A field name that isn't a token.
    InvalidFieldName {
        /// The first invalid byte; `None` if the name is empty or too long.
        byte: Option<u8>,
    },
    /// CR, LF, NUL or another control character in a field value.
    InvalidFieldValue {
        /// The field.
        name: HeaderName,
        /// The first such byte.
        byte: u8,
    },
    /// A field that only the encoder may write, or that a trailer section must not contain.
    ReservedField {
        /// The field.
        name: HeaderName,
    },
    /// An invalid host.
    InvalidHost {
        /// The first invalid byte; `None` if the host is empty or a malformed address.
        byte: Option<u8>,
    },
    /// A path that doesn't start with a slash, contains a byte other than visible ASCII, or has a fragment.
    InvalidPath {
        /// The first invalid byte; `None` if the path is empty.
        byte: Option<u8>,
    },
    /// A scheme other than a letter followed by letters, digits, '+', '-' and '.'.
    InvalidScheme,
    /// A form of target that doesn't go with the method: CONNECT takes only an authority, and only OPTIONS takes an
    /// asterisk.
    TargetForm {
        /// The method.
        method: Method,
    },
    /// A body with a method that allows none (CONNECT, TRACE).
    UnexpectedBody {
        /// The method.
        method: Method,
    },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidFieldName { byte: Some(byte) } => {
                write!(f, "byte {} in a header name", Shown(*byte))
            }
            Self::InvalidFieldName { byte: None } => f.write_str("header name empty or too long"),
            Self::InvalidFieldValue { name, byte } => {
                write!(f, "byte {} in the value of header \"{name}\"", Shown(*byte))
            }
            Self::ReservedField { name } => write!(f, "header \"{name}\" can't be set here"),
            Self::InvalidHost { byte: Some(byte) } => write!(f, "byte {} in the host", Shown(*byte)),
            Self::InvalidHost { byte: None } => f.write_str("host empty or not an IPv6 address"),
            Self::InvalidPath { byte: Some(byte) } => write!(f, "byte {} in the path", Shown(*byte)),
            Self::InvalidPath { byte: None } => f.write_str("empty path"),
            Self::InvalidScheme => f.write_str("malformed scheme"),
            Self::TargetForm { method } => write!(f, "method {method} doesn't go with this form of target"),
            Self::UnexpectedBody { method } => write!(f, "a {method} request has no body"),
        }
    }
}

impl std::error::Error for RequestError {}
