//! What is recorded of an attempt besides its result.
//!
//! Owns: the number of redirects, the pause that a host asks for, whether the length of the body is known.
//! Does not own: what follows from them.

use crate::route::host_pause::HostPause;
use crate::transfer::times::Times;

/// The record of one attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) times: Times,
    /// The host that asks to receive no further requests for a while.
    pub(crate) host_pause: Option<Box<HostPause>>,
    /// Whether a body came, in this attempt or an earlier one.
    pub(crate) has_body: bool,
    /// Whether the length of the body was announced, in this attempt or an earlier one.
    pub(crate) has_length: bool,
    /// Redirects that were followed.
    pub(crate) redirect_count: u32,
}
