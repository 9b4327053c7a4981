//! Where a connection leads, and by which way.
//!
//! Owns: origins, and what makes two connections exchangeable.
//! Does not own: making connections ([`crate::connection`]).

use url::{Host, Url};

use crate::proxy::Proxy;
use crate::{Config, Error};

/// Whom a request is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Whom a connection leads to, and through whom. A connection is used again only for the same route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Direct(Origin),
    /// To a proxy that passes requests on, whatever their origin.
    Forward(Proxy),
    /// Through a proxy, which only passes bytes.
    Tunnel(Origin, Proxy),
}

impl Origin {
    /// The origin of a URL that was checked to have one.
    pub(crate) fn of(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default().to_owned();
        Self { tls: url.scheme() == "https", host, port: url.port_or_known_default().unwrap_or_default() }
    }

    /// The host, to be looked up or named to a proxy.
    pub(crate) fn url_host(&self) -> Result<Host<String>, Error> {
        Host::parse(&self.host).map_err(|error| Error::Url { reason: error.to_string() })
    }
}

impl Route {
    pub(crate) fn of(url: &Url, config: &Config) -> Self {
        let origin = Origin::of(url);
        let proxy = if config.unix_socket.is_some() { None } else { config.proxies.of(url) };
        match proxy {
            None => Self::Direct(origin),
            Some(proxy) if proxy.kind().reads_requests() && !origin.tls => Self::Forward(proxy.clone()),
            Some(proxy) => Self::Tunnel(origin, proxy.clone()),
        }
    }

    /// The proxy that reads the requests themselves.
    pub(crate) fn forwarder(&self) -> Option<&Proxy> {
        match self {
            Self::Forward(proxy) => Some(proxy),
            Self::Direct(_) | Self::Tunnel(..) => None,
        }
    }
}
