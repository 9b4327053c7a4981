//! A thread that sleeps until other threads have something for it.
//!
//! Owns: its handle, its sleep, whether what it was woken for can wait.
//! Does not own: what it is woken for. The caller publishes that before, where the thread looks before each sleep.
//!
//! Source: `PROTOCOL.md`, part 3, "The reporter's sleep".

use std::time::Instant;

use crate::sync::{AtomicBool, Ordering, Token};

/// A thread that sleeps by parking. Any thread wakes it; a wake-up that comes before the sleep ends it at once.
pub struct Sleeper {
    token: Token,
    is_urgent: AtomicBool,
}

impl Sleeper {
    /// The calling thread.
    pub fn this_thread() -> Self {
        Self { token: Token::of_this_thread(), is_urgent: AtomicBool::new(false) }
    }

    /// Ends the thread's sleep, or the next one. Cost: an atomic exchange, and a system call if the thread sleeps.
    pub fn wake(&self) {
        self.token.post();
    }

    /// As [`wake`](Self::wake), for something that can't wait.
    pub fn urge(&self) {
        self.is_urgent.store(true, Ordering::Release);
        self.token.post();
    }

    /// Whether the thread was urged since the last call.
    pub fn take_urgency(&self) -> bool {
        self.is_urgent.swap(false, Ordering::AcqRel)
    }

    /// Sleeps until woken, at most until `until`. May end without a cause. To be called by the thread itself.
    pub fn sleep(&self, until: Option<Instant>) {
        self.token.take(until);
    }
}
