//! Whom a request is for: a host and a port, exactly as they are written in a request.
//!
//! Owns: the text of the Host field and of the authority form; which bytes a host may have.
//! Does not own: URLs, IDNA, name resolution.
//!
//! Source: RFC 9110, section 7.2 (Host); RFC 9112, section 3.2 (request target); RFC 3986, section 3.2.2
//! (host).

use std::fmt::Write;
use std::net::Ipv6Addr;

use crate::RequestError;

/// What a colon and a port are at most.
const PORT_LEN_MAX: usize = 6;

/// A host and a port, checked once and written into every request to them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    /// `host:port`. Invariant: only bytes that a host may have, IPv6 in brackets, no user information.
    text: String,
    /// Where the host ends in `text`.
    host_len: usize,
    port_is_default: bool,
}

impl Authority {
    /// Checks `host` and remembers whether `port` is `port_default`, the one that the scheme implies (80,
    /// 443).
    ///
    /// An IPv6 address may come with or without its brackets. A name must be ASCII already (IDNA is the
    /// caller's).
    ///
    /// # Errors
    ///
    /// [`RequestError::InvalidHost`] for an empty host, for user information, spaces, controls, delimiters,
    /// non-ASCII bytes, and for brackets or colons that don't make an IPv6 address (one with a zone
    /// included).
    pub fn new(host: &str, port: u16, port_default: u16) -> Result<Self, RequestError> {
        let invalid = |byte| RequestError::InvalidHost { byte };
        if let Some(byte) = host.bytes().find(|byte| !is_host_byte(*byte)) {
            return Err(invalid(Some(byte)));
        }
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match bare.unwrap_or(host) {
            "" => return Err(invalid(None)),
            address if bare.is_some() || address.contains([':', '[', ']']) => {
                address.parse::<Ipv6Addr>().map_err(|_| invalid(None))?;
                ["[", address, "]"]
            }
            name => ["", name, ""],
        };
        let mut text =
            String::with_capacity(host.iter().map(|part| part.len()).sum::<usize>() + PORT_LEN_MAX);
        text.extend(host);
        let host_len = text.len();
        write!(text, ":{port}").expect("a string takes everything");
        Ok(Self { text, host_len, port_is_default: port == port_default })
    }

    /// The host, IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.text[..self.host_len]
    }

    /// The value of Host, and the authority of an absolute URL: the port only if it isn't the scheme's
    /// default.
    pub fn host_field(&self) -> &str {
        if self.port_is_default { self.host() } else { &self.text }
    }

    /// Host and port, always both: the target of CONNECT (RFC 9112, section 3.2.3).
    pub fn with_port(&self) -> &str {
        &self.text
    }
}

/// unreserved, sub-delims and percent of a reg-name, and what an IP literal adds. Neither '@' nor any other
/// delimiter.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%[]:".contains(&byte)
}
