//! The client: the ways to fetch without an engine.
//!
//! Owns: the workers behind the asynchronous ways, their end.
//! Does not own: transfers.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use haul_engine::{Closing, ThreadPool};
use haul_io::{Blocking, Cancel, Publish, run_ready};
use haul_queue::{Ring, TryPush};

use crate::file_sink::FileSink;
use crate::pending::{Answering, Pending, pending};
use crate::sink::Sink;
use crate::transfer::Shared;
use crate::{BodyReader, Config, Error, Request, Response, reader};

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
        run_ready(self.shared.transfer(&io, &request, self.shared.to_memory()))
    }

    /// Fetches into a new file, on the calling thread. The file appears when it is complete.
    ///
    /// # Errors
    /// As [`Client::fetch`], and [`Error::Exists`] where the name is taken.
    pub fn fetch_to_file(&self, request: Request, path: &Path) -> Result<Response, Error> {
        let io = Blocking::new(self.cancel.clone());
        let publish = Publish::new(path.to_owned());
        let sink = Sink::file(FileSink::new(publish, None));
        run_ready(self.shared.transfer(&io, &request, sink))
    }

    /// Fetches on the calling thread until the head of the response is there; the body is read from what comes with it, as it
    /// arrives, on this thread or another. Where the client is closed meanwhile, it ends only with [`Closing::Cancel`].
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
            let Answer::Callback(callback) = answer else { unreachable!("what comes back is what went in") };
            NotSubmitted { reason, request, callback }
        })
    }

    /// Returns at once; a worker fetches into memory. The result is waited for, looked at or awaited by what this returns;
    /// dropping that cancels the request.
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

    /// Fetches many requests into memory, on the workers, and gives the results in the order of their completion, each
    /// with the number of its request. At most twice as many as there are workers are taken ahead.
    pub fn fetch_each<R: IntoIterator<Item = Request>>(&self, requests: R) -> Each<'_, R::IntoIter> {
        let window = 2 * self.shared.config.workers.max(1);
        let results = Arc::new(Ring::with_capacity(window));
        let requests = requests.into_iter().enumerate();
        Each { client: self, requests, under_way: 0, window, results, failed: VecDeque::new() }
    }

    /// Ends the client: wakes every sleeping worker, finishes or cancels what was submitted, joins the workers. Every
    /// callback has been called when this returns.
    pub fn close(mut self, closing: Closing) {
        self.end(closing);
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
            let serve = move |io: &Blocking, ticket: Ticket| shared.serve(io, ticket);
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

impl Shared {
    fn serve(&self, io: &Blocking, Ticket { request, answer }: Ticket) {
        let fetch = || run_ready(self.transfer(io, &request, self.to_memory()));
        match answer {
            Answer::Callback(callback) => callback(fetch()),
            Answer::Pending(answering) if answering.begin(io.cancel()) => answering.answer(fetch()),
            Answer::Pending(_) => {}
        }
    }

    fn to_memory(&self) -> Sink {
        Sink::memory(self.config.memory_body_bytes_max)
    }
}

/// Results in the order of their completion: see [`Client::fetch_each`].
pub struct Each<'a, R: Iterator<Item = Request>> {
    client: &'a Client,
    requests: std::iter::Enumerate<R>,
    under_way: usize,
    window: usize,
    results: Arc<Ring<(usize, Result<Response, Error>)>>,
    /// Requests that could not be submitted, and that were fetched right here instead.
    failed: VecDeque<(usize, Result<Response, Error>)>,
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

impl<R: Iterator<Item = Request>> Each<'_, R> {
    fn submit(&mut self, number: usize, request: Request) {
        let results = self.results.clone();
        let submitted = self.client.fetch_async(request, move |result| {
            // The iterator was dropped early if there is nobody to tell.
            let _ = results.push((number, result));
        });
        match submitted {
            Ok(()) => self.under_way += 1,
            Err(refused) => self.failed.push_back((number, self.client.fetch(*refused.request))),
        }
    }
}

impl<R: Iterator<Item = Request>> Iterator for Each<'_, R> {
    type Item = (usize, Result<Response, Error>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.under_way < self.window && self.failed.is_empty() {
            let Some((number, request)) = self.requests.next() else { break };
            self.submit(number, request);
        }
        if let Some(result) = self.failed.pop_front() {
            return Some(result);
        }
        if self.under_way == 0 {
            return None;
        }
        self.under_way -= 1;
        self.results.pop()
    }
}

impl<R: Iterator<Item = Request>> Drop for Each<'_, R> {
    fn drop(&mut self) {
        self.results.close();
    }
}
