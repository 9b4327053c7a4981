//! An event count across processes: a thread sleeps until the next notification, and a sleeper may be killed at any
//! time.
//!
//! Owns: the word `sequence | closed | sleepers`; registering, notifying, sleeping.
//! Does not own: the events that are announced.
//!
//! Source: `PROTOCOL.md`, part 2; the step numbers in the comments are those of that file.

use crate::sync::{Deadline, Futex, Ordering, Wakeup};

/// The lowest bits: the number of registered sleepers. A killed sleeper stays counted, which costs one needless system
/// call.
const SLEEPERS: u32 = CLOSED - 1;
const CLOSED: u32 = 1 << 12;
/// One notification.
const SEQUENCE: u32 = 1 << 13;

/// All zero is an open event count that was never notified, so fresh memory needs no initialisation.
#[repr(transparent)]
pub(super) struct EventCount(Futex<true>);

/// The word of an event count at one instant.
#[derive(Clone, Copy)]
pub(super) struct Observed(u32);

impl Observed {
    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    fn sleepers(self) -> u32 {
        self.0 & SLEEPERS
    }

    /// Whether there was a notification between the two instants.
    fn was_notified(self, now: Self) -> bool {
        (self.0 ^ now.0) & !SLEEPERS != 0
    }
}

impl EventCount {
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self(Futex::new(0))
    }

    /// B1: to be called before looking for the announced event.
    pub(super) fn observe(&self) -> Observed {
        Observed(self.0.word().load(Ordering::Acquire))
    }

    /// B4, B5: to be called after the announced event was published. Wakes up to `count` sleepers. Cost: a system
    /// call, only if a thread sleeps.
    pub(super) fn notify(&self, count: u32) {
        self.change(|seen| {
            let woken = seen.sleepers().min(count);
            (seen.0.wrapping_add(SEQUENCE) - woken, woken)
        });
    }

    /// B4 and B5 for every thread that sleeps, whether or not it is counted.
    pub(super) fn notify_uncounted(&self) {
        self.change(|seen| ((seen.0.wrapping_add(SEQUENCE)) & !SLEEPERS, 0));
        self.0.wake(i32::MAX as u32);
    }

    /// B4, with a B5 that reaches one sleeper that was killed and stayed counted.
    #[cfg(loom)]
    pub(super) fn notify_a_killed_sleeper(&self) {
        self.change(|seen| (seen.0.wrapping_add(SEQUENCE) - seen.sleepers().min(1), 0));
    }

    /// B4, B5 for the last time: wakes all sleepers, and no thread sleeps here again.
    pub(super) fn close(&self) {
        self.change(|seen| ((seen.0.wrapping_add(SEQUENCE) | CLOSED) & !SLEEPERS, seen.sleepers()));
    }

    fn change(&self, next: impl Fn(Observed) -> (u32, u32)) {
        let word = self.0.word();
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let (changed, woken) = next(Observed(seen));
            match word.compare_exchange_weak(seen, changed, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if woken > 0 => return self.0.wake(woken),
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// B2, B3: sleeps until the next notification or the deadline; not at all if there was one since `seen`.
    pub(super) fn sleep(&self, seen: Observed, deadline: Option<&Deadline>) -> Wakeup {
        if seen.is_closed() || !self.register(seen) {
            return Wakeup::Woken;
        }
        loop {
            let now = self.observe();
            if seen.was_notified(now) {
                return Wakeup::Woken;
            }
            if self.0.wait(now.0, deadline) == Wakeup::TimedOut {
                self.leave(seen);
                return Wakeup::TimedOut;
            }
        }
    }

    /// B2: false if there was a notification since `seen`. If the count is at its maximum, the sleeper goes
    /// uncounted: its timeout wakes it.
    fn register(&self, seen: Observed) -> bool {
        let counted = |now: Observed| if now.sleepers() < SLEEPERS { now.0 + 1 } else { now.0 };
        self.unless_notified(seen, counted)
    }

    /// B6: after a notification there is nothing to take back, because it may have taken this sleeper off the count.
    fn leave(&self, seen: Observed) {
        self.unless_notified(seen, |now| now.0 - now.sleepers().min(1));
    }

    fn unless_notified(&self, seen: Observed, next: impl Fn(Observed) -> u32) -> bool {
        let word = self.0.word();
        let mut now = self.observe();
        while !seen.was_notified(now) {
            match word.compare_exchange_weak(now.0, next(now), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(other) => now = Observed(other),
            }
        }
        false
    }
}
