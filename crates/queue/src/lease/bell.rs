//! A doorbell across processes: sleep until it rings, survive those who die with a hand on it.
//!
//! Owns: the bell's word `sequence | closed | sleepers`, registering, ringing, napping.
//! Does not own: what the ringing is about.
//!
//! Source: `PROTOCOL.md`, part 2; the step numbers in the comments are those of that file.

use crate::sync::{Deadline, Futex, Nap, Ordering};

/// The lowest bits: how many sleepers are registered. The killed stay counted, which costs a needless system call each.
const SLEEPERS: u32 = CLOSED - 1;
const CLOSED: u32 = 1 << 12;
/// One ringing.
const SEQUENCE: u32 = 1 << 13;

/// All zero is an open bell that never rang: fresh memory needs no initialisation.
#[repr(transparent)]
pub(super) struct Bell(Futex<true>);

/// The bell at one instant.
#[derive(Clone, Copy)]
pub(super) struct Seen(u32);

impl Seen {
    pub(super) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    fn sleepers(self) -> u32 {
        self.0 & SLEEPERS
    }

    /// Whether it rang between the two.
    fn rang_before(self, now: Self) -> bool {
        (self.0 ^ now.0) & !SLEEPERS != 0
    }
}

impl Bell {
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self(Futex::new(0))
    }

    /// B1: to be done before looking for what the bell announces.
    pub(super) fn look(&self) -> Seen {
        Seen(self.0.word().load(Ordering::Acquire))
    }

    /// B4, B5: after what it announces was published. Wakes up to `count` sleepers; a system call only if there are any.
    pub(super) fn ring(&self, count: u32) {
        self.change(|seen| {
            let woken = seen.sleepers().min(count);
            (seen.0.wrapping_add(SEQUENCE) - woken, woken)
        });
    }

    /// B4, B5 for the last time: wakes all, and nobody sleeps here again.
    pub(super) fn close(&self) {
        self.change(|seen| ((seen.0.wrapping_add(SEQUENCE) | CLOSED) & !SLEEPERS, seen.sleepers()));
    }

    fn change(&self, next: impl Fn(Seen) -> (u32, u32)) {
        let word = self.0.word();
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let (rung, woken) = next(Seen(seen));
            match word.compare_exchange_weak(seen, rung, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if woken > 0 => return self.0.wake(woken),
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// B2, B3: sleeps until the bell rings, unless it has rung since `seen`; at most until the deadline.
    pub(super) fn sleep(&self, seen: Seen, deadline: Option<&Deadline>) -> Nap {
        if seen.is_closed() || !self.register(seen) {
            return Nap::Woken;
        }
        loop {
            let now = self.look();
            if seen.rang_before(now) {
                return Nap::Woken;
            }
            if self.0.wait(now.0, deadline) == Nap::TimedOut {
                self.leave(seen);
                return Nap::TimedOut;
            }
        }
    }

    /// B2: false if it rang since `seen`. With the count at its end the sleeper goes uncounted: its nap ends anyway.
    fn register(&self, seen: Seen) -> bool {
        let counted = |now: Seen| if now.sleepers() < SLEEPERS { now.0 + 1 } else { now.0 };
        self.unless_rung(seen, counted)
    }

    /// B6: after a ringing there is nothing to take back, because it may have taken this sleeper off the count.
    fn leave(&self, seen: Seen) {
        self.unless_rung(seen, |now| now.0 - now.sleepers().min(1));
    }

    fn unless_rung(&self, seen: Seen, next: impl Fn(Seen) -> u32) -> bool {
        let word = self.0.word();
        let mut now = self.look();
        while !seen.rang_before(now) {
            match word.compare_exchange_weak(now.0, next(now), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(other) => now = Seen(other),
            }
        }
        false
    }
}
