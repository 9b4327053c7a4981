//! One end of the ring: its ticket counter, and the threads asleep until that counter moves.
//!
//! Owns: the packed word, registering as a sleeper, waking, leaving, closing.
//! Does not own: slots and items (see `slot.rs`), when to sleep (see `ring.rs`).
//!
//! Source: `PROTOCOL.md`, part 1; the step numbers in the comments are those of that file.

use crate::backoff::Backoff;
use crate::sync::{AtomicU64, Deadline, Futex, Ordering, Wakeup};

/// The lowest bits of a word: how many threads are registered as asleep.
const SLEEPERS: u64 = CLOSED - 1;
/// This end is closed.
const CLOSED: u64 = 1 << 15;
/// The distance between two neighbouring tickets of a lap: the bits below are flags in a word, and the state in a stamp.
pub(crate) const TICKET: u64 = 1 << 16;

/// A snapshot of an end: `ticket | closed | sleepers`.
///
/// One word, so that taking a ticket, closing and registering as a sleeper exclude each other by compare-and-swap.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u64);

impl Word {
    /// The next ticket to be handed out.
    #[inline]
    pub(crate) fn ticket(self) -> u64 {
        self.0 & !(CLOSED | SLEEPERS)
    }

    #[inline]
    pub(crate) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    #[inline]
    fn sleepers(self) -> u64 {
        self.0 & SLEEPERS
    }
}

/// A pending to wake one sleeper of this end, taken on with a ticket (P3, C3) and due after the slot is published (P6, C6).
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PendingWake {
    None,
    WakeOne,
}

/// Aligned to two cache lines: the prefetcher of x86 fetches lines in pairs.
#[repr(align(128))]
pub(crate) struct End {
    word: AtomicU64,
    /// Wake-ups posted and not yet taken: a semaphore that the registered sleepers wait on.
    tokens: Futex<false>,
}

impl End {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0), tokens: Futex::new(0) }
    }

    #[inline]
    pub(crate) fn load(&self) -> Word {
        Word(self.word.load(Ordering::Acquire))
    }

    /// P3, C3: takes the ticket of `seen` and, with it, one registered sleeper.
    ///
    /// # Errors
    /// The word as it is now, if it is no longer `seen`.
    #[inline]
    pub(crate) fn take_ticket(&self, seen: Word, next_ticket: u64) -> Result<PendingWake, Word> {
        let sleeper = seen.sleepers().min(1);
        let next = next_ticket | ((seen.0 & (CLOSED | SLEEPERS)) - sleeper);
        self.swap(seen, next)?;
        Ok(if sleeper == 0 { PendingWake::None } else { PendingWake::WakeOne })
    }

    /// P6, C6: does what taking the ticket obliged to.
    #[inline]
    pub(crate) fn deliver(&self, pending: PendingWake) {
        if pending == PendingWake::WakeOne {
            self.wake(1);
        }
    }

    /// S2–S5: sleeps if the word is still `seen`, until woken or the deadline.
    ///
    /// [`Wakeup::Woken`] says only that it is worth looking again. So does [`Wakeup::TimedOut`]: what this thread waited for may
    /// have come at the last moment.
    #[cold]
    pub(crate) fn sleep(&self, seen: Word, deadline: Option<&Deadline>) -> Wakeup {
        if !self.register(seen) {
            return Wakeup::Woken;
        }
        while !self.take_token() {
            if self.tokens.wait(0, deadline) == Wakeup::TimedOut {
                self.leave();
                return Wakeup::TimedOut;
            }
        }
        Wakeup::Woken
    }

    /// X1, X3: closes this end and wakes all its sleepers. Repeating it does nothing.
    pub(crate) fn close(&self) {
        let mut seen = self.load();
        while let Err(now) = self.swap(seen, seen.ticket() | CLOSED) {
            seen = now;
        }
        if seen.sleepers() > 0 {
            self.wake(seen.sleepers() as u32);
        }
    }

    /// S2: only while nothing has moved since `seen`, and never at a closed end.
    fn register(&self, seen: Word) -> bool {
        // A full count makes the surplus thread try again, awake: correct, and out of reach of real programs.
        !seen.is_closed() && seen.sleepers() < SLEEPERS && self.swap(seen, seen.0 + 1).is_ok()
    }

    /// S5: one registration fewer, or else a token that is posted or about to be.
    fn leave(&self) {
        let mut backoff = Backoff::new();
        loop {
            let seen = self.load();
            if seen.sleepers() > 0 {
                if self.swap(seen, seen.0 - 1).is_ok() {
                    return;
                }
            } else if self.take_token() {
                return;
            } else {
                // Asleep here, a newcomer could take the token meant for this thread, and the deadline would be lost.
                backoff.wait();
            }
        }
    }

    /// S4.
    fn take_token(&self) -> bool {
        let word = self.tokens.word();
        let mut seen = word.load(Ordering::Relaxed);
        while seen > 0 {
            match word.compare_exchange_weak(seen, seen - 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    #[cold]
    fn wake(&self, count: u32) {
        self.tokens.word().fetch_add(count, Ordering::Release);
        self.tokens.wake(count);
    }

    #[inline]
    fn swap(&self, seen: Word, next: u64) -> Result<(), Word> {
        match self.word.compare_exchange(seen.0, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(now) => Err(Word(now)),
        }
    }
}
