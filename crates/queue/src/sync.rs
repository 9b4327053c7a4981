//! The façade over atomics, cells, locks, futexes, pauses and deadlines.
//!
//! Owns: choosing between the real primitives and those of the model checkers (`--cfg loom`, `--cfg shuttle`).
//! Does not own: any step of a protocol.
//!
//! A futex is the only parking primitive that fits the ring: a thread sleeps on an ordinary atomic, the kernel
//! compares it and puts the thread to sleep in one step, a waker makes no system call unless a sleeper is registered,
//! and a sleep takes a timeout. `std::thread::park` would need a list of handles under a lock that every waker takes.
//!
//! The models' futex is a mutex and a condition variable. Like the kernel's, it compares the word under the lock that
//! every waker takes, so a wake-up after a change of the word is never lost, and one before the change may be.

#[cfg(loom)]
use loom as model;
#[cfg(shuttle)]
use shuttle as model;

#[cfg(not(any(loom, shuttle)))]
pub(crate) use real::{Deadline, Futex, Token, UnsafeCell, relax, yield_now};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, fence},
};

#[cfg(any(loom, shuttle))]
pub(crate) use model::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, fence},
    },
    thread::yield_now,
};
#[cfg(any(loom, shuttle))]
pub(crate) use modelled::{Deadline, Futex, Token, UnsafeCell, relax};

pub(crate) use std::sync::atomic::Ordering;

/// How a sleep ended. A wake-up may be spurious: the caller checks its condition again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wakeup {
    Woken,
    TimedOut,
}

#[cfg(not(any(loom, shuttle)))]
mod real {
    use super::Wakeup;
    use rustix::io::Errno;
    use rustix::thread::futex::{self, Flags, Timespec};
    use std::sync::atomic::AtomicU32;
    use std::time::{Duration, Instant};

    pub(crate) use std::hint::spin_loop as relax;
    pub(crate) use std::thread::yield_now;

    /// `std`'s cell behind loom's interface.
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            access(self.0.get())
        }
    }

    /// The token of a thread: it sleeps until there is one, and takes it.
    pub(crate) struct Token(std::thread::Thread);

    impl Token {
        pub(crate) fn of_this_thread() -> Self {
            Self(std::thread::current())
        }

        pub(crate) fn post(&self) {
            self.0.unpark();
        }

        pub(crate) fn take(&self, until: Option<Instant>) {
            match until {
                Some(until) => std::thread::park_timeout(until.saturating_duration_since(Instant::now())),
                None => std::thread::park(),
            }
        }
    }

    /// A word on which threads can sleep; `SHARED` if it lies in memory that processes share.
    #[repr(transparent)]
    pub(crate) struct Futex<const SHARED: bool>(AtomicU32);

    impl<const SHARED: bool> Futex<SHARED> {
        const FLAGS: Flags = if SHARED { Flags::empty() } else { Flags::PRIVATE };

        pub(crate) fn new(value: u32) -> Self {
            Self(AtomicU32::new(value))
        }

        pub(crate) fn word(&self) -> &AtomicU32 {
            &self.0
        }

        /// Sleeps until a wake-up or the deadline, if the word is `expected`. Cost: one system call.
        pub(crate) fn wait(&self, expected: u32, deadline: Option<&Deadline>) -> Wakeup {
            let left = match deadline.map(Deadline::left) {
                Some(left) if left.is_zero() => return Wakeup::TimedOut,
                left => left.and_then(timespec),
            };
            match futex::wait(&self.0, Self::FLAGS, expected, left.as_ref()) {
                Err(Errno::TIMEDOUT) => Wakeup::TimedOut,
                result => {
                    debug_assert!(matches!(result, Ok(()) | Err(Errno::AGAIN | Errno::INTR)));
                    Wakeup::Woken
                }
            }
        }

        /// Wakes up to `count` sleepers. Cost: one system call.
        pub(crate) fn wake(&self, count: u32) {
            let woken = futex::wake(&self.0, Self::FLAGS, count);
            debug_assert!(woken.is_ok());
        }
    }

    /// `None` (no limit) for a duration that the kernel's type cannot hold.
    fn timespec(left: Duration) -> Option<Timespec> {
        let tv_sec = i64::try_from(left.as_secs()).ok()?;
        Some(Timespec { tv_sec, tv_nsec: i64::from(left.subsec_nanos()) })
    }

    /// The moment at which a timed sleep ends.
    pub(crate) struct Deadline(Option<Instant>);

    impl Deadline {
        /// A moment too far away to be represented means no limit.
        pub(crate) fn after(timeout: Duration) -> Self {
            Self(Instant::now().checked_add(timeout))
        }

        fn left(&self) -> Duration {
            self.0.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))
        }
    }
}

#[cfg(any(loom, shuttle))]
mod modelled {
    use super::{Wakeup, model, yield_now};
    use model::sync::atomic::{AtomicU32, Ordering};
    use model::sync::{Condvar, Mutex};
    use std::time::{Duration, Instant};

    /// A pause in a loop that waits for another thread. The models must run that thread.
    pub(crate) fn relax() {
        yield_now();
    }

    /// A thread's token. Loom's own threads lose theirs while they wait for a lock.
    pub(crate) struct Token {
        is_there: Mutex<bool>,
        posted: Condvar,
    }

    impl Token {
        pub(crate) fn of_this_thread() -> Self {
            Self { is_there: Mutex::new(false), posted: Condvar::new() }
        }

        pub(crate) fn post(&self) {
            *self.is_there.lock().expect("never poisoned") = true;
            self.posted.notify_one();
        }

        /// The models have no time: a timed sleep is over at once.
        pub(crate) fn take(&self, until: Option<Instant>) {
            let mut is_there = self.is_there.lock().expect("never poisoned");
            while !*is_there && until.is_none() {
                is_there = self.posted.wait(is_there).expect("never poisoned");
            }
            *is_there = false;
        }
    }

    #[cfg(loom)]
    pub(crate) use loom::cell::UnsafeCell;

    /// Shuttle observes no cells; it explores the schedule only.
    #[cfg(shuttle)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    #[cfg(shuttle)]
    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            access(self.0.get())
        }
    }

    pub(crate) struct Futex<const SHARED: bool> {
        word: AtomicU32,
        /// Stands for the kernel's lock over the sleepers of a word.
        bucket: Mutex<()>,
        sleepers: Condvar,
    }

    impl<const SHARED: bool> Futex<SHARED> {
        pub(crate) fn new(value: u32) -> Self {
            Self { word: AtomicU32::new(value), bucket: Mutex::new(()), sleepers: Condvar::new() }
        }

        pub(crate) fn word(&self) -> &AtomicU32 {
            &self.word
        }

        /// A timed sleep always times out at once: the models have no time, and the race worth exploring is the one
        /// between giving up and being woken.
        pub(crate) fn wait(&self, expected: u32, deadline: Option<&Deadline>) -> Wakeup {
            let bucket = self.bucket.lock().expect("never poisoned");
            if self.word.load(Ordering::Relaxed) != expected {
                return Wakeup::Woken;
            }
            if deadline.is_some() {
                return Wakeup::TimedOut;
            }
            drop(self.sleepers.wait(bucket).expect("never poisoned"));
            Wakeup::Woken
        }

        pub(crate) fn wake(&self, count: u32) {
            let _bucket = self.bucket.lock().expect("never poisoned");
            // No model has as many sleepers.
            if count > i32::MAX as u32 / 2 {
                return self.sleepers.notify_all();
            }
            for _ in 0..count {
                self.sleepers.notify_one();
            }
        }
    }

    pub(crate) struct Deadline;

    impl Deadline {
        pub(crate) fn after(_timeout: Duration) -> Self {
            Self
        }
    }
}
