//! A task of a list, and its result.
//!
//! Owns: the task, with the progress that its attempts leave for each other.
//! Does not own: making attempts ([`crate::FetchJob`]).

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use haul_io::{Existing, File, Preserve, Publish, Shortfalls};
use haul_pack::{Packed, Ticket};

use crate::body::download::Complete;
use crate::list::progress::{Progress, Retry};
use crate::packs::held::PackedResult;
use crate::packs::name::PackName;
use crate::route::host_pause::HostPause;
use crate::route::origin::Origin;
use crate::transfer::trace::BodySeen;
use crate::uploads::uploader::UploadName;
use crate::{Checksum, Config, Expected, Request, Response, Times};

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
    /// Whether the caller shows the name of the file to nobody. Only kept for it.
    pub is_hidden: bool,
    /// Whether another task of the run may have been for the same line, so that the name of the result is no other's.
    pub is_repeated: bool,
    progress: Mutex<Progress>,
}

/// Where a body is written.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Destination {
    /// To a file, which is published when it is complete.
    File(Publish),
    /// As [`Destination::File`], but under the name that the server proposes, in the same directory; under the given
    /// name if it proposes none. Never continued in a later run, which doesn't know the name.
    Named(Publish),
    /// To another place than the files of this machine. The result is published when it is complete; parts of a large
    /// one are sent as they arrive. The name isn't looked for before its content is there, except with
    /// [`Config::resume`](crate::Config::resume). Not with [`Config::sync`](crate::Config::sync).
    Upload(Box<UploadName>),
    /// To a shard, together with others. The task ends when its shard is published or has failed, for which its source
    /// must be a [`PackSource`](haul_pack::PackSource). The content comes to the shard when it is complete; what is
    /// longer than 256 KiB is in a file without a name until then. [`Config::format`](crate::Config::format) isn't
    /// applied: shards have a format of their own. With [`Config::resume`](crate::Config::resume), what an earlier run
    /// packed is skipped.
    Pack(Box<PackName>),
    /// To a stream, as it arrives.
    Stream(File),
    /// Into memory: the body of the result's response. Longer bodies than
    /// [`Config::memory_body_bytes_max`](crate::Config::memory_body_bytes_max) are errors.
    Memory,
    /// Nowhere; its bytes are counted.
    Discard,
}

impl Destination {
    /// To the file `name` in the directory `dir`, with these permission bits, or readable by its owner only. Links in
    /// place of directories are refused beneath `dir`, which is held open: what its file system can do is found out
    /// once.
    pub fn file_in(dir: &Path, name: &Path, existing: Existing, mode: Option<u32>) -> Self {
        Self::File(publish_in(dir, name, existing, mode))
    }

    /// As [`file_in`](Self::file_in), but under the name that the server proposes, if it does.
    pub fn named_in(dir: &Path, name: &Path, existing: Existing, mode: Option<u32>) -> Self {
        Self::Named(publish_in(dir, name, existing, mode))
    }
}

fn publish_in(dir: &Path, name: &Path, existing: Existing, mode: Option<u32>) -> Publish {
    let preserve = Preserve { mode, ..Preserve::default() };
    let root_bytes = Some(dir.as_os_str().len());
    Publish { root_bytes, existing, preserve, ..Publish::new(dir.join(name)) }
}

/// The result of a successful task.
#[derive(Debug)]
pub struct Fetched {
    /// The response; its body is empty unless it was fetched into [`Destination::Memory`].
    pub response: Response,
    /// The path of the file, if the body was written to one; its name in the shard, if it was packed.
    pub path: Option<PathBuf>,
    /// The path of the shard, if the body was packed by this run.
    pub shard: Option<PathBuf>,
    /// Whether the body was stored in [`Config::format`](crate::Config::format).
    pub encoded: bool,
    /// Whether the file was skipped, as it existed and was complete.
    pub skipped: bool,
    /// Whether the file was up to date, so that nothing was fetched: see [`Config::sync`](crate::Config::sync).
    pub unchanged: bool,
    /// Whether it started over, as no key of [`Config::format`](crate::Config::format) opens what an earlier run kept.
    pub restarted: bool,
    /// The hash of the body, if [`Expected::hash`] asked for one.
    pub hash: Option<Checksum>,
    /// What the file system of the file couldn't do.
    pub shortfalls: Shortfalls,
    /// Attempts made, the successful one included.
    pub attempts: u32,
    /// How long each step of the last attempt took.
    pub times: Times,
}

/// The result of a successful attempt.
pub(crate) struct Completed {
    pub(crate) response: Response,
    pub(crate) path: Option<PathBuf>,
    pub(crate) shard: Option<PathBuf>,
    pub(crate) hash: Option<Checksum>,
    pub(crate) shortfalls: Shortfalls,
    pub(crate) skipped: bool,
    pub(crate) unchanged: bool,
    pub(crate) restarted: bool,
}

/// How a task is scheduled anew.
pub(crate) struct Rescheduled {
    /// The host that it was scheduled for.
    pub(crate) from: Origin,
    pub(crate) to: Origin,
    /// Whether the same attempt goes on at another host.
    pub(crate) is_hop: bool,
    /// How long it waits.
    pub(crate) pause: Duration,
    pub(crate) retry: Option<Box<Retry>>,
}

impl Completed {
    /// Nothing was published.
    pub(crate) fn of(response: Response, path: Option<PathBuf>) -> Self {
        let (hash, shortfalls) = (None, Shortfalls::default());
        let (shard, skipped, unchanged, restarted) = (None, false, false, false);
        Self { response, path, shard, hash, shortfalls, skipped, unchanged, restarted }
    }

    /// The body was fetched, and published if it became a file.
    pub(crate) fn published(response: Response, path: Option<PathBuf>, complete: Complete) -> Self {
        let Complete { stored, hash } = complete;
        let response = Response { body: stored.body, ..response };
        Self { hash, shortfalls: stored.shortfalls, ..Self::of(response, path) }
    }

    /// It is in a shard that was published.
    pub(crate) fn packed(packed: PackedResult, to: &PackName) -> Self {
        let PackedResult { response, hash, shard, shortfalls } = packed;
        let completed = Self::of(response, Some(to.name.clone()));
        Self { hash, shortfalls, shard: Some(shard), ..completed }
    }

    pub(crate) fn fetched(self, config: &Config, attempts: u32, times: Times) -> Fetched {
        let encoded = config.format.is_some();
        let Self { response, path, shard, hash, shortfalls, skipped, unchanged, restarted } = self;
        Fetched {
            response,
            path,
            shard,
            encoded,
            skipped,
            unchanged,
            restarted,
            hash,
            shortfalls,
            attempts,
            times,
        }
    }
}

impl Packed for FetchTask {
    fn ticket(&self) -> Option<Ticket> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.held.as_ref().map(|held| held.ticket.clone())
    }
}

impl FetchTask {
    /// A task to fetch `url` into `destination`. A malformed URL makes a task that fails.
    pub fn new(url: &str, destination: Destination) -> Self {
        let request = Request::get(url).checked().map_err(|error| error.to_string());
        Self::of(request, url.to_owned(), destination)
    }

    /// A task to fetch `request` into `destination`, with the name `label` in messages.
    pub fn of(request: Result<Request, String>, label: String, destination: Destination) -> Self {
        Self {
            request,
            label,
            destination,
            expected: Expected::default(),
            context: None,
            is_hidden: false,
            is_repeated: false,
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

    /// The pause that the last attempt asks for its host.
    pub(crate) fn host_pause(&self) -> Option<Box<HostPause>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).advice.host_pause.clone()
    }

    /// The requests that it made since the source gave it out last.
    pub(crate) fn requests(&self) -> u32 {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).advice.requests
    }

    /// The host that the task is scheduled for: that of its URL, or one that a redirect led to. `None` if it has no
    /// request.
    pub(crate) fn host(&self) -> Option<Origin> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        self.host_in(&progress)
    }

    /// Schedules the task anew. Returns how. It is the source then that pauses the task, and not the job.
    pub(crate) fn reschedule(&self) -> Option<Rescheduled> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let from = self.host_in(&progress)?;
        let is_hop = progress.hop.is_some();
        progress.host = progress.hop.as_ref().map(|hop| Box::new(Origin::of(&hop.request.url)));
        let to = self.host_in(&progress)?;
        let pause = std::mem::take(&mut progress.advice.pause);
        Some(Rescheduled { from, to, is_hop, pause, retry: progress.retry.take() })
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
        assert!(size_of::<FetchTask>() <= 688, "ten thousand of them are held: {}", size_of::<FetchTask>());
    }
}
