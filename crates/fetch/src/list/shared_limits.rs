//! Limits of hosts, and tasks, that several programs share, as the nodes of a fleet do.
//!
//! Owns: the interface between a source and what speaks with the other programs.
//! Does not own: the order of starts ([`crate::list::scheduler`]), how programs agree.

use std::task::Waker;
use std::time::Duration;

use crate::FetchTask;

/// What a [`HostSource`](crate::HostSource) asks of limits that it shares with other programs. No call may block: what
/// takes time happens on other threads, which wake the source.
///
/// A host is named by its origin: `http://example.org:80`. It is the host that is really asked, after redirects.
pub trait SharedLimits: Send + Sync {
    /// Whether a host needs a share before a task of it may start. If not, only pauses are shared.
    fn has_shares(&self) -> bool;

    /// Takes what is needed at a host: `running` tasks, and `wanted` ones, which includes these. With none wanted, its
    /// share may be given back.
    fn want(&self, host: &str, running: usize, wanted: usize);

    /// Whether the share of the host is still valid. If not, a change follows when it is again.
    fn may_start(&self, host: &str) -> bool;

    /// Whether this program may begin `task`, where programs share tasks, too. Asked when nothing else holds it back.
    fn may_begin(&self, task: &FetchTask) -> Begin {
        let _ = task;
        Begin::Now
    }

    /// Takes a pause that a host has asked for.
    fn pause(&self, host: &str, pause: Duration);

    /// What has changed since the last call.
    fn changes(&self) -> Vec<HostChange>;

    /// Takes the engine's waker, which is to be woken after each change.
    fn set_waker(&self, waker: Waker);

    /// The time after which to ask for changes if nothing wakes the engine.
    fn ask_again_in(&self) -> Duration {
        Duration::MAX
    }
}

/// Whether a task may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Begin {
    /// It may.
    Now,
    /// It may when this is asked again, perhaps.
    Later,
    /// Another program has it: it is dropped, and never ends.
    Never,
}

/// A change at a host.
#[derive(Clone, Debug, PartialEq)]
pub struct HostChange {
    /// The host, as it was named.
    pub host: String,
    /// What changed.
    pub change: LimitChange,
}

/// What has changed at a host.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum LimitChange {
    /// What this program may do there from now on.
    Share(HostShare),
    /// No task may start there for so long.
    Pause(Duration),
}

/// What one program may do at a host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostShare {
    /// Active tasks. With none, tasks wait for another share.
    pub active_max: usize,
    /// Requests per second, on average, in place of [`HostLimits::per_host_rate`](crate::HostLimits::per_host_rate).
    /// `None` for no limit.
    pub rate: Option<f64>,
}
