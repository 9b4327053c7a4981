//! Backing off: how long a thread retries before it sleeps.
//!
//! Owns: the number of spins and yields.
//! Does not own: the condition, the sleep.

use crate::sync::{relax, yield_now};

/// Spins double from 1 to 64 pauses, a few µs in total: about the cost of going to sleep and being woken.
#[cfg(not(any(loom, shuttle)))]
const SPINS: u32 = 7;
/// Yields after the spins: with fewer cores than threads, the other party may need this core to proceed.
#[cfg(not(any(loom, shuttle)))]
const YIELDS: u32 = 4;

/// The longest spin is two to this power of pauses.
const LONGEST: u32 = 6;

/// The models explore what happens after backing off, not the way there.
#[cfg(any(loom, shuttle))]
const SPINS: u32 = 0;
#[cfg(any(loom, shuttle))]
const YIELDS: u32 = 0;

/// After so many fruitless retries in a row loom abandons the schedule. A retry has no effect, so each schedule with
/// more retries has a twin in which the thread retries later; without the cut, two threads that wait for a third have
/// infinitely many schedules.
#[cfg(loom)]
const UNFAIR: u32 = 2;

pub(crate) struct Backoff {
    step: u32,
}

impl Backoff {
    #[inline]
    pub(crate) fn new() -> Self {
        Self { step: 0 }
    }

    /// Pauses after another thread won a race for the same word, to keep off its cache line for a moment. Never yields.
    #[inline]
    pub(crate) fn lost_race(&mut self) {
        if cfg!(any(loom, shuttle)) {
            return;
        }
        self.pause();
        self.step = self.step.saturating_add(1).min(SPINS);
    }

    /// Waits for a step of another thread: spins, then yields.
    pub(crate) fn wait(&mut self) {
        #[cfg(loom)]
        if self.step >= UNFAIR {
            loom::skip_branch();
        }
        if self.step < SPINS {
            self.pause();
        } else {
            yield_now();
        }
        self.step = self.step.saturating_add(1);
    }

    /// Whether it is time to sleep.
    pub(crate) fn is_over(&self) -> bool {
        self.step >= SPINS + YIELDS
    }

    fn pause(&self) {
        for _ in 0..self.pauses() {
            relax();
        }
    }

    /// Bounded for every step: `wait` keeps counting while it yields.
    fn pauses(&self) -> u32 {
        1 << self.step.min(LONGEST)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_race_lost_after_a_long_wait_costs_a_short_pause() {
        let mut backoff = Backoff::new();
        (0..100).for_each(|_| backoff.wait());
        assert!(backoff.is_over());
        assert!(backoff.pauses() <= 64);
        backoff.lost_race();
        assert!(backoff.pauses() <= 64);
    }
}
