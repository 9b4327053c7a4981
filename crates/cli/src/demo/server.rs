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
    /// Starts a server that answers `/N` with `bodies[N]` after `delay`.
    pub(crate) fn start(bodies: Vec<Vec<u8>>, delay: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        // A backlog for thousands of simultaneous connections: the client retries a refused one only after a second.
        rustix::net::listen(&listener, CONNECTIONS_WAITING_MAX)?;
        let address = listener.local_addr()?;
        let (stopping, connections) = (AtomicBool::new(false), Mutex::default());
        let shared = Arc::new(Shared { bodies, delay, stopping, connections });
        let acceptor = std::thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        });
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
        let Ok(stream) = stream else { continue };
        let Ok(clone) = stream.try_clone() else { continue };
        let thread = std::thread::spawn({
            let shared = shared.clone();
            // The client reports a broken connection.
            move || drop(serve(stream, &shared))
        });
        shared.lock_connections().push((clone, thread));
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
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
        let mut response = match body {
            Some(body) => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes(),
            None => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
        };
        response.extend_from_slice(body.map_or(&[], Vec::as_slice));
        writer.write_all(&response)?;
    }
}
