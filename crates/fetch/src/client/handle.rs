//! The client: the ways to fetch without an engine.
//!
//! Owns: the workers behind the asynchronous ways, their end.
//! Does not own: transfers.

use std::io;
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

/// What is called with the result of a request.
pub type Callback = Box<dyn FnOnce(Result<Response, Error>) + Send>;

/// A client: connections and sessions shared by all its requests. Use one for a whole program, from any thread.
///
/// Dropping it ends the workers as [`Config::closing`] says; see [`Client::close`].
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

/// Who is told of a request's end.
enum Answer {
    Callback(Callback),
    Pending(Answering),
}

/// A request that was not submitted, and with [`Client::fetch_async`] what it would have called.
pub struct NotSubmitted<C = Callback> {
    /// Why not.
    pub reason: NoRoom,
    /// The request.
    pub request: Box<Request>,
    /// The callback.
    pub callback: C,
}

/// Why a request was not submitted.
#[derive(Debug)]
pub enum NoRoom {
    /// As many requests wait as [`Config::queue_max`] allows.
    Full,
    /// The system gives no threads.
    NoWorkers(io::Error),
}

impl<C> std::fmt::Debug for NotSubmitted<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NotSubmitted({:?}, {})", self.reason, self.request.url())
    }
}

impl Client {
    /// A client with these settings. Cost: no thread, no connection, no file until the first request.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn new(config: Config) -> io::Result<Self> {
        let (pool, starting) = (OnceLock::new(), Mutex::default());
        Ok(Self { shared: Arc::new(Shared::new(config)), cancel: Cancel::new()?, pool, starting })
    }

    /// Fetches into memory, on the calling thread.
    ///
    /// # Errors
    /// See [`Error`]; a status from 400 on is one, unless [`Config::fail_on_status`] is off.
    pub fn fetch(&self, request: Request) -> Result<Response, Error> {
        let io = Blocking::new(self.cancel.clone());
        run_ready(fetch_once(&io, &self.shared, &request, to_memory(&self.shared)))
    }

    /// Fetches into a new file, on the calling thread. The file appears when it is complete.
    ///
    /// # Errors
    /// As [`Client::fetch`], and [`Error::Exists`] where the name is taken.
    pub fn fetch_to_file(&self, request: Request, path: &Path) -> Result<Response, Error> {
        let io = Blocking::new(self.cancel.clone());
        let publish = Publish::new(path.to_owned());
        let sink = Sink::file(FileSink::new(publish, None));
        run_ready(fetch_once(&io, &self.shared, &request, sink))
    }

    /// Fetches on the calling thread until the head of the response is there; the body is read from what comes with it,
    /// as it arrives, on this thread or another. Where the client is closed meanwhile, it ends only with
    /// [`Closing::Cancel`].
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
    /// As [`Client::fetch`], but what goes wrong with the body is an error of its reader.
    pub fn stream(&self, request: Request) -> Result<(Response, BodyReader), Error> {
        reader::stream(self.shared.clone(), self.cancel.clone(), request)
    }

    /// Returns at once; a worker fetches into memory and calls `callback` with the result. What the callback captures
    /// travels with it. It is called exactly once, also when the client is closed meanwhile.
    ///
    /// # Errors
    /// [`NotSubmitted`] gives request and callback back.
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

    /// Returns at once; a worker fetches into memory. The result is waited for, looked at or awaited by what this
    /// returns; dropping that cancels the request.
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
    /// [`NotSubmitted`] gives the request back.
    pub fn submit(&self, request: Request) -> Result<Pending, NotSubmitted<()>> {
        let (pending, answering) = pending();
        match self.hand_in(Ticket { request, answer: Answer::Pending(answering) }) {
            Ok(()) => Ok(pending),
            Err((reason, request, _)) => Err(NotSubmitted { reason, request, callback: () }),
        }
    }

    /// Ends the client: wakes every sleeping worker, finishes or cancels what was submitted, joins the workers. Every
    /// callback has been called when this returns.
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
            // Bodies that are being read have no worker.
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
    let fetch = || run_ready(fetch_once(io, shared, &request, to_memory(shared)));
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
            NoRoom::Full => f.write_str("as many requests wait as may"),
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
