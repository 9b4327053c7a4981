//! Connections through SOCKS 5 proxies.
//!
//! Owns: the negotiation and its messages.
//! Does not own: DNS, the bytes that go through the proxy.
//!
//! Source: RFC 1928 (SOCKS 5), RFC 1929 (user name and password).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use haul_io::{Buf, Io};
use url::Host;

use crate::route::proxy::Proxy;
use crate::route::tunnel::{receive, send};
use crate::route::wire::Wire;
use crate::{Error, ProxyError};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const NAME_AND_PASSWORD: u8 = 2;
/// RFC 1929 section 2.
const NEGOTIATION_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const DOMAIN: u8 = 3;
const IPV6: u8 = 4;
/// The longest message of a proxy: version, reply, reserved byte, a name with its length, port.
const MESSAGE_BYTES_MAX: usize = 4 + 256 + 2;

/// The host that a proxy is to connect to.
pub(crate) enum Target {
    Address(SocketAddr),
    Name(Host<String>, u16),
}

/// Extends `wire`, which ends at `proxy`, to `target`. `deadline` is by [`Io::now`].
pub(crate) async fn connect(
    io: &impl Io,
    wire: &mut impl Wire,
    proxy: &Proxy,
    target: &Target,
    deadline: Duration,
) -> Result<(), Error> {
    let request = request(target).ok_or(ProxyError::LongName)?;
    let mut peer = Peer { io, wire, deadline };
    let methods: &[u8] = match proxy.credentials() {
        None => &[NO_AUTHENTICATION],
        Some(_) => &[NO_AUTHENTICATION, NAME_AND_PASSWORD],
    };
    peer.send([&[VERSION, methods.len() as u8], methods].concat()).await?;
    let chosen = peer.receive(2).await?;
    match (chosen[0], chosen[1], proxy.credentials()) {
        (VERSION, NO_AUTHENTICATION, _) => {}
        (VERSION, NAME_AND_PASSWORD, Some((name, password))) => {
            peer.send(introduction(name, password).ok_or(ProxyError::LongName)?).await?;
            let answer = peer.receive(2).await?;
            if answer[1] != 0 {
                return Err(ProxyError::Denied.into());
            }
        }
        (VERSION, ..) => return Err(ProxyError::Denied.into()),
        _ => return Err(ProxyError::Malformed.into()),
    }
    peer.send(request).await?;
    peer.consent().await
}

struct Peer<'a, I, W> {
    io: &'a I,
    wire: &'a mut W,
    deadline: Duration,
}

impl<I: Io, W: Wire> Peer<'_, I, W> {
    async fn send(&mut self, message: Vec<u8>) -> Result<(), Error> {
        send(self.io, self.wire, message, self.deadline).await
    }

    /// Receives exactly `count` bytes: what follows the last message isn't from the proxy.
    async fn receive(&mut self, count: usize) -> Result<Vec<u8>, Error> {
        let mut message = Vec::with_capacity(count.min(MESSAGE_BYTES_MAX));
        while message.len() < count {
            let room = Buf::with_capacity(count - message.len());
            let piece = receive(self.io, self.wire, room, self.deadline).await?;
            message.extend_from_slice(piece.filled());
        }
        Ok(message)
    }

    /// RFC 1928 section 6: the reply, with the proxy's own address, which is not needed.
    async fn consent(&mut self) -> Result<(), Error> {
        let start = self.receive(4).await?;
        match (start[0], start[1]) {
            (VERSION, 0) => {}
            (VERSION, code) => return Err(ProxyError::Reply { code }.into()),
            _ => return Err(ProxyError::Malformed.into()),
        }
        let address_bytes = match start[3] {
            IPV4 => 4,
            IPV6 => 16,
            DOMAIN => self.receive(1).await?[0].into(),
            _ => return Err(ProxyError::Malformed.into()),
        };
        self.receive(address_bytes + 2).await.map(drop)
    }
}

/// RFC 1929 section 2; `None` if a word is too long for the message.
fn introduction(name: &str, password: &str) -> Option<Vec<u8>> {
    let mut message = vec![NEGOTIATION_VERSION];
    for word in [name, password] {
        message.push(u8::try_from(word.len()).ok()?);
        message.extend_from_slice(word.as_bytes());
    }
    Some(message)
}

/// RFC 1928 section 4; `None` if the name is too long for the message.
fn request(target: &Target) -> Option<Vec<u8>> {
    let mut message = vec![VERSION, CONNECT, 0];
    let mut write = |address: IpAddr| match address {
        IpAddr::V4(address) => message.extend([&[IPV4], address.octets().as_slice()].concat()),
        IpAddr::V6(address) => message.extend([&[IPV6], address.octets().as_slice()].concat()),
    };
    let port = match target {
        Target::Address(address) => {
            write(address.ip());
            address.port()
        }
        Target::Name(Host::Ipv4(address), port) => {
            write((*address).into());
            *port
        }
        Target::Name(Host::Ipv6(address), port) => {
            write((*address).into());
            *port
        }
        Target::Name(Host::Domain(name), port) => {
            message.extend([DOMAIN, u8::try_from(name.len()).ok()?]);
            message.extend_from_slice(name.as_bytes());
            *port
        }
    };
    message.extend_from_slice(&port.to_be_bytes());
    Some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_as_the_rfc_has_them() {
        let address = |text: &str| Target::Address(text.parse().unwrap());
        let name = |host: &str| Target::Name(Host::parse(host).unwrap(), 443);
        assert_eq!(request(&address("10.1.2.3:80")).unwrap(), [5, 1, 0, 1, 10, 1, 2, 3, 0, 80]);
        let six = [&[5, 1, 0, 4][..], &[0; 15], &[1, 1, 187]].concat();
        assert_eq!(request(&address("[::1]:443")).unwrap(), six);
        assert_eq!(request(&name("[::1]")).unwrap(), six);
        assert_eq!(request(&name("10.1.2.3")).unwrap(), [5, 1, 0, 1, 10, 1, 2, 3, 1, 187]);
        assert_eq!(request(&name("a.b")).unwrap(), [5, 1, 0, 3, 3, b'a', b'.', b'b', 1, 187]);
        let long = Target::Name(Host::Domain("a".repeat(256)), 1);
        assert_eq!(request(&long), None);
        assert_eq!(introduction("me", "").unwrap(), [1, 2, b'm', b'e', 0]);
        assert_eq!(introduction("me", &"x".repeat(256)), None);
    }
}
