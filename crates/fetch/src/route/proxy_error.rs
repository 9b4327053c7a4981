//! Why a proxy provides no connection to the server.
//!
//! Owns: the reasons, their texts, which of them are transient.
//! Does not own: errors of the connection to the proxy ([`crate::Error`]).

use std::fmt;

use http::StatusCode;

/// Why a proxy provides no connection to the server. Reads after "cannot fetch …:".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// It answered CONNECT with this status.
    Status(StatusCode),
    /// It requires credentials, rejected those that it got, or supports no known way to send them.
    Denied,
    /// Its response violates the protocol, or has unexpected bytes after it.
    Malformed,
    /// A host name, user name or password is too long for the protocol.
    LongName,
    /// A failure reply of a SOCKS proxy (RFC 1928, section 6).
    Reply {
        /// The reply code.
        code: u8,
    },
}

impl ProxyError {
    /// Whether a retry may succeed: the proxy was reached, but couldn't reach the server.
    pub(crate) fn is_transient(self) -> bool {
        match self {
            Self::Status(status) => matches!(status.as_u16(), 429 | 502..=504),
            Self::Reply { code } => matches!(code, 1 | 3..=6),
            Self::Denied | Self::Malformed | Self::LongName => false,
        }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the proxy answered {status}"),
            Self::Denied => f.write_str("the proxy requires credentials, or rejected them"),
            Self::Malformed => f.write_str("the proxy's response is malformed"),
            Self::LongName => f.write_str("a name or password is too long for the proxy"),
            Self::Reply { code } => match code {
                1 => f.write_str("the proxy failed"),
                2 => f.write_str("the proxy doesn't allow it"),
                3 => f.write_str("the proxy can't reach the network"),
                4 => f.write_str("the proxy can't reach the host"),
                5 => f.write_str("the host refused the proxy's connection"),
                6 => f.write_str("the connection expired in the proxy"),
                code => write!(f, "the proxy refused with code {code}"),
            },
        }
    }
}

impl std::error::Error for ProxyError {}
