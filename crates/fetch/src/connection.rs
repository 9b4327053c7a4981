//! One connection to an origin, plain or TLS.
//!
//! Owns: making it, bytes in and out.
//! Does not own: what the bytes mean, reuse ([`crate::pool`]).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use haul_io::{Buf, Io, Socket};
use url::{Host, Url};

use crate::tls::{Tls, TlsSettings};
use crate::{Error, Phase, Times};

/// Whom a connection leads to. A connection is reused only for the same origin.
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
}

pub(crate) struct Connection {
    socket: Socket,
    tls: Option<Box<Tls>>,
    /// Exchanges that were completed on it.
    pub(crate) exchange_count: u32,
}

impl Connection {
    pub(crate) async fn open(
        io: &impl Io,
        url: &Url,
        settings: &TlsSettings,
        timeout: Duration,
        times: &mut Times,
    ) -> Result<Self, Error> {
        let origin = Origin::of(url);
        let started = io.now();
        let deadline = started + timeout;
        let addresses = addresses(io, url, &origin).await?;
        let resolved = io.now();
        times.dns += resolved - started;
        let connected = io.connect(addresses, deadline.saturating_sub(resolved)).await;
        let connected_at = io.now();
        times.connect += connected_at - resolved;
        let socket = connected.map_err(|error| Error::transport(error, Phase::Connect))?;
        let tls = match origin.tls {
            false => None,
            true => {
                let left = deadline.saturating_sub(connected_at);
                let tls = Tls::handshake(io, settings, &origin.host, &socket, left).await;
                times.tls += io.now() - connected_at;
                Some(Box::new(tls?))
            }
        };
        Ok(Self { socket, tls, exchange_count: 0 })
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

async fn addresses(io: &impl Io, url: &Url, origin: &Origin) -> Result<Vec<SocketAddr>, Error> {
    let literal: IpAddr = match url.host() {
        Some(Host::Ipv4(address)) => address.into(),
        Some(Host::Ipv6(address)) => address.into(),
        _ => {
            let resolved = io.resolve(&origin.host, origin.port).await;
            return resolved.map_err(|error| match haul_io::is_cancelled(&error) {
                true => Error::Cancelled,
                false => Error::Resolve(error),
            });
        }
    };
    Ok(vec![SocketAddr::new(literal, origin.port)])
}
