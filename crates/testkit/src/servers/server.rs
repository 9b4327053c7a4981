//! A scripted HTTP/1.1 server on the loopback interface, on threads.
//!
//! Owns: the listener, its threads and their end, the record of the requests.
//! Does not own: what is answered (see [`crate::Answer`]), certificates (see [`crate::Tls`]).

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle, Scope};

use rustls::ServerConfig;

use super::answer::Answer;
use super::connection::{Connection, Expectations, Socket};
use super::gate::{PATIENCE, Stop};
use super::request::Request;
use super::tls::Tls;

/// Large enough for rustls and a handler, small enough for thousands of connections.
const STACK_BYTES: usize = 512 << 10;

/// A running server. Dropping it ends every connection, joins every thread and frees the port.
///
/// ```
/// use haul_testkit::{Answer, Server};
///
/// let server = Server::start(|request| match request.path() {
///     "/hello" => Answer::ok("world"),
///     _ => Answer::new(404),
/// });
/// assert!(server.url("/hello").starts_with("http://127.0.0.1:"));
/// ```
///
/// # Panics
///
/// Dropping panics when the handler panicked, so that assertions in a handler fail the test.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Arc<TcpListener>,
    acceptor: Option<JoinHandle<()>>,
}

/// A server that hasn't started.
#[derive(Debug, Default)]
pub struct ServerBuilder {
    tls: Option<Tls>,
    leaves_bodies: bool,
    expectations: Expectations,
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    tls: Option<(Tls, Arc<ServerConfig>)>,
    reads_bodies: bool,
    expectations: Expectations,
    stop: Stop,
    record: Mutex<Record>,
    recorded: Condvar,
}

#[derive(Debug, Default)]
struct Record {
    requests: Vec<Request>,
    /// One for each connection accepted so far, in order.
    sockets: Vec<Weak<TcpStream>>,
    ended_count: usize,
}

impl Server {
    /// Starts a plain server that answers each request as `handler` says.
    ///
    /// # Panics
    ///
    /// When no port or thread is available; the same holds for [`ServerBuilder::start`].
    pub fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::builder().start(handler)
    }

    /// Configures a server, for TLS and other options.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An absolute URL here; `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// The certificate of the test authority, as PEM, whether or not it signed this server's certificate.
    ///
    /// # Panics
    ///
    /// When this server doesn't use TLS.
    #[track_caller]
    pub fn ca_pem(&self) -> &str {
        let (tls, _) = self.shared.tls.as_ref().expect("a server with TLS");
        tls.ca_pem()
    }

    /// All requests so far, in the order in which they were completely received.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.record().requests.clone()
    }

    /// Connections accepted so far, open or not.
    pub fn connection_count(&self) -> usize {
        self.shared.record().sockets.len()
    }

    /// Blocks until `count` requests have arrived in all, and returns them.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    #[track_caller]
    pub fn wait_requests(&self, count: usize) -> Vec<Request> {
        self.shared.wait("requests", count, |record| record.requests.len());
        self.requests()
    }

    /// Blocks until `count` connections have ended in all.
    ///
    /// # Panics
    ///
    /// After 30 seconds.
    #[track_caller]
    pub fn wait_ended(&self, count: usize) {
        self.shared.wait("ended connections", count, |record| record.ended_count);
    }
}

impl ServerBuilder {
    /// Enables TLS.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Answers as soon as the head has arrived, leaves the body unread, and closes after the answer.
    pub fn leave_bodies(mut self) -> Self {
        self.leaves_bodies = true;
        self
    }

    /// How it treats `Expect: 100-continue`. Defaults to [`Expectations::Met`].
    pub fn expectations(mut self, expectations: Expectations) -> Self {
        self.expectations = expectations;
        self
    }

    /// Listens on a free port and answers each request as `handler` says.
    ///
    /// The handler must not block on anything that outlives the server; use a [`crate::Gate`] to wait.
    pub fn start(self, handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
        let listener = Arc::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            tls: self.tls.map(|tls| {
                let config = tls.config();
                (tls, config)
            }),
            reads_bodies: !self.leaves_bodies,
            expectations: self.expectations,
            stop: Stop::default(),
            record: Mutex::default(),
            recorded: Condvar::new(),
        });
        let address = listener.local_addr().expect("a bound socket has an address");
        let acceptor = thread::spawn({
            let (shared, listener) = (shared.clone(), listener.clone());
            move || thread::scope(|scope| shared.accept(&listener, scope))
        });
        Server { address, shared, listener, acceptor: Some(acceptor) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.raise();
        // Makes `accept` return, now and later; a failure means that the socket no longer listens.
        let _ = rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both);
        self.shared.cut_all();
        let ended = self.acceptor.take().map_or(Ok(()), JoinHandle::join);
        if ended.is_err() && !thread::panicking() {
            panic!("the handler of a scripted server panicked");
        }
    }
}

impl Shared {
    fn accept<'scope>(&'scope self, listener: &TcpListener, scope: &'scope Scope<'scope, '_>) {
        while !self.stop.is_raised() {
            let Ok((stream, _)) = listener.accept() else {
                // Interrupted, out of descriptors for a moment, or shut down; the loop's condition decides.
                thread::yield_now();
                continue;
            };
            let stream = Arc::new(stream);
            let number = self.register(&stream);
            let serve = move || self.serve(number, stream);
            let name = format!("connection {number}");
            let builder = thread::Builder::new().name(name).stack_size(STACK_BYTES);
            builder.spawn_scoped(scope, serve).expect("a thread for a connection");
        }
    }

    fn serve(&self, number: usize, stream: Arc<TcpStream>) {
        let _ended = Ended(self);
        if self.stop.is_raised() {
            return;
        }
        let connection = Connection {
            number,
            socket: Socket(stream),
            tls: self.tls.as_ref().map(|(_, config)| config.clone()),
            reads_bodies: self.reads_bodies,
            expectations: self.expectations,
            stop: &self.stop,
            answer: &|request| self.answer(request),
        };
        // Errors show in the record and in the client; here they only end the connection.
        let _ = connection.serve();
    }

    fn answer(&self, request: Request) -> (Request, Answer) {
        self.record().requests.push(request.clone());
        self.recorded.notify_all();
        let answer = (self.handler)(&request);
        (request, answer)
    }

    fn register(&self, stream: &Arc<TcpStream>) -> usize {
        let mut record = self.record();
        record.sockets.push(Arc::downgrade(stream));
        record.sockets.len() - 1
    }

    /// Wakes every thread that reads or writes. A connection that is registered later checks the stop itself.
    fn cut_all(&self) {
        for socket in self.record().sockets.iter().filter_map(Weak::upgrade) {
            // Fails where the peer has already closed.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[track_caller]
    fn wait(&self, what: &str, count: usize, have: impl Fn(&Record) -> usize) {
        let record = self.record();
        let waited = self.recorded.wait_timeout_while(record, PATIENCE, |record| have(record) < count);
        let (record, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "waited for {count} {what}, saw {}", have(&record));
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("record", &self.record).finish_non_exhaustive()
    }
}

/// Counts the end of a connection, however it ends.
struct Ended<'a>(&'a Shared);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.record().ended_count += 1;
        self.0.recorded.notify_all();
    }
}
