//! Where a connection leads, and by which way.
//!
//! Owns: what makes two connections exchangeable.
//! Does not own: making connections ([`crate::route::connection`]).

use url::Url;

use crate::Config;
use crate::route::origin::Origin;
use crate::route::proxy::Proxy;

/// Whom a connection leads to, and through whom. A connection is used again only for the same route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Direct(Origin),
    /// To a proxy that passes requests on, whatever their origin.
    Forward(Proxy),
    /// Through a proxy, which only passes bytes.
    Tunnel(Origin, Proxy),
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
