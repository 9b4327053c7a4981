//! A pause that a host asks for.
//!
//! Owns: which host is to be left alone, and for how long.
//! Does not own: reading Retry-After ([`crate::transfer::retry_after`]), keeping to it ([`crate::list::source`]).

use std::time::Duration;

use crate::route::origin::Origin;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPause {
    /// The host that asked, which is another than that of the task after a redirect.
    pub(crate) origin: Origin,
    pub(crate) duration: Duration,
}

impl HostPause {
    /// The longer one of two pauses.
    pub(crate) fn longer(one: Option<Box<Self>>, other: Option<Box<Self>>) -> Option<Box<Self>> {
        one.into_iter().chain(other).max_by_key(|pause| pause.duration)
    }
}
