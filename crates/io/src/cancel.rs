//! The switch that ends a run early.
//!
//! Owns: the flag and the descriptor that wakes workers asleep in a system call.
//! Does not own: signals (the program decides what triggers it), what a job does about it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};

/// A switch that any thread may throw, once.
///
/// Operations that begin or prolong work (open for reading, read, write, connect, receive, sleep) then fail with the error
/// that [`is_cancelled`](crate::is_cancelled) knows; operations that finish or undo work (sync, publish, remove) are still carried out.
#[derive(Clone)]
pub struct Cancel(Arc<Switch>);

struct Switch {
    thrown: AtomicBool,
    /// Readable once thrown, and never read: every sleeper that polls it wakes.
    event: OwnedFd,
}

impl Cancel {
    /// A switch that isn't thrown.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(Switch { thrown: AtomicBool::new(false), event })))
    }

    /// Throws the switch and wakes every sleeper.
    pub fn trigger(&self) {
        self.0.thrown.store(true, Ordering::SeqCst);
        // The only possible failure is an overflow of the counter, which leaves it readable: just what is wanted.
        let _ = rustix::io::write(&self.0.event, &1u64.to_ne_bytes());
    }

    /// Whether it was thrown.
    pub fn is_triggered(&self) -> bool {
        self.0.thrown.load(Ordering::SeqCst)
    }
}

impl AsFd for Cancel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_triggered()).finish()
    }
}
