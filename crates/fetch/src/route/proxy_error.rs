//! Why a proxy leads nowhere.
//!
//! Owns: the reasons, their words, whether they may pass.
//! Does not own: errors of the connection to the proxy ([`crate::Error`]).

use std::fmt;

use http::StatusCode;

/// Why a proxy leads nowhere. Reads after "cannot fetch …:".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// It answered CONNECT with this status.
    Status(StatusCode),
    /// It refuses whoever asks: no credentials, wrong ones, or none that it knows how to take.
    Denied,
    /// Its answer isn't of its protocol, or more than that.
    Malformed,
    /// A name or a password is too long for its protocol.
    LongName,
    /// A SOCKS proxy's reply (RFC 1928, section 6).
    Reply {
        /// Its number.
        code: u8,
    },
}

impl ProxyError {
    /// Whether another attempt may fare better: the way on from the proxy failed, not the way to it.
    pub(crate) fn may_pass(self) -> bool {
        match self {
            Self::Status(status) => matches!(status.as_u16(), 502..=504),
            Self::Reply { code } => matches!(code, 1 | 3..=6),
            Self::Denied | Self::Malformed | Self::LongName => false,
        }
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the proxy answered {status}"),
            Self::Denied => f.write_str("the proxy refuses these credentials, or wants some"),
            Self::Malformed => f.write_str("the proxy's answer isn't of its protocol"),
            Self::LongName => f.write_str("a name is too long for the proxy"),
            Self::Reply { code } => match code {
                1 => f.write_str("the proxy failed"),
                2 => f.write_str("the proxy doesn't allow it"),
                3 => f.write_str("the proxy can't reach the network"),
                4 => f.write_str("the proxy can't reach the host"),
                5 => f.write_str("the host refused the proxy's connection"),
                6 => f.write_str("the proxy gave up"),
                code => write!(f, "the proxy refused with code {code}"),
            },
        }
    }
}

impl std::error::Error for ProxyError {}
