//! A SOCKS 5 proxy on the loopback interface that connects every client to one server.
//!
//! Owns: the proxy's side of the negotiation, the record of requested destinations.
//! Does not own: the server behind it, HTTP proxies (a [`crate::Server`] is one, by [`crate::Answer::tunnel`]).
//!
//! Source: RFC 1928 (SOCKS 5), 1929 (name and password).

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::connection::{Socket, relay};

/// A running proxy. Dropping it ends its connections and frees its port.
#[derive(Debug)]
pub struct Socks {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Arc<TcpListener>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    /// The name and password that it requires, if any.
    credentials: Option<(String, String)>,
    /// The reply code that it sends instead of connecting.
    refusal: Option<u8>,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    stopped: bool,
    asked: Vec<String>,
    sockets: Vec<Arc<TcpStream>>,
}

impl Socks {
    /// A proxy that connects every client to `target`, whatever it asks for.
    ///
    /// # Panics
    ///
    /// When no port is available.
    pub fn start(target: SocketAddr) -> Self {
        Self::with(target, None, None)
    }

    /// A proxy that demands a name and a password.
    pub fn with_credentials(target: SocketAddr, name: &str, password: &str) -> Self {
        Self::with(target, Some((name.to_owned(), password.to_owned())), None)
    }

    /// A proxy that replies `code` to every request.
    pub fn refusing(code: u8) -> Self {
        Self::with((Ipv4Addr::LOCALHOST, 0).into(), None, Some(code))
    }

    fn with(target: SocketAddr, credentials: Option<(String, String)>, refusal: Option<u8>) -> Self {
        let listener = Arc::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
        let shared = Arc::new(Shared { target, credentials, refusal, record: Mutex::default() });
        let address = listener.local_addr().expect("a bound socket has an address");
        let acceptor = thread::spawn({
            let (shared, listener) = (shared.clone(), listener.clone());
            move || thread::scope(|scope| shared.accept(&listener, scope))
        });
        Self { address, shared, listener, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The destinations requested so far, as host and port.
    pub fn asked(&self) -> Vec<String> {
        self.shared.record.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

impl Drop for Socks {
    fn drop(&mut self) {
        let mut record = self.shared.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.stopped = true;
        for socket in record.sockets.drain(..) {
            // Fails where the peer has already closed.
            let _ = socket.shutdown(Shutdown::Both);
        }
        drop(record);
        let _ = rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both);
        let _ = self.acceptor.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn accept<'scope>(&'scope self, listener: &TcpListener, scope: &'scope thread::Scope<'scope, '_>) {
        while let Ok((stream, _)) = listener.accept() {
            let stream = Arc::new(stream);
            let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            if record.stopped {
                return;
            }
            record.sockets.push(stream.clone());
            // Errors show in the client; here they only end the connection.
            scope.spawn(move || drop(self.serve(Socket(stream))));
        }
    }

    fn serve(&self, mut client: Socket) -> io::Result<()> {
        let [_version, method_count] = read(&mut client)?;
        let mut methods = vec![0; method_count.into()];
        client.read_exact(&mut methods)?;
        let method = if self.credentials.is_some() { 2 } else { 0 };
        if !methods.contains(&method) {
            return client.write_all(&[5, 0xff]);
        }
        client.write_all(&[5, method])?;
        if let Some((name, password)) = &self.credentials {
            let [_version] = read(&mut client)?;
            let is_known = (word(&mut client)?, word(&mut client)?) == (name.clone(), password.clone());
            client.write_all(&[1, u8::from(!is_known)])?;
            if !is_known {
                return Ok(());
            }
        }
        let asked = destination(&mut client)?;
        self.record.lock().unwrap_or_else(PoisonError::into_inner).asked.push(asked);
        let reply = [5, self.refusal.unwrap_or(0), 0, 1, 0, 0, 0, 0, 0, 0];
        client.write_all(&reply)?;
        if self.refusal.is_some() { Ok(()) } else { relay(&client, self.target, &[]) }
    }
}

fn destination(client: &mut Socket) -> io::Result<String> {
    let [_version, _command, _reserved, kind] = read(client)?;
    let host = match kind {
        1 => Ipv4Addr::from(read::<4>(client)?).to_string(),
        4 => format!("[{}]", std::net::Ipv6Addr::from(read::<16>(client)?)),
        _ => word(client)?,
    };
    Ok(format!("{host}:{}", u16::from_be_bytes(read(client)?)))
}

fn word(client: &mut Socket) -> io::Result<String> {
    let [len] = read(client)?;
    let mut word = vec![0; len.into()];
    client.read_exact(&mut word)?;
    Ok(String::from_utf8_lossy(&word).into_owned())
}

fn read<const N: usize>(client: &mut Socket) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes)?;
    Ok(bytes)
}
