//! Waking a ring's thread from other threads.
//!
//! The ring's thread announces that it will sleep and checks whether it was notified, both in one atomic step
//! (`prepare_to_sleep`). Another thread publishes its message first and then notifies; it writes to the descriptor
//! only if it sees the announcement. All changes to `state` have one order:
//!
//! - If the notification comes first, the ring's thread doesn't sleep.
//! - If the announcement comes first, the descriptor becomes readable, which ends the sleep.
//!
//! So no message is slept through, and notifying a thread that is awake costs no system call.
//!
//! Owns: that protocol and its descriptor.
//! Does not own: the messages (a queue outside).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crate::system::bell::{Bell, Reading};
use crate::system::sync::{AtomicU32, Ordering};

const AWAKE: u32 = 0;
const SLEEPING: u32 = 1;
const NOTIFIED: u32 = 2;

pub(crate) struct Park {
    state: AtomicU32,
    event: Bell,
}

/// Wakes a ring from any thread, so that it asks for work again. Clones wake the same ring.
#[derive(Clone)]
pub struct Unparker(Arc<Park>);

impl Unparker {
    pub(crate) fn new(park: &Arc<Park>) -> Self {
        Self(park.clone())
    }

    /// Wakes the ring, which then sees what the caller published before. Cost: an atomic exchange, and a system call
    /// only if the ring sleeps.
    pub fn unpark(&self) {
        self.0.notify();
    }
}

impl std::fmt::Debug for Unparker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unparker").finish_non_exhaustive()
    }
}

impl Park {
    pub(crate) fn new() -> io::Result<Self> {
        let event = Bell::new(Reading::Waits)?;
        Ok(Self { state: AtomicU32::new(AWAKE), event })
    }

    pub(crate) fn notify(&self) {
        if self.state.swap(NOTIFIED, Ordering::AcqRel) == SLEEPING {
            self.event.ring();
        }
    }

    /// Whether the thread may sleep; if not, it was notified.
    pub(crate) fn prepare_to_sleep(&self) -> bool {
        self.state.compare_exchange(AWAKE, SLEEPING, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// From now on, reading the descriptor fails while it isn't readable: for a thread that polls it instead of its
    /// ring.
    pub(crate) fn let_reading_fail(&self) {
        self.event.let_reading_fail();
    }

    /// Makes the descriptor unreadable. Only after [`Park::let_reading_fail`].
    pub(crate) fn silence(&self) {
        self.event.silence();
    }

    /// Ends a sleep. Returns whether the thread was notified since the last call.
    pub(crate) fn wake_up(&self) -> bool {
        // A plain load first: this runs at every turn, and almost never finds a notification.
        if self.state.load(Ordering::Acquire) == AWAKE {
            return false;
        }
        self.state.swap(AWAKE, Ordering::AcqRel) == NOTIFIED
    }
}

impl AsFd for Park {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

#[cfg(all(test, loom))]
mod modelled;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_a_sleeping_thread_costs_a_system_call() {
        let park = Arc::new(Park::new().unwrap());
        let readable = || {
            let mut fds = [rustix::event::PollFd::new(&*park, rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut fds, Some(&rustix::event::Timespec::default())).unwrap() == 1
        };
        Unparker::new(&park).unpark();
        assert!(!readable(), "awake");
        assert!(!park.prepare_to_sleep(), "notified before it slept");
        assert!(park.wake_up());
        assert!(park.prepare_to_sleep());
        park.notify();
        assert!(readable(), "asleep");
        assert!(park.wake_up() && !park.wake_up());
    }
}
