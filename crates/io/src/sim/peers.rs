//! The simulated peers: scripted servers.
//!
//! Owns: the responses of a peer and the ends of its connections.
//! Does not own: time; the meaning of requests (a peer only counts blank lines).

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use super::random::Random;
use crate::Buf;

/// The hosts and their scripts.
#[derive(Default)]
pub struct Peers {
    hosts: BTreeMap<(String, u16), SocketAddr>,
    /// The replies of each address to its next requests, over all its connections.
    scripts: BTreeMap<SocketAddr, VecDeque<Reply>>,
    connections: Vec<Connection>,
}

/// The answer to one request head (everything up to a blank line).
#[derive(Clone, Debug)]
pub struct Reply {
    /// The bytes to send.
    pub bytes: Vec<u8>,
    /// What happens to the connection afterwards.
    pub ending: Ending,
}

/// The state of a connection after a [`Reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It stays open for another request.
    Open,
    /// It is closed in an orderly way.
    Close,
    /// It is reset.
    Reset,
}

struct Connection {
    address: SocketAddr,
    received: Vec<u8>,
    to_send: VecDeque<u8>,
    ending: Ending,
}

impl Peers {
    /// Adds a server that `host` and `port` resolve to. It answers its requests with `replies`, in order.
    pub fn listen(&mut self, host: &str, port: u16, replies: Vec<Reply>) {
        let address = SocketAddr::from(([10, 0, 0, self.hosts.len() as u8 + 1], port));
        self.hosts.insert((host.to_owned(), port), address);
        self.scripts.insert(address, replies.into());
    }

    /// The number of connections made so far.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let address = self.hosts.get(&(host.to_owned(), port));
        address.map(|address| vec![*address]).ok_or_else(|| ErrorKind::NotFound.into())
    }

    pub(super) fn connect(&mut self, addresses: &[SocketAddr]) -> io::Result<u64> {
        let alive = addresses.iter().find(|address| self.scripts.contains_key(address));
        let address = *alive.ok_or(ErrorKind::ConnectionRefused)?;
        let connection =
            Connection { address, received: Vec::new(), to_send: VecDeque::new(), ending: Ending::Open };
        self.connections.push(connection);
        Ok(self.connections.len() as u64 - 1)
    }

    pub(super) fn send(&mut self, id: u64, bytes: &[u8]) -> io::Result<()> {
        let connection = &mut self.connections[id as usize];
        if connection.ending != Ending::Open {
            return Err(ErrorKind::BrokenPipe.into());
        }
        connection.received.extend_from_slice(bytes);
        if connection.received.ends_with(b"\r\n\r\n") {
            connection.received.clear();
            let script = self.scripts.get_mut(&connection.address);
            if let Some(reply) = script.and_then(VecDeque::pop_front) {
                connection.to_send.extend(reply.bytes);
                connection.ending = reply.ending;
            }
        }
        Ok(())
    }

    /// Whether receiving has to wait.
    pub(super) fn is_silent(&self, id: u64) -> bool {
        let connection = &self.connections[id as usize];
        connection.to_send.is_empty() && connection.ending == Ending::Open
    }

    /// Receives what the peer has sent; a silent peer is a timeout.
    pub(super) fn recv(&mut self, id: u64, buf: &mut Buf, random: &mut Random) -> io::Result<usize> {
        let connection = &mut self.connections[id as usize];
        if connection.to_send.is_empty() {
            return match connection.ending {
                Ending::Open => Err(ErrorKind::TimedOut.into()),
                Ending::Close => Ok(0),
                Ending::Reset => Err(ErrorKind::ConnectionReset.into()),
            };
        }
        let count = random.short(connection.to_send.len().min(buf.spare_mut().len()));
        for (free, byte) in buf.spare_mut().iter_mut().zip(connection.to_send.drain(..count)) {
            *free = byte;
        }
        buf.commit(count);
        Ok(count)
    }
}
