//! One end of the ring: its ticket counter, and the threads that sleep until the counter moves.
//!
//! Owns: the packed word, registering as a sleeper, waking, leaving, closing.
//! Does not own: slots and items (see `slot.rs`), when to sleep (see `ring.rs`).
//!
//! Source: `PROTOCOL.md`, part 1; the step numbers in the comments are those of that file.

use crate::backoff::Backoff;
use crate::sync::{AtomicU64, Deadline, Futex, Ordering, Wakeup};

/// The lowest bits of a word: the number of registered sleepers.
const SLEEPERS: u64 = CLOSED - 1;
/// Set when this end is closed.
const CLOSED: u64 = 1 << 15;
/// The distance of two consecutive tickets of a lap. The bits below hold flags in a word and the state in a stamp.
pub(crate) const TICKET: u64 = 1 << 16;

/// A snapshot of an end: `ticket | closed | sleepers`.
///
/// It is one word, so that a compare-and-swap makes taking a ticket, closing and registering as a sleeper mutually
/// exclusive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u64);

impl Word {
    /// The next ticket to be taken.
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

/// A wake-up that the winner of a ticket (P3, C3) owes to a sleeper of this end once the slot is published (P6, C6).
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PendingWake {
    None,
    One,
}

/// Aligned to two cache lines: the prefetcher of x86 fetches lines in pairs.
#[repr(align(128))]
pub(crate) struct End {
    word: AtomicU64,
    /// Wake-ups posted and not yet taken: a semaphore on which the registered sleepers wait.
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

    /// P3, C3: takes the ticket of `seen`, and with it one registered sleeper, if there is one.
    ///
    /// # Errors
    /// The current word, if it is no longer `seen`.
    #[inline]
    pub(crate) fn take_ticket(&self, seen: Word, next_ticket: u64) -> Result<PendingWake, Word> {
        let sleeper = seen.sleepers().min(1);
        let next = next_ticket | ((seen.0 & (CLOSED | SLEEPERS)) - sleeper);
        self.swap(seen, next)?;
        Ok(if sleeper == 0 { PendingWake::None } else { PendingWake::One })
    }

    /// P6, C6: wakes the sleeper that was taken with the ticket.
    #[inline]
    pub(crate) fn deliver(&self, wake: PendingWake) {
        if wake == PendingWake::One {
            self.wake(1);
        }
    }

    /// S2–S5: sleeps if the word is still `seen`, until a wake-up or the deadline.
    ///
    /// After either result the caller should retry: the awaited item or slot may have come at the last moment.
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

    /// S2: registers a sleeper, unless the word has changed since `seen` or the end is closed.
    fn register(&self, seen: Word) -> bool {
        // With a full count the surplus thread retries, awake. That is correct, and no real program has so many
        // threads.
        !seen.is_closed() && seen.sleepers() < SLEEPERS && self.swap(seen, seen.0 + 1).is_ok()
    }

    /// S5: takes back a registration, or else takes a token that is posted or about to be.
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
                // If this thread slept here, a newcomer could take its token, and it would miss its deadline.
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
