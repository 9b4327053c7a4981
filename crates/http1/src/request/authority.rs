//! The authority of a request: a host and a port, as written in requests.
//!
//! Owns: the text of the Host field and of the authority form; which bytes a host may contain.
//! Does not own: URLs, IDNA, name resolution.
//!
//! Source: RFC 9110, section 7.2 (Host); RFC 9112, section 3.2 (request target); RFC 3986, section 3.2.2
//! (host).

use std::fmt::Write;
use std::net::Ipv6Addr;

use super::error::RequestError;

/// The longest text of a colon and a port.
const PORT_LEN_MAX: usize = 6;

/// A host and a port, validated once and written into every request to them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    /// `host:port`. Invariant: only bytes that a host may contain, IPv6 in brackets, no user information.
    text: String,
    /// The length of the host in `text`.
    host_len: usize,
    port_is_default: bool,
}

impl Authority {
    /// Validates `host`. `port_default` is the port that the scheme implies (80 or 443).
    ///
    /// An IPv6 address may be written with or without brackets. A name must be ASCII: IDNA is the caller's task.
    ///
    /// # Errors
    ///
    /// [`RequestError::InvalidHost`] if the host is empty, or contains user information, spaces, control characters,
    /// delimiters or non-ASCII bytes, or has brackets or colons without being an IPv6 address (without a zone).
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
        write!(text, ":{port}").expect("writing to a string can't fail");
        Ok(Self { text, host_len, port_is_default: port == port_default })
    }

    /// The host; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        &self.text[..self.host_len]
    }

    /// The value of Host, and the authority of an absolute URL. It has the port only if that isn't the scheme's
    /// default.
    pub fn host_field(&self) -> &str {
        if self.port_is_default { self.host() } else { &self.text }
    }

    /// Host and port, always both: the target of CONNECT (RFC 9112, section 3.2.3).
    pub fn with_port(&self) -> &str {
        &self.text
    }
}

/// Whether `byte` may occur in a host: unreserved, sub-delims and percent of a reg-name, and the bytes that an IP
/// literal adds, but neither '@' nor any other delimiter.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%[]:".contains(&byte)
}
