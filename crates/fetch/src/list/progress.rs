//! What the attempts at a task leave for the next one.
//!
//! Owns: this record.
//! Does not own: making attempts ([`crate::list::job`]).

use std::time::Duration;

use http::StatusCode;

use crate::body::download::Download;
use crate::list::open_files::OpenFilePermit;
use crate::packs::held::HeldResult;
use crate::route::host_pause::HostPause;
use crate::route::origin::Origin;
use crate::segments::segmented::Paused;
use crate::transfer::fetch::Hop;
use crate::transfer::times::Times;
use crate::transfer::trace::BodySeen;

#[derive(Default)]
pub(crate) struct Progress {
    /// Attempts made so far.
    pub(crate) attempts: u32,
    /// Whether the name of the result is claimed for the task.
    pub(crate) has_name: bool,
    /// The time that they took, with the pauses after them.
    pub(crate) spent: Duration,
    /// The host that the task is scheduled for; `None` for that of its URL.
    pub(crate) host: Option<Box<Origin>>,
    /// Where the attempt goes on, at another host.
    pub(crate) hop: Option<Box<Hop>>,
    /// The times of the attempt so far, if it goes on.
    pub(crate) times: Option<Box<Times>>,
    /// How much of the body was seen.
    pub(crate) body_seen: BodySeen,
    /// The retry that comes next.
    pub(crate) retry: Option<Box<Retry>>,
    /// What the last attempt asks of the source.
    pub(crate) advice: RetryAdvice,
    /// What has been received so far. On the heap: thousands of tasks wait without any.
    pub(crate) download: Option<Box<Download>>,
    /// What has been received of a file in segments.
    pub(crate) paused: Option<Box<Paused>>,
    /// Whether the file must not be split, as the segments of an earlier attempt didn't belong together.
    pub(crate) is_unsplit: bool,
    /// Whether the task starts again although it failed as one in segments.
    pub(crate) starts_again: bool,
    /// The complete result, of which the shard isn't published yet.
    pub(crate) held: Option<Box<HeldResult>>,
    /// The permit to keep a file open between attempts.
    pub(crate) open_file: Option<OpenFilePermit>,
}

/// A task is to be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The attempt that comes next; the first one has the number 1.
    pub attempt: u32,
    /// Attempts in total, unless a later failure allows fewer or more.
    pub attempts_max: u32,
    /// How long the task waits before it, at least.
    pub pause: Duration,
    /// The host that isn't asked meanwhile, or that of the URL.
    pub host: String,
    /// Why the last attempt failed.
    pub reason: String,
    /// The status that was the reason, if one was.
    pub status: Option<StatusCode>,
}

/// What an attempt tells the source of the task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetryAdvice {
    /// How long to wait before the next attempt. A source that pauses tasks takes it; otherwise the job waits.
    pub(crate) pause: Duration,
    /// The host of which no task may start for a while.
    pub(crate) host_pause: Option<Box<HostPause>>,
    /// How many requests it made to its host.
    pub(crate) requests: u32,
}
