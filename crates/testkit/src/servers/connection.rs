//! One connection of the scripted server: reads each request, sends its answer, and ends as the answer says.
//!
//! Owns: the life of a connection after it was accepted.
//! Does not own: accepting, the record of requests (see [`crate::Server`]).

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use super::answer::{Answer, End, Step};
use super::gate::{Gate, Stop};
use super::request::{Handshake, Incoming, Request};

/// A shared socket, closed when its last handle is dropped.
#[derive(Clone)]
pub(crate) struct Socket(pub(crate) Arc<TcpStream>);

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buf)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Wire {
    Plain(Socket),
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Wire {
    fn handshake(&self) -> Option<Handshake> {
        let Self::Tls(stream) = self else { return None };
        let alpn = stream.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
        let name = stream.conn.server_name().map(str::to_owned);
        Some(Handshake { resumed: stream.conn.handshake_kind() == Some(HandshakeKind::Resumed), alpn, name })
    }
}

/// How a server treats `Expect: 100-continue`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expectations {
    /// It sends 100 Continue.
    #[default]
    Met,
    /// It sends no interim response and waits for the body.
    Ignored,
    /// It answers at once, leaves the body unread, and closes after the answer.
    Refused,
}

/// One accepted connection, with what its server lends it.
pub(crate) struct Connection<'a> {
    pub(crate) number: usize,
    pub(crate) socket: Socket,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) reads_bodies: bool,
    pub(crate) expectations: Expectations,
    pub(crate) stop: &'a Stop,
    /// Records a request and gives the answer to it.
    pub(crate) answer: &'a dyn Fn(Request) -> (Request, Answer),
}

impl Connection<'_> {
    /// Serves until the connection ends. An error comes from the client or from the server's stop; both end it.
    pub(crate) fn serve(self) -> io::Result<()> {
        self.socket.0.set_nodelay(true)?;
        let wire = match &self.tls {
            None => Wire::Plain(self.socket.clone()),
            Some(config) => {
                let session = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                Wire::Tls(Box::new(StreamOwned::new(session, self.socket.clone())))
            }
        };
        let mut incoming = Incoming::new(wire);
        let mut index = 0;
        while let Some(mut request) = incoming.head()? {
            (request.connection, request.index) = (self.number, index);
            request.tls = incoming.wire.handshake();
            let is_refused = self.expectations == Expectations::Refused && request.header("expect").is_some();
            let reads_body = self.reads_bodies && !is_refused;
            if reads_body {
                request.body = incoming.body(&request, self.expectations == Expectations::Met)?;
            }
            let (request, answer) = (self.answer)(request);
            if !self.send(&mut incoming.wire, answer.script(&request))? {
                break;
            }
            let end = answer.end_for(&request, reads_body);
            if let End::Tunnel(target) = end {
                return match incoming.wire {
                    Wire::Plain(socket) => relay(&socket, target, &incoming.unused),
                    Wire::Tls(stream) => relay_tls(*stream, target, &incoming.unused),
                };
            }
            if end != End::KeepAlive {
                return self.end(incoming.wire, end, answer.sends_close_notify());
            }
            index += 1;
        }
        Ok(())
    }

    /// False when the server stopped in between.
    fn send(&self, wire: &mut Wire, steps: Vec<Step>) -> io::Result<bool> {
        for step in steps {
            let go_on = match step {
                Step::Gate(gate) => gate.pass(self.stop),
                Step::Delay(delay) => Gate::delay(delay, self.stop),
                Step::Bytes(bytes) => {
                    wire.write_all(&bytes)?;
                    wire.flush()?;
                    true
                }
            };
            if !go_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn end(&self, mut wire: Wire, end: End, close_notify: bool) -> io::Result<()> {
        match end {
            End::KeepAlive | End::Tunnel(_) => {}
            End::Hold => {
                Gate::new().pass(self.stop);
            }
            End::Reset => rustix::net::sockopt::set_socket_linger(&*self.socket.0, Some(Duration::ZERO))?,
            End::Drop => say_goodbye(&mut wire, close_notify)?,
            End::Close => {
                say_goodbye(&mut wire, close_notify)?;
                self.socket.0.shutdown(Shutdown::Write)?;
                // Closing with unread bytes would turn the orderly end into a reset.
                io::copy(&mut self.socket.clone(), &mut io::sink())?;
            }
        }
        Ok(())
    }
}

/// Connects to `target`, sends `early`, and copies in both directions. The end of either side ends both directions, so
/// that the server's stop, which shuts down the client's side, also ends the upstream connection.
pub(crate) fn relay(client: &Socket, target: SocketAddr, early: &[u8]) -> io::Result<()> {
    let upstream = Socket(Arc::new(TcpStream::connect(target)?));
    upstream.clone().write_all(early)?;
    let copy = |mut from: Socket, mut to: Socket| {
        let outcome = io::copy(&mut from, &mut to);
        let _ = from.0.shutdown(Shutdown::Both);
        let _ = to.0.shutdown(Shutdown::Both);
        outcome
    };
    let (from_client, to_client, origin) = (client.clone(), client.clone(), upstream.clone());
    thread::scope(|scope| {
        scope.spawn(move || copy(origin, to_client));
        copy(from_client, upstream).map(drop)
    })
}

/// Like [`relay`], for a client that speaks TLS to this server. One thread does both directions, because both use the
/// same TLS session.
fn relay_tls(
    mut client: StreamOwned<ServerConnection, Socket>,
    target: SocketAddr,
    early: &[u8],
) -> io::Result<()> {
    let mut upstream = Socket(Arc::new(TcpStream::connect(target)?));
    upstream.write_all(early)?;
    let mut piece = vec![0; 16 << 10];
    loop {
        let is_buffered =
            client.conn.process_new_packets().map_err(io::Error::other)?.plaintext_bytes_to_read() > 0;
        let mut ends =
            [PollFd::new(&*client.sock.0, PollFlags::IN), PollFd::new(&*upstream.0, PollFlags::IN)];
        if !is_buffered {
            poll(&mut ends, None)?;
        }
        let [from_client, from_upstream] = ends.map(|end| !end.revents().is_empty());
        if is_buffered || from_client {
            match client.read(&mut piece)? {
                0 => return Ok(()),
                count => upstream.write_all(&piece[..count])?,
            }
        }
        if from_upstream {
            match upstream.read(&mut piece)? {
                0 => return Ok(()),
                count => client.write_all(&piece[..count]).and_then(|()| client.flush())?,
            }
        }
    }
}

fn say_goodbye(wire: &mut Wire, close_notify: bool) -> io::Result<()> {
    if let (Wire::Tls(stream), true) = (wire, close_notify) {
        stream.conn.send_close_notify();
        stream.flush()?;
    }
    Ok(())
}
