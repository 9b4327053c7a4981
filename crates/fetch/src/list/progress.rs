//! What the attempts at a task leave for the next one.
//!
//! Owns: this record.
//! Does not own: making attempts ([`crate::list::job`]).

use std::time::Duration;

use crate::body::download::Download;
use crate::list::open_files::OpenFilePermit;
use crate::segments::segmented::Paused;

#[derive(Default)]
pub(crate) struct Progress {
    /// Attempts made so far.
    pub(crate) attempts: u32,
    /// Whether the name of the result is claimed for the task.
    pub(crate) has_name: bool,
    /// The time that they took, with the pauses after them.
    pub(crate) spent: Duration,
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
    /// The permit to keep a file open between attempts.
    pub(crate) open_file: Option<OpenFilePermit>,
}

/// What an attempt asks of the source of the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetryAdvice {
    /// How long to wait before the next attempt.
    pub(crate) pause: Duration,
    /// How long to start no task of the same host.
    pub(crate) host_pause: Option<Duration>,
}
