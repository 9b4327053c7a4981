//! The origin of a URL: scheme, host and port (RFC 9110, section 4.3.1).
//!
//! Owns: what makes two URLs belong to one server.
//! Does not own: proxies on the way to it ([`crate::route::hops`]).

use std::fmt;

use url::{Host, Url};

use crate::Error;

/// Whom a request is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// The origin of a URL that was checked to have one.
    pub(crate) fn of(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default().to_owned();
        Self { tls: url.scheme() == "https", host, port: url.port_or_known_default().unwrap_or_default() }
    }

    /// The host, to be looked up or named to a proxy.
    pub(crate) fn url_host(&self) -> Result<Host<String>, Error> {
        Host::parse(&self.host).map_err(|error| Error::Host { reason: error.to_string() })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}
