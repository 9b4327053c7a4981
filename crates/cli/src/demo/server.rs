//! The demo's server: answers every request with a file, after a fixed delay.
//!
//! Owns: its threads.
//! Does not own: HTTP beyond the requests of the demo's client.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The listen backlog.
const CONNECTIONS_WAITING_MAX: i32 = 4_096;

/// The pause after a connection that couldn't be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(5);

/// A server on a free loopback port; stopped when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    bodies: Vec<Vec<u8>>,
    delay: Duration,
    stopping: AtomicBool,
    /// The connections, which are shut down at the end.
    connections: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

impl Server {
    /// Starts a server that answers `/N` with `bodies[N]` after `delay`. Without threads for its connections, it
    /// answers one request after the other.
    ///
    /// # Errors
    /// If the system refuses the socket or the first thread.
    pub(crate) fn start(bodies: Vec<Vec<u8>>, delay: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        // A backlog for thousands of simultaneous connections: the client retries a refused one only after a second.
        rustix::net::listen(&listener, CONNECTIONS_WAITING_MAX)?;
        let address = listener.local_addr()?;
        let (stopping, connections) = (AtomicBool::new(false), Mutex::default());
        let shared = Arc::new(Shared { bodies, delay, stopping, connections });
        let accepting = shared.clone();
        let acceptor = std::thread::Builder::new().spawn(move || accept(&listener, &accepting))?;
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// The URL of file `index`.
    pub(crate) fn url(&self, index: usize) -> String {
        format!("http://{}/{index}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let connections = std::mem::take(&mut *self.shared.lock_connections());
        for (stream, thread) in connections {
            let _ = stream.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock_connections(&self) -> std::sync::MutexGuard<'_, Vec<(TcpStream, JoinHandle<()>)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else {
            // No descriptor is free; connections that end will free some.
            std::thread::sleep(ACCEPT_PAUSE);
            continue;
        };
        let (Ok(clone), Ok(kept)) = (stream.try_clone(), stream.try_clone()) else { continue };
        let serving = shared.clone();
        // The client reports a broken connection.
        match std::thread::Builder::new().spawn(move || drop(serve(stream, &serving, Keeping::Open))) {
            Ok(thread) => shared.lock_connections().push((clone, thread)),
            Err(_) => drop(serve(kept, shared, Keeping::OneRequest)),
        }
    }
}

/// What happens to a connection after a response.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeping {
    Open,
    /// It is closed, so that the thread can serve another one.
    OneRequest,
}

fn serve(stream: TcpStream, shared: &Shared, keeping: Keeping) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut request_line = String::new();
        if reader.read_line(&mut request_line)? == 0 {
            return Ok(());
        }
        let mut field = String::new();
        while reader.read_line(&mut field)? > 2 {
            field.clear();
        }
        let path = request_line.split(' ').nth(1).unwrap_or_default();
        let body =
            path.trim_start_matches('/').parse().ok().and_then(|index: usize| shared.bodies.get(index));
        // The delay stands for the latency of a remote server.
        std::thread::sleep(shared.delay);
        let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
        let body = body.map_or(&[][..], Vec::as_slice);
        let close = if keeping == Keeping::OneRequest { "Connection: close\r\n" } else { "" };
        let mut response =
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{close}\r\n", body.len()).into_bytes();
        response.extend_from_slice(body);
        writer.write_all(&response)?;
        if keeping == Keeping::OneRequest {
            return Ok(());
        }
    }
}
