//! A task of a list, and its result.
//!
//! Owns: the task, with the progress that its attempts leave for each other.
//! Does not own: making attempts ([`crate::FetchJob`]).

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use haul_io::{File, Publish};

use crate::list::progress::{Progress, Retry, RetryAdvice};
use crate::route::origin::Origin;
use crate::transfer::trace::BodySeen;
use crate::{Checksum, Expected, Request, Response, Times};

/// One URL to fetch.
pub struct FetchTask {
    /// The request; or why there is none, which fails the task with [`Error::Task`](crate::Error::Task).
    pub request: Result<Request, String>,
    /// The name of the task in messages: the URL as it was written.
    pub label: String,
    /// Where the body is written.
    pub destination: Destination,
    /// What the body must be.
    pub expected: Expected,
    /// Arbitrary data of the caller, available when the task ends.
    pub context: Option<Box<str>>,
    progress: Mutex<Progress>,
}

/// Where a body is written.
#[derive(Clone, Debug)]
pub enum Destination {
    /// To a file, which is published when it is complete.
    File(Publish),
    /// As [`Destination::File`], but under the name that the server proposes, in the same directory; under the given
    /// name if it proposes none. Never continued in a later run, which doesn't know the name.
    Named(Publish),
    /// To a stream, as it arrives.
    Stream(File),
    /// Nowhere; its bytes are counted.
    Discard,
}

/// The result of a successful task.
#[derive(Debug)]
pub struct Fetched {
    /// The response, with an empty body.
    pub response: Response,
    /// The path of the file, if the body was written to one.
    pub path: Option<PathBuf>,
    /// Whether the file was skipped, as it existed and was complete.
    pub skipped: bool,
    /// Whether the file was up to date, so that nothing was fetched: see [`Config::sync`](crate::Config::sync).
    pub unchanged: bool,
    /// The hash of the body, if [`Expected::hash`] asked for one.
    pub hash: Option<Checksum>,
    /// Attempts made, the successful one included.
    pub attempts: u32,
    /// How long each step of the last attempt took.
    pub times: Times,
}

/// The result of a successful attempt.
pub(crate) struct Completed {
    pub(crate) response: Response,
    pub(crate) path: Option<PathBuf>,
    pub(crate) hash: Option<Checksum>,
    pub(crate) skipped: bool,
    pub(crate) unchanged: bool,
}

/// How a task is scheduled anew.
pub(crate) struct Rescheduled {
    /// The host that it was scheduled for.
    pub(crate) from: Origin,
    pub(crate) to: Origin,
    /// Whether the same attempt goes on at another host.
    pub(crate) is_hop: bool,
    pub(crate) retry: Option<Box<Retry>>,
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
    /// A task to fetch `url` into `destination`. A malformed URL makes a task that fails.
    pub fn new(url: &str, destination: Destination) -> Self {
        Self::of(Request::get(url).map_err(|error| error.to_string()), url.to_owned(), destination)
    }

    /// A task to fetch `request` into `destination`, with the name `label` in messages.
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

    /// Whether an attempt came as far as a body.
    pub fn was_begun(&self) -> bool {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).body_seen > BodySeen::Nothing
    }

    /// Whether a part of the result is kept on disk for a later run, after the last attempt failed or was cancelled.
    pub fn is_kept(&self) -> bool {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).body_seen == BodySeen::Kept
    }

    pub(crate) fn advice(&self) -> RetryAdvice {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).advice.clone()
    }

    /// The host that the task is scheduled for: that of its URL, or one that a redirect led to. `None` if it has no
    /// request.
    pub(crate) fn host(&self) -> Option<Origin> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        self.host_in(&progress)
    }

    /// Schedules the task anew. Returns how.
    pub(crate) fn reschedule(&self) -> Option<Rescheduled> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let from = self.host_in(&progress)?;
        let is_hop = progress.hop.is_some();
        progress.host = progress.hop.as_ref().map(|hop| Box::new(Origin::of(&hop.request.url)));
        let to = self.host_in(&progress)?;
        Some(Rescheduled { from, to, is_hop, retry: progress.retry.take() })
    }

    fn host_in(&self, progress: &Progress) -> Option<Origin> {
        let url_host = || self.request.as_ref().ok().map(|request| Origin::of(&request.url));
        progress.host.as_deref().cloned().or_else(url_host)
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
        assert!(size_of::<FetchTask>() <= 672, "ten thousand of them are held: {}", size_of::<FetchTask>());
    }
}
