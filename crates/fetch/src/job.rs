//! Fetching as a job, for whole lists through an engine.
//!
//! Owns: what a task of a list is and comes to.
//! Does not own: lists, names of results.

use std::convert::Infallible;
use std::path::PathBuf;

use haul_engine::{Job, Step};
use haul_io::{Existing, File, Io, Publish};

use crate::sink::Sink;
use crate::transfer::Shared;
use crate::{Config, Error, Request, Response};

/// Fetches each task's URL into its place.
pub struct FetchJob {
    shared: Shared,
}

/// One URL to fetch.
pub struct FetchTask {
    /// What to ask; or why it can't be asked, which fails the task with [`Error::Url`].
    pub request: Result<Request, String>,
    /// What the task is called in messages: the URL as it was written.
    pub label: String,
    /// Where the body goes.
    pub place: Place,
}

/// Where a body goes.
#[derive(Clone, Debug)]
pub enum Place {
    /// To a file that appears when it is complete.
    File(Publish),
    /// To this stream, as it arrives.
    Stream(File),
    /// Nowhere; it is counted.
    Discard,
}

/// What came of a task.
#[derive(Debug)]
pub struct Fetched {
    /// The response, its body empty.
    pub response: Response,
    /// The file that was made, if one was.
    pub path: Option<PathBuf>,
}

impl FetchTask {
    /// Fetch `url` into `place`. A malformed URL is a task that fails.
    pub fn new(url: &str, place: Place) -> Self {
        Self { request: Request::get(url).map_err(|error| error.to_string()), label: url.to_owned(), place }
    }
}

impl FetchJob {
    /// A job whose tasks share connections and settings.
    pub fn new(config: Config) -> Self {
        Self { shared: Shared::new(config) }
    }
}

impl Job for FetchJob {
    type Task = FetchTask;
    /// Transfers aren't split.
    type State = Infallible;
    type Output = Fetched;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &FetchTask) -> Result<Step<Infallible, Fetched>, Error> {
        let request = task.request.as_ref().map_err(|reason| Error::Url { reason: reason.clone() })?;
        let (sink, path) = match &task.place {
            Place::File(publish) => {
                check_free(io, publish).await?;
                (Sink::file(publish.clone()), Some(publish.path.clone()))
            }
            Place::Stream(file) => (Sink::Stream(file.clone()), None),
            Place::Discard => (Sink::discard(u64::MAX), None),
        };
        let response = self.shared.transfer(io, request, sink).await?;
        Ok(Step::Done(Fetched { response, path }))
    }

    async fn part<I: Io>(&self, _: &I, _: &FetchTask, state: &Infallible, _: u64) -> Result<(), Error> {
        match *state {}
    }

    async fn finish<I: Io>(
        &self,
        _: &I,
        _: &FetchTask,
        state: &Infallible,
        _: bool,
    ) -> Result<Fetched, Error> {
        match *state {}
    }

    fn is_cancelled(error: &Error) -> bool {
        matches!(error, Error::Cancelled)
    }
}

/// Fails before anything is fetched where the result would be refused in the end.
async fn check_free(io: &impl Io, publish: &Publish) -> Result<(), Error> {
    match publish.existing {
        Existing::Refuse if io.stat_at(None, &publish.path).await.is_ok() => Err(Error::Exists),
        _ => Ok(()),
    }
}
