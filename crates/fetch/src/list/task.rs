//! What a task of a list is, and what it comes to.
//!
//! Owns: the task with what its attempts leave behind for each other.
//! Does not own: making an attempt ([`crate::FetchJob`]).

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use haul_io::{File, Publish};

use crate::list::progress::{Progress, RetryAdvice};
use crate::{Checksum, Expected, Request, Response, Times};

/// One URL to fetch.
pub struct FetchTask {
    /// What to ask; or why it can't be asked, which fails the task with [`Error::Task`](crate::Error::Task).
    pub request: Result<Request, String>,
    /// What the task is called in messages: the URL as it was written.
    pub label: String,
    /// Where the body goes.
    pub destination: Destination,
    /// What the body must be.
    pub expected: Expected,
    /// Whatever whoever made the task wants to know of it at its end.
    pub context: Option<Box<str>>,
    progress: Mutex<Progress>,
}

/// Where a body goes.
#[derive(Clone, Debug)]
pub enum Destination {
    /// To a file that appears when it is complete.
    File(Publish),
    /// As [`Destination::File`], but under the name that the server proposes, in the directory of this one; under this
    /// one where it proposes none. Never continued from an earlier run, whose name nobody knows.
    Named(Publish),
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
    /// Whether the file was there already, and complete.
    pub skipped: bool,
    /// Whether the server has what an earlier run fetched, so that nothing was: see
    /// [`Config::sync`](crate::Config::sync).
    pub unchanged: bool,
    /// What the body hashes to, where [`Expected::hash`] asked.
    pub hash: Option<Checksum>,
    /// Attempts that were made, the successful one included.
    pub attempts: u32,
    /// Where the time of the last attempt went.
    pub times: Times,
}

/// How a task succeeded.
pub(crate) struct Completed {
    pub(crate) response: Response,
    pub(crate) path: Option<PathBuf>,
    pub(crate) hash: Option<Checksum>,
    pub(crate) skipped: bool,
    pub(crate) unchanged: bool,
}

impl Completed {
    /// The body was fetched.
    pub(crate) fn of(response: Response, path: Option<PathBuf>, hash: Option<Checksum>) -> Self {
        Self { response, path, hash, skipped: false, unchanged: false }
    }

    pub(crate) fn fetched(self, attempts: u32, times: Times) -> Fetched {
        let Self { response, path, hash, skipped, unchanged } = self;
        Fetched { response, path, skipped, unchanged, hash, attempts, times }
    }
}

impl FetchTask {
    /// Fetch `url` into `destination`. A malformed URL is a task that fails.
    pub fn new(url: &str, destination: Destination) -> Self {
        Self::of(Request::get(url).map_err(|error| error.to_string()), url.to_owned(), destination)
    }

    /// Fetch by `request` into `destination`, under the name `label` in messages.
    pub fn of(request: Result<Request, String>, label: String, destination: Destination) -> Self {
        Self {
            request,
            label,
            destination,
            expected: Expected::default(),
            context: None,
            progress: Mutex::default(),
        }
    }

    pub(crate) fn advice(&self) -> RetryAdvice {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).advice
    }

    pub(crate) fn starts_again(&self) -> bool {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).starts_again
    }

    pub(crate) fn take_progress(&self) -> Progress {
        std::mem::take(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn put_progress(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_waits_is_small() {
        assert!(size_of::<FetchTask>() <= 640, "ten thousand of them are held: {}", size_of::<FetchTask>());
    }
}
