//! One connection to an origin, plain or TLS, straight or through a proxy.
//!
//! Owns: the order of steps in making it, bytes in and out.
//! Does not own: what the bytes mean, reuse ([`crate::pool`]).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use haul_io::{Buf, Io, Socket};
use url::Url;

use crate::addresses::addresses;
use crate::proxy::{Proxy, ProxyKind};
use crate::route::{Origin, Route};
use crate::socks::{self, Destination};
use crate::tls::{Tls, TlsSettings};
use crate::{Config, Error, Phase, Times, tunnel};

pub(crate) struct Connection {
    socket: Socket,
    tls: Option<Box<Tls>>,
    route: Route,
    /// Exchanges that were completed on it.
    pub(crate) exchange_count: u32,
}

impl Connection {
    /// Connects to the origin of `url` by `route`.
    pub(crate) async fn open(
        io: &impl Io,
        config: &Config,
        settings: &TlsSettings,
        (url, route): (&Url, Route),
        timeout: Duration,
        times: &mut Times,
    ) -> Result<Self, Error> {
        let origin = Origin::of(url);
        let started = io.now();
        let deadline = started + timeout;
        let mut resolved = started;
        let connected = match &config.unix_socket {
            Some(path) => io.connect_local(path).await,
            None => {
                let addresses = first_hop(io, config, &route, &origin).await?;
                resolved = io.now();
                times.dns += resolved - started;
                io.connect(addresses, deadline.saturating_sub(resolved)).await
            }
        };
        let socket = connected.map_err(|error| Error::transport(error, Phase::Connect))?;
        if let Route::Tunnel(origin, proxy) = &route {
            pass(io, config, &socket, proxy, origin, deadline).await?;
        }
        let connected_at = io.now();
        times.connect += connected_at - resolved;
        let tls = match origin.tls {
            false => None,
            true => {
                let left = deadline.saturating_sub(connected_at);
                let tls = Tls::handshake(io, settings, &origin.host, &socket, left).await;
                times.tls += io.now() - connected_at;
                Some(Box::new(tls?))
            }
        };
        Ok(Self { socket, tls, route, exchange_count: 0 })
    }

    /// Where it leads.
    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    /// Sends all of `bytes`.
    pub(crate) async fn send(
        &mut self,
        io: &impl Io,
        bytes: Buf,
        timeout: Duration,
    ) -> (io::Result<()>, Buf) {
        match &mut self.tls {
            None => io.send_all(&self.socket, bytes, timeout).await,
            Some(tls) => (tls.send(io, &self.socket, bytes.filled(), timeout).await, bytes),
        }
    }

    /// Appends what arrives to `buf`; 0 is the end.
    pub(crate) async fn receive(
        &mut self,
        io: &impl Io,
        mut buf: Buf,
        timeout: Duration,
    ) -> (io::Result<usize>, Buf) {
        match &mut self.tls {
            None => io.recv(&self.socket, buf, timeout).await,
            Some(tls) => (tls.receive(io, &self.socket, &mut buf, timeout).await, buf),
        }
    }

    /// Whether an end seen by [`Connection::receive`] was orderly.
    pub(crate) fn ended_cleanly(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.ended_cleanly())
    }

    /// Whether nothing has happened on it while it was idle: neither bytes nor an end.
    pub(crate) async fn is_quiet(&mut self, io: &impl Io) -> bool {
        let (received, buf) = self.receive(io, io.take_buf(1), Duration::ZERO).await;
        io.give_buf(buf);
        matches!(received, Err(error) if error.kind() == io::ErrorKind::TimedOut)
    }
}

/// The addresses of whoever is connected to: the origin, or the proxy before it.
async fn first_hop(
    io: &impl Io,
    config: &Config,
    route: &Route,
    origin: &Origin,
) -> Result<Vec<SocketAddr>, Error> {
    match route {
        Route::Direct(_) => addresses(io, config, &origin.url_host()?, origin.port).await,
        Route::Forward(proxy) | Route::Tunnel(_, proxy) => {
            addresses(io, config, proxy.host(), proxy.port()).await
        }
    }
}

/// Goes on from `proxy` to `origin`.
async fn pass(
    io: &impl Io,
    config: &Config,
    socket: &Socket,
    proxy: &Proxy,
    origin: &Origin,
    deadline: Duration,
) -> Result<(), Error> {
    let host = origin.url_host()?;
    let destination = match proxy.kind() {
        ProxyKind::Http => return tunnel::connect(io, config, socket, proxy, origin, deadline).await,
        ProxyKind::Socks5h => Destination::Name(host, origin.port),
        ProxyKind::Socks5 => {
            let found = addresses(io, config, &host, origin.port).await?;
            Destination::Address(*found.first().expect("found addresses are never none"))
        }
    };
    socks::connect(io, socket, proxy, &destination, deadline).await
}
