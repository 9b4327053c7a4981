//! What a task of a list is, and what it comes to.
//!
//! Owns: the task with what its attempts leave behind for each other.
//! Does not own: making an attempt ([`crate::FetchJob`]).

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use haul_io::{File, Publish};

use crate::landing::Landing;
use crate::resting::Held;
use crate::segmented::Paused;
use crate::{Algorithm, Checksum, Request, Response, Times};

/// One URL to fetch.
pub struct FetchTask {
    /// What to ask; or why it can't be asked, which fails the task with [`Error::Url`](crate::Error::Url).
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

/// What a body must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// What it must hash to; all of them.
    pub checksums: Vec<Checksum>,
    /// Its length in bytes.
    pub size: Option<u64>,
    /// A hash to be told of in any case: see [`Fetched::hash`].
    pub hash: Option<Algorithm>,
}

/// Where a body goes.
#[derive(Clone, Debug)]
pub enum Destination {
    /// To a file that appears when it is complete.
    File(Publish),
    /// As [`Destination::File`], but under the name that the server proposes, in the directory of this one; under this one where it
    /// proposes none. Never continued from an earlier run, whose name nobody knows.
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
    /// Whether the server has what an earlier run fetched, so that nothing was: see [`Config::sync`](crate::Config::sync).
    pub unchanged: bool,
    /// What the body hashes to, where [`Expected::hash`] asked.
    pub hash: Option<Checksum>,
    /// Attempts that were made, the successful one included.
    pub attempts: u32,
    /// Where the time of the last attempt went.
    pub times: Times,
}

/// What the attempts at a task leave behind for the next.
#[derive(Default)]
pub(crate) struct Progress {
    /// Attempts that failed.
    pub(crate) attempts: u32,
    /// The time they took, with the pauses after them.
    pub(crate) spent: Duration,
    /// What the last attempt asks for.
    pub(crate) wish: Wish,
    /// What the attempts so far have brought. On the heap: thousands of tasks wait that haven't any.
    pub(crate) landing: Option<Box<Landing>>,
    /// What they have brought of a file in segments.
    pub(crate) paused: Option<Box<Paused>>,
    /// Whether the task starts again, although it failed as one in segments.
    pub(crate) begins_again: bool,
    /// The permission to keep a file open while resting.
    pub(crate) held: Option<Held>,
}

/// What an attempt asks of whoever gives out tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// How long the task rests.
    pub(crate) rest: Duration,
    /// How long no task of its host starts.
    pub(crate) host_pause: Option<Duration>,
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

    pub(crate) fn wish(&self) -> Wish {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).wish
    }

    pub(crate) fn begins_again(&self) -> bool {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).begins_again
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
