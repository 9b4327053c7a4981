//! The route of a connection: its origin and its proxy.
//!
//! Owns: the choice of a route, and when a connection can serve another request.
//! Does not own: making connections ([`crate::route::connection`]).

use crate::route::origin::Origin;
use crate::route::proxy::{Proxy, ProxyKind};
use crate::{Config, Request};

/// The route of a connection. A connection is reused only for requests with the same route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Direct(Origin),
    /// To a proxy that forwards requests, whatever their origin.
    Forward(Proxy),
    /// Through a proxy that forwards bytes only.
    Tunnel(Origin, Proxy),
}

impl Route {
    pub(crate) fn of(request: &Request, config: &Config) -> Self {
        let (url, origin) = (&request.url, Origin::of(&request.url));
        let proxy = if config.unix_socket.is_some() { None } else { config.proxies_of(request).of(url) };
        match proxy {
            None => Self::Direct(origin),
            Some(proxy) if proxy.kind().reads_requests() && !origin.tls => Self::Forward(proxy.clone()),
            Some(proxy) => Self::Tunnel(origin, proxy.clone()),
        }
    }

    /// The feature that this route needs and the build lacks.
    pub(crate) fn missing_feature(&self) -> Option<&'static str> {
        let (has_tls, kind) = match self {
            Self::Direct(origin) => (origin.tls, None),
            Self::Forward(proxy) => (false, Some(proxy.kind())),
            Self::Tunnel(origin, proxy) => (origin.tls, Some(proxy.kind())),
        };
        let needs_tls = has_tls || kind == Some(ProxyKind::Https);
        let needs_socks = matches!(kind, Some(ProxyKind::Socks5 | ProxyKind::Socks5h));
        if needs_tls && !cfg!(feature = "tls") {
            Some("tls")
        } else if needs_socks && !cfg!(feature = "socks") {
            Some("socks")
        } else {
            None
        }
    }

    /// The proxy that forwards the requests of this route.
    pub(crate) fn forwarder(&self) -> Option<&Proxy> {
        match self {
            Self::Forward(proxy) => Some(proxy),
            Self::Direct(_) | Self::Tunnel(..) => None,
        }
    }
}
