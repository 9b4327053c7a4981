//! The client: fetching without an engine.
//!
//! Owns: the worker threads of asynchronous requests, closing.
//! Does not own: transfers ([`crate::transfer`]).

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use haul_engine::{Closing, ThreadPool};
use haul_io::{Blocking, Cancel, Publish, run_ready};
use haul_queue::TryPush;

use crate::body::file_sink::FileSink;
use crate::body::sink::Sink;
use crate::client::once::fetch_once;
use crate::client::pending::{Answering, Pending, pending};
use crate::client::reader;
use crate::transfer::shared::Shared;
use crate::{BodyReader, Config, Error, Request, Response};

/// A function that is called with the result of a request.
pub type Callback = Box<dyn FnOnce(Result<Response, Error>) + Send>;

/// A client: connections and settings shared by all its requests. Use one for a whole program, from any thread.
///
/// Dropping it closes it as [`Config::closing`] says; see [`Client::close`].
pub struct Client {
    shared: Arc<Shared>,
    cancel: Cancel,
    /// Started by the first asynchronous request.
    pool: OnceLock<ThreadPool<Ticket>>,
    starting: Mutex<()>,
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
pub enum NoRoom {
    /// [`Config::queue_max`] requests are waiting already.
    Full,
    /// The system can't start threads.
    NoWorkers(io::Error),
}

impl<C> std::fmt::Debug for NotSubmitted<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NotSubmitted({:?}, {})", self.reason, self.request.url())
    }
}

impl Client {
    /// A client with these settings. Cost: one file descriptor; no thread and no connection until the first request.
    ///
    /// # Errors
    /// If the process has no file descriptor left.
    pub fn new(config: Config) -> io::Result<Self> {
        let (pool, starting) = (OnceLock::new(), Mutex::default());
        Ok(Self { shared: Arc::new(Shared::new(config)), cancel: Cancel::new()?, pool, starting })
    }

    /// Fetches into memory, on the calling thread.
    ///
    /// # Errors
    /// See [`Error`]; a status of 400 or above is one, unless [`Config::fail_on_status`] is off.
    pub fn fetch(&self, request: Request) -> Result<Response, Error> {
        let io = Blocking::new(self.cancel.clone());
        run_ready(fetch_once(&io, &self.shared, &request, to_memory(&self.shared)))
    }

    /// Fetches into a new file, on the calling thread. The file is published when it is complete.
    ///
    /// # Errors
    /// As [`Client::fetch`], and [`Error::Exists`] if the name is taken.
    pub fn fetch_to_file(&self, request: Request, path: &Path) -> Result<Response, Error> {
        let io = Blocking::new(self.cancel.clone());
        let publish = Publish::new(path.to_owned());
        let sink = Sink::file(FileSink::new(publish, None));
        run_ready(fetch_once(&io, &self.shared, &request, sink))
    }

    /// Fetches on the calling thread until the head of the response has arrived, and returns a reader for the body, to
    /// be used on this thread or another. Closing the client ends the body only with [`Closing::Cancel`].
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = haul_fetch::Client::new(haul_fetch::Config::default())?;
    /// let (response, mut body) = client.stream(haul_fetch::Request::get("https://example.org/")?)?;
    /// println!("{}", response.status);
    /// std::io::copy(&mut body, &mut std::io::sink())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::fetch`]; errors of the body are returned by its reader.
    pub fn stream(&self, request: Request) -> Result<(Response, BodyReader), Error> {
        reader::stream(self.shared.clone(), self.cancel.clone(), request)
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
    /// let pending = client.submit(haul_fetch::Request::get("https://example.org/")?)?;
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

    /// Closes the client: wakes all sleeping workers, finishes or cancels the submitted requests, joins the workers.
    /// Every callback has been called when this returns.
    pub fn close(mut self, closing: Closing) {
        self.end(closing);
    }

    /// The number of worker threads.
    pub(super) fn worker_count(&self) -> usize {
        self.shared.config.workers.max(1)
    }

    fn hand_in(&self, ticket: Ticket) -> Result<(), (NoRoom, Box<Request>, Answer)> {
        let (reason, Ticket { request, answer }) = match self.pool() {
            Err(error) => (NoRoom::NoWorkers(error), ticket),
            Ok(pool) => match pool.try_submit(ticket) {
                Ok(()) => return Ok(()),
                Err(TryPush::Full(ticket) | TryPush::Closed(ticket)) => (NoRoom::Full, ticket),
            },
        };
        Err((reason, Box::new(request), answer))
    }

    fn pool(&self) -> io::Result<&ThreadPool<Ticket>> {
        if let Some(pool) = self.pool.get() {
            return Ok(pool);
        }
        let _one_at_a_time = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.pool.get().is_none() {
            let shared = self.shared.clone();
            let Config { workers, queue_max, .. } = shared.config;
            let serve = move |io: &Blocking, ticket: Ticket| serve(&shared, io, ticket);
            let pool = ThreadPool::start(workers.max(1), queue_max.max(1), self.cancel.clone(), serve)?;
            let _ = self.pool.set(pool);
        }
        Ok(self.pool.get().expect("set above"))
    }

    fn end(&mut self, closing: Closing) {
        if closing == Closing::Cancel {
            // Bodies that are being read have no worker, so that the pool can't cancel them.
            self.cancel.trigger();
        }
        if let Some(pool) = self.pool.take() {
            pool.close(closing);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end(self.shared.config.closing);
    }
}

fn serve(shared: &Shared, io: &Blocking, Ticket { request, answer }: Ticket) {
    // The reader of the request's body is the caller's code, and so are observers, formats and logins.
    let fetch = || {
        let fetch = || run_ready(fetch_once(io, shared, &request, to_memory(shared)));
        catch_unwind(AssertUnwindSafe(fetch)).unwrap_or(Err(Error::WorkerPanicked))
    };
    match answer {
        Answer::Callback(callback) => callback(fetch()),
        Answer::Pending(answering) if answering.begin(io.cancel()) => answering.answer(fetch()),
        Answer::Pending(_) => {}
    }
}

fn to_memory(shared: &Shared) -> Sink {
    Sink::memory(shared.config.memory_body_bytes_max)
}

impl<C> std::fmt::Display for NotSubmitted<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.reason {
            NoRoom::Full => f.write_str("the request queue is full"),
            NoRoom::NoWorkers(error) => write!(f, "cannot start workers: {}", haul_io::reason(error)),
        }
    }
}

impl<C> std::error::Error for NotSubmitted<C> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            NoRoom::Full => None,
            NoRoom::NoWorkers(error) => Some(error),
        }
    }
}
