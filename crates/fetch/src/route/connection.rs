//! One connection to an origin: plain or TLS, direct or through a proxy.
//!
//! Owns: the steps of setting a connection up, sending and receiving bytes.
//! Does not own: HTTP, reuse ([`crate::route::pool`]).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use haul_io::{Buf, Io, Socket};
use url::Url;

use crate::client::details;
use crate::client::zone;
use crate::route::addresses::addresses;
use crate::route::hops::Route;
use crate::route::origin::Origin;
use crate::route::proxy::{Proxy, ProxyKind};
#[cfg(feature = "socks")]
use crate::route::socks::{self, Target};
use crate::route::tls::session::{Tls, TlsConfig, TlsSettings};
use crate::route::tunnel;
use crate::route::wire::{Wait, Wire};
use crate::{Config, Error, Phase, Times};

pub(crate) struct Connection {
    link: Link,
    route: Route,
    shows_identity: bool,
    /// Exchanges completed on this connection.
    pub(crate) exchange_count: u32,
}

/// The layers below HTTP.
enum Link {
    Plain(Socket),
    Tls(Box<Tls<Socket>>),
    /// TLS to the origin within TLS to the proxy.
    Nested(Box<Tls<Tls<Socket>>>),
}

/// The context of making one connection.
pub(crate) struct Dial<'a, I> {
    pub(crate) io: &'a I,
    pub(crate) config: &'a Config,
    pub(crate) tls: &'a TlsSettings,
    /// Whether the origin gets the client's certificate if it asks for one.
    pub(crate) shows_identity: bool,
    /// When the connection must be ready, by [`Io::now`].
    pub(crate) deadline: Duration,
    /// Where the time spent on each step is added.
    pub(crate) times: &'a mut Times,
}

impl Connection {
    /// Connects to the origin of `url` by `route`.
    pub(crate) async fn open<I: Io>(mut dial: Dial<'_, I>, url: &Url, route: Route) -> Result<Self, Error> {
        if let Some(feature) = route.missing_feature() {
            return Err(Error::NotBuilt { feature });
        }
        let origin = Origin::of(url);
        let socket = dial.socket(&route, &origin).await?;
        let link = dial.link(&route, socket).await?;
        Ok(Self { link, route, shows_identity: dial.shows_identity, exchange_count: 0 })
    }

    /// The route that the connection was made by.
    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    /// Whether the connection serves requests by `route` that show the client's certificate, or don't.
    pub(crate) fn serves(&self, route: &Route, shows_identity: bool) -> bool {
        self.route == *route && self.shows_identity == shows_identity
    }

    /// Sends all of `bytes`.
    pub(crate) async fn send(&mut self, io: &impl Io, bytes: Buf, wait: Wait) -> (io::Result<()>, Buf) {
        match &mut self.link {
            Link::Plain(socket) => socket.send(io, bytes, wait).await,
            Link::Tls(tls) => tls.send(io, bytes, wait).await,
            Link::Nested(tls) => tls.send(io, bytes, wait).await,
        }
    }

    /// Appends received bytes to `buf` and returns their number; 0 is the end of the stream.
    pub(crate) async fn receive(&mut self, io: &impl Io, buf: Buf, wait: Wait) -> (io::Result<usize>, Buf) {
        match &mut self.link {
            Link::Plain(socket) => socket.receive(io, buf, wait).await,
            Link::Tls(tls) => tls.receive(io, buf, wait).await,
            Link::Nested(tls) => tls.receive(io, buf, wait).await,
        }
    }

    /// The socket, if what it receives is what was sent, and nothing is held back in between.
    pub(crate) fn plain_socket(&self) -> Option<&Socket> {
        match &self.link {
            Link::Plain(socket) => Some(socket),
            Link::Tls(_) | Link::Nested(_) => None,
        }
    }

    /// Whether the end that [`Connection::receive`] saw was announced by the peer.
    pub(crate) fn ended_cleanly(&self) -> bool {
        match &self.link {
            Link::Plain(_) => true,
            Link::Tls(tls) => tls.ended_cleanly(),
            Link::Nested(tls) => tls.ended_cleanly(),
        }
    }

    /// Whether the connection is still usable after being idle: neither bytes nor an end have arrived.
    pub(crate) async fn is_quiet(&mut self, io: &impl Io) -> bool {
        let (received, buf) = self.receive(io, io.take_buf(1), Wait::until(io.now())).await;
        io.give_buf(buf);
        matches!(received, Err(error) if error.kind() == io::ErrorKind::TimedOut)
    }
}

impl<I: Io> Dial<'_, I> {
    /// A socket to the first hop: the origin, or its proxy.
    async fn socket(&mut self, route: &Route, origin: &Origin) -> Result<Socket, Error> {
        let connected = self.first_socket(route, origin).await;
        match (connected, route) {
            (
                Err(error @ (Error::Resolve(_) | Error::Connect(_))),
                Route::Forward(proxy) | Route::Tunnel(_, proxy),
            ) => Err(Error::ToProxy { address: proxy.address(), source: Box::new(error) }),
            (connected, _) => connected,
        }
    }

    async fn first_socket(&mut self, route: &Route, origin: &Origin) -> Result<Socket, Error> {
        let (io, config) = (self.io, self.config);
        let mut started = io.now();
        let connected = match &config.unix_socket {
            Some(path) => io.connect_local(path).await,
            None => {
                let addresses = first_hop(io, config, route, origin, self.left()).await?;
                let resolved = io.now();
                config.observer.tell_detail(|| details::found(route, origin, &addresses));
                self.times.dns += resolved - started;
                started = resolved;
                io.connect(addresses, self.left()).await
            }
        };
        self.times.connect += io.now() - started;
        if connected.is_ok() {
            config.observer.tell_detail(|| details::connected(route, origin));
        }
        connected.map_err(|error| Error::transport(error, Phase::Connect))
    }

    /// The layers above `socket`.
    async fn link(&mut self, route: &Route, mut socket: Socket) -> Result<Link, Error> {
        match route {
            Route::Direct(origin) => self.plain_or_tls(origin, socket).await,
            Route::Forward(proxy) if proxy.kind() == ProxyKind::Https => {
                Ok(Link::Tls(Box::new(self.tls_to_proxy(proxy, socket).await?)))
            }
            Route::Forward(_) => Ok(Link::Plain(socket)),
            Route::Tunnel(origin, proxy) if proxy.kind() == ProxyKind::Https => {
                let mut tls = self.tls_to_proxy(proxy, socket).await?;
                self.pass(&mut tls, proxy, origin).await.map_err(Error::at_proxy)?;
                if origin.tls {
                    Ok(Link::Nested(Box::new(self.tls_to_origin(origin, tls).await?)))
                } else {
                    Ok(Link::Tls(Box::new(tls)))
                }
            }
            Route::Tunnel(origin, proxy) => {
                self.pass(&mut socket, proxy, origin).await?;
                self.plain_or_tls(origin, socket).await
            }
        }
    }

    async fn plain_or_tls(&mut self, origin: &Origin, socket: Socket) -> Result<Link, Error> {
        if origin.tls {
            Ok(Link::Tls(Box::new(self.tls_to_origin(origin, socket).await?)))
        } else {
            Ok(Link::Plain(socket))
        }
    }

    /// A TLS handshake with the origin, whose certificate must be valid whichever the route.
    async fn tls_to_origin<W: Wire>(&mut self, origin: &Origin, wire: W) -> Result<Tls<W>, Error> {
        let config = if self.shows_identity { self.tls.identified() } else { self.tls.anonymous() }?;
        self.handshake(config, &zone::visible(&origin.host), wire).await
    }

    async fn tls_to_proxy(&mut self, proxy: &Proxy, socket: Socket) -> Result<Tls<Socket>, Error> {
        let config = self.tls.anonymous()?;
        let tls = self.handshake(config, &proxy.host().to_string(), socket).await;
        tls.map_err(Error::at_proxy)
    }

    async fn handshake<W: Wire>(&mut self, config: TlsConfig, host: &str, wire: W) -> Result<Tls<W>, Error> {
        let started = self.io.now();
        let tls = Tls::handshake(self.io, config, host, wire, self.deadline).await;
        self.times.tls += self.io.now() - started;
        if let Ok(tls) = &tls {
            self.config.observer.tell_detail(|| details::secured(host, tls.version_and_cipher()));
        }
        tls
    }

    /// Extends `wire`, which ends at `proxy`, to `origin`.
    async fn pass(&mut self, wire: &mut impl Wire, proxy: &Proxy, origin: &Origin) -> Result<(), Error> {
        let (io, config, deadline) = (self.io, self.config, self.deadline);
        let started = io.now();
        let passed = match proxy.kind() {
            ProxyKind::Http | ProxyKind::Https => {
                tunnel::connect(io, config, wire, proxy, origin, deadline).await
            }
            #[cfg(not(feature = "socks"))]
            ProxyKind::Socks5 | ProxyKind::Socks5h => Err(Error::NotBuilt { feature: "socks" }),
            #[cfg(feature = "socks")]
            ProxyKind::Socks5h => {
                let target = Target::Name(origin.url_host()?, origin.port);
                socks::connect(io, wire, proxy, &target, deadline).await
            }
            #[cfg(feature = "socks")]
            ProxyKind::Socks5 => {
                let found = addresses(io, config, &origin.url_host()?, origin.port, self.left()).await?;
                let target = Target::Address(*found.first().expect("found addresses are never none"));
                socks::connect(io, wire, proxy, &target, deadline).await
            }
        };
        self.times.connect += io.now() - started;
        passed
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_sub(self.io.now())
    }
}

/// The addresses of the first hop: the origin, or its proxy.
async fn first_hop(
    io: &impl Io,
    config: &Config,
    route: &Route,
    origin: &Origin,
    timeout: Duration,
) -> Result<Vec<SocketAddr>, Error> {
    match route {
        Route::Direct(_) => addresses(io, config, &origin.url_host()?, origin.port, timeout).await,
        Route::Forward(proxy) | Route::Tunnel(_, proxy) => {
            addresses(io, config, proxy.host(), proxy.port(), timeout).await
        }
    }
}
