//! What is recorded of an attempt besides its result.
//!
//! Owns: the number of redirects, the pause that a host asks for, whether the length of the body is known.
//! Does not own: what follows from them.

use crate::route::host_pause::HostPause;
use crate::transfer::times::Times;

/// How much of a body the attempts at a task saw. One byte, as thousands of tasks wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BodySeen {
    /// No body came.
    #[default]
    Nothing,
    /// One came whose length isn't known.
    Some,
    /// Its length was told to the observer.
    Length,
    /// The task ended without success, and a part of the body is kept on disk.
    Kept,
}

/// The record of one attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) times: Times,
    /// The host that asks to receive no further requests for a while.
    pub(crate) host_pause: Option<Box<HostPause>>,
    /// How much of the body this attempt or an earlier one saw.
    pub(crate) body_seen: BodySeen,
    /// Requests that were made. One that is sent again because its connection was dead counts once.
    pub(crate) requests: u32,
    /// Redirects that were followed.
    pub(crate) redirect_count: u32,
}
