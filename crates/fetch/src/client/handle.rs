//! The client: fetching without an engine.
//!
//! Owns: the ways to ask, closing.
//! Does not own: transfers ([`crate::transfer`]), the worker threads ([`crate::client::workers`]).

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use haul_engine::Closing;
use haul_io::{Blocking, Cancel, Preserve, Publish};

use crate::body::file_sink::FileSink;
use crate::body::sink::Sink;
use crate::client::once::fetch;
use crate::client::pending::{Answering, Pending, pending};
use crate::client::reader::{self, from_io};
use crate::client::workers::{Refused, WorkerLimits, Workers};
use crate::transfer::shared::Shared;
use crate::{BodyReader, Config, Error, Request, Response};

/// How long an idle worker waits for a request before it ends.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a body that are passed on at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// A function that is called with the result of a request.
pub type Callback = Box<dyn FnOnce(Result<Response, Error>) + Send>;

/// A client: connections and settings shared by all its requests. Use one for a whole program, from any thread.
///
/// Cloning it is cheap, and the clones are the same client. When the last one is dropped, the submitted requests are
/// finished or cancelled as [`Config::closing`] says, while the program goes on: dropping doesn't wait.
/// [`Client::close`] does.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    cancel: Cancel,
    workers: Workers<Ticket>,
    /// The permission bits of new files.
    new_file_mode: Option<u32>,
}

struct Ticket {
    request: Request,
    answer: Answer,
}

/// Where the result of a request goes.
enum Answer {
    Callback(Callback),
    Pending(Answering),
}

/// A request that was not submitted, and its callback if it came from [`Client::fetch_async`].
pub struct NotSubmitted<C = Callback> {
    /// Why it was not submitted.
    pub reason: NoRoom,
    /// The request.
    pub request: Box<Request>,
    /// The callback.
    pub callback: C,
}

/// Why a request was not submitted.
#[derive(Debug)]
#[non_exhaustive]
pub enum NoRoom {
    /// [`Config::queue_max`] requests are waiting already; [`Client::ready`] waits until fewer are.
    Full,
    /// The client was closed, through one of its clones.
    Closed,
    /// The system can't start threads.
    NoWorkers(io::Error),
}

/// Waits for room in the queue: see [`Client::ready`].
#[must_use = "it waits only when awaited"]
pub struct Ready<'a>(&'a Client);

impl Client {
    /// A client with these settings. Cost: one file descriptor; no thread and no connection until the first request.
    ///
    /// # Errors
    /// If the process has no file descriptor left.
    pub fn new(config: Config) -> io::Result<Self> {
        let (cancel, shared) = (Cancel::new()?, Arc::new(Shared::new(config)));
        let limits = WorkerLimits {
            threads_max: shared.config.workers.max(1),
            queue_max: shared.config.queue_max.max(1),
            idle_timeout: IDLE_TIMEOUT,
        };
        let served = shared.clone();
        let workers =
            Workers::new(limits, cancel.clone(), move |io, ticket: Ticket| serve(&served, io, ticket));
        Ok(Self(Arc::new(Inner { shared, cancel, workers, new_file_mode: new_file_mode() })))
    }

    /// Fetches into memory, on the calling thread. A single attempt, unless [`Request::retries`] allows more.
    ///
    /// # Errors
    /// See [`Error`]; a status of 400 or above is one, unless [`Request::any_status`] or [`Config::fail_on_status`] say
    /// otherwise.
    pub fn fetch(&self, request: Request) -> Result<Response, Error> {
        let shared = &self.0.shared;
        fetch(&self.blocking(), shared, &request, || to_memory(shared))
    }

    /// As [`Client::fetch`], and tries again after transient failures, [`Config::retries`] times at most. The calling
    /// thread sleeps before each retry: longer each time, and as long as the server asks for.
    ///
    /// Only requests that may be sent twice are: those of idempotent methods, others only if they weren't sent.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = haul_fetch::Client::new(haul_fetch::Config::default())?;
    /// let response = client.fetch_retrying(haul_fetch::Request::get("https://example.org/"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The error of the last attempt, as [`Client::fetch`].
    pub fn fetch_retrying(&self, request: Request) -> Result<Response, Error> {
        let retries = self.0.shared.config.retries;
        self.fetch(request.retries_or(retries))
    }

    /// Fetches into a new file, on the calling thread. The file is published when it is complete. Its
    /// permission bits are those of any new file, by the umask when the client was made.
    ///
    /// # Errors
    /// As [`Client::fetch`], and [`Error::Exists`] if the name is taken.
    pub fn fetch_to_file(&self, request: Request, path: &Path) -> Result<Response, Error> {
        let preserve = Preserve { mode: self.new_file_mode(), ..Preserve::default() };
        let publish = Publish { preserve, ..Publish::new(path.to_owned()) };
        let sink = || Sink::file(FileSink::new(publish.clone(), None));
        fetch(&self.blocking(), &self.0.shared, &request, sink)
    }

    /// Fetches into `receiver`, on the calling thread, piece by piece. `receiver` isn't flushed. A single attempt. When
    /// this returns an error, `receiver` may have got the beginning of a body, which must not be relied on.
    ///
    /// # Errors
    /// As [`Client::fetch`], and [`Error::Write`] if `receiver` fails.
    pub fn fetch_into<W: Write + ?Sized>(
        &self,
        request: Request,
        receiver: &mut W,
    ) -> Result<Response, Error> {
        let (mut response, mut body) = self.stream(request)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match body.read(&mut piece).map_err(from_io)? {
                0 => return Ok(response),
                count => {
                    receiver.write_all(&piece[..count]).map_err(Error::Write)?;
                    response.body_bytes += count as u64;
                }
            }
        }
    }

    /// Fetches on the calling thread until the head of the response has arrived, and returns a reader for the body, to
    /// be used on this thread or another. Closing the client ends the body only with [`Closing::Cancel`].
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = haul_fetch::Client::new(haul_fetch::Config::default())?;
    /// let (response, mut body) = client.stream(haul_fetch::Request::get("https://example.org/"))?;
    /// println!("{}", response.status);
    /// std::io::copy(&mut body, &mut std::io::sink())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::fetch`]; errors of the body are returned by its reader.
    pub fn stream(&self, request: Request) -> Result<(Response, BodyReader), Error> {
        reader::stream(self.0.shared.clone(), self.0.cancel.clone(), request)
    }

    /// Fetches into memory on a worker, which calls `callback` with the result. Returns at once. The callback is called
    /// exactly once, even if the client is closed before or code on the worker panics ([`Error::WorkerPanicked`]).
    ///
    /// # Errors
    /// [`NotSubmitted`] returns the request and the callback.
    pub fn fetch_async(
        &self,
        request: Request,
        callback: impl FnOnce(Result<Response, Error>) + Send + 'static,
    ) -> Result<(), NotSubmitted> {
        let answer = Answer::Callback(Box::new(callback));
        self.hand_in(Ticket { request, answer }).map_err(|(reason, request, answer)| {
            let callback = match answer {
                Answer::Callback(callback) => callback,
                Answer::Pending(answering) => Box::new(move |result| answering.answer(result)),
            };
            NotSubmitted { reason, request, callback }
        })
    }

    /// Fetches into memory on a worker. Returns at once, with a handle to wait for the result, to poll it or to await
    /// it; dropping the handle cancels the request.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = haul_fetch::Client::new(haul_fetch::Config::default())?;
    /// let pending = client.submit(haul_fetch::Request::get("https://example.org/"))?;
    /// println!("meanwhile");
    /// println!("{} bytes", pending.wait()?.body.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`NotSubmitted`] returns the request.
    pub fn submit(&self, request: Request) -> Result<Pending, NotSubmitted<()>> {
        let (pending, answering) = pending();
        match self.hand_in(Ticket { request, answer: Answer::Pending(answering) }) {
            Ok(()) => Ok(pending),
            Err((reason, request, _)) => Err(NotSubmitted { reason, request, callback: () }),
        }
    }

    /// Waits for room in the queue of requests, in any async runtime. Another thread may fill it before this one
    /// submits.
    ///
    /// ```no_run
    /// # async fn f(client: haul_fetch::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// client.ready().await;
    /// let response = client.submit(haul_fetch::Request::get("https://example.org/"))?.await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ready(&self) -> Ready<'_> {
        Ready(self)
    }

    /// Closes the client and all its clones: finishes or cancels the submitted requests and joins the workers. Every
    /// callback has been called when this returns, which may take as long as the slowest request with
    /// [`Closing::Finish`]. Requests that are submitted later are refused; with [`Closing::Cancel`], all are cancelled.
    pub fn close(self, closing: Closing) {
        if closing == Closing::Cancel {
            // Bodies that are being read have no worker, so that closing the workers can't cancel them.
            self.0.cancel.trigger();
        }
        self.0.workers.close(closing);
    }

    /// The most worker threads that there can be.
    pub(super) fn worker_count(&self) -> usize {
        self.0.shared.config.workers.max(1)
    }

    /// What the client shares with others that use its connections.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Triggered when the client is closed with [`Closing::Cancel`].
    pub(crate) fn cancel(&self) -> &Cancel {
        &self.0.cancel
    }

    /// The permission bits of new files: what the umask allowed when the client was made.
    pub(crate) fn new_file_mode(&self) -> Option<u32> {
        self.0.new_file_mode
    }

    fn blocking(&self) -> Blocking {
        Blocking::new(self.0.cancel.clone())
    }

    fn hand_in(&self, ticket: Ticket) -> Result<(), (NoRoom, Box<Request>, Answer)> {
        self.0.workers.submit(ticket).map_err(|(refused, Ticket { request, answer })| {
            let reason = match refused {
                Refused::Full => NoRoom::Full,
                Refused::Closed => NoRoom::Closed,
                Refused::NoThread(error) => NoRoom::NoWorkers(error),
            };
            (reason, Box::new(request), answer)
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Readers of bodies have clones of the switch, and go on unless it is triggered.
        self.workers.end(self.shared.config.closing);
    }
}

impl Future for Ready<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0.0.workers.poll_ready(context.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }
}

fn serve(shared: &Shared, io: &Blocking, Ticket { request, answer }: Ticket) {
    // The reader of the request's body is the caller's code, and so are observers, formats and logins.
    let fetch = || {
        let fetch = || fetch(io, shared, &request, || to_memory(shared));
        catch_unwind(AssertUnwindSafe(fetch)).unwrap_or(Err(Error::WorkerPanicked))
    };
    match answer {
        Answer::Callback(callback) => callback(fetch()),
        Answer::Pending(answering) if answering.begin(io.cancel()) => answering.answer(fetch()),
        Answer::Pending(_) => {}
    }
}

/// 0666 less the umask, which can't be read without the proc file system; files are private then.
fn new_file_mode() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    Some(0o666 & !u32::from_str_radix(umask.trim(), 8).ok()?)
}

fn to_memory(shared: &Shared) -> Sink {
    Sink::memory(shared.config.memory_body_bytes_max)
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl<C> std::fmt::Debug for NotSubmitted<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NotSubmitted({:?}, {})", self.reason, self.request.url())
    }
}

impl<C> std::fmt::Display for NotSubmitted<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.reason {
            NoRoom::Full => f.write_str("the request queue is full"),
            NoRoom::Closed => f.write_str("the client is closed"),
            NoRoom::NoWorkers(error) => write!(f, "cannot start workers: {}", haul_io::reason(error)),
        }
    }
}

impl<C> std::error::Error for NotSubmitted<C> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            NoRoom::Full | NoRoom::Closed => None,
            NoRoom::NoWorkers(error) => Some(error),
        }
    }
}
