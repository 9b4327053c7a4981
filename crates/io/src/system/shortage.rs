//! Waiting for descriptors and memory that other work will free.
//!
//! A process without a free descriptor is busy, not broken: tasks that end free some. Memory of the kernel is short for
//! moments only. `EAGAIN` is a shortage too, where an operation gets it that doesn't wait for readiness.
//!
//! Owns: which errors are shortages, how long a worker waits.
//! Does not own: the pause itself, which each execution makes in its own way.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use rustix::io::Errno;

/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the jobs of a worker wait in a row before one of them fails.
const TIME_MAX: Duration = Duration::from_secs(5);

/// How long the jobs of one worker have been waiting in vain for descriptors or memory.
#[derive(Debug, Default)]
pub struct Patience {
    /// When the present shortage was first met, and when it was last met.
    short: Cell<Option<(Instant, Instant)>>,
}

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patient {
    /// Something was freed: try again at once.
    TryAgain,
    /// Try again after this time.
    Wait(Duration),
    /// It isn't a shortage, or it lasts too long.
    GiveUp,
}

/// Whether `error` means that descriptors or memory are short.
pub fn is_shortage(error: &io::Error) -> bool {
    let short = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::AGAIN];
    Errno::from_io_error(error).is_some_and(|errno| short.contains(&errno))
}

impl Patience {
    /// As if a worker had waited in vain for long enough.
    #[cfg(test)]
    pub(crate) fn exhaust(&self) {
        let now = Instant::now();
        self.short.set(Some((now.checked_sub(TIME_MAX).expect("the system runs for longer"), now)));
    }

    /// What to do after `error`. `frees` gives up what the worker itself keeps for later, and says whether there was
    /// anything.
    pub fn after(&self, error: &io::Error, frees: impl FnOnce() -> bool) -> Patient {
        self.after_at(error, frees, Instant::now())
    }

    /// What to do after an error that is known to be a shortage.
    pub(crate) fn after_shortage(&self) -> Patient {
        self.after_shortage_at(Instant::now())
    }

    /// What was refused is granted again: the shortage is over.
    pub fn reset(&self) {
        self.short.set(None);
    }

    fn after_at(&self, error: &io::Error, frees: impl FnOnce() -> bool, now: Instant) -> Patient {
        if !is_shortage(error) {
            return Patient::GiveUp;
        }
        if frees() {
            return Patient::TryAgain;
        }
        self.after_shortage_at(now)
    }

    fn after_shortage_at(&self, now: Instant) -> Patient {
        // A worker that was not refused anything for a while has met another shortage.
        let is_same = |last: Instant| now.saturating_duration_since(last) < TIME_MAX;
        let begun = self.short.get().filter(|(_, last)| is_same(*last)).map_or(now, |(begun, _)| begun);
        self.short.set(Some((begun, now)));
        if now.saturating_duration_since(begun) < TIME_MAX { Patient::Wait(PAUSE) } else { Patient::GiveUp }
    }
}

/// Errors that the next operations of a thread fail with.
#[cfg(test)]
pub(crate) mod faults {
    use std::cell::RefCell;
    use std::io;

    use rustix::io::Errno;

    thread_local! {
        static NEXT: RefCell<Vec<Errno>> = const { RefCell::new(Vec::new()) };
    }

    pub(crate) fn inject(errno: Errno, count: usize) {
        NEXT.set(vec![errno; count]);
    }

    /// The number of errors that were not met.
    pub(crate) fn left() -> usize {
        NEXT.with_borrow(Vec::len)
    }

    pub(crate) fn injected() -> io::Result<()> {
        Ok(injected_errno()?)
    }

    pub(crate) fn injected_errno() -> rustix::io::Result<()> {
        NEXT.with_borrow_mut(Vec::pop).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_waits_for_a_while_and_then_fails_at_once() {
        let (patience, start) = (Patience::default(), Instant::now());
        let after = |number: i32, seconds: u64| {
            let error = io::Error::from_raw_os_error(number);
            patience.after_at(&error, || false, start + Duration::from_secs(seconds))
        };
        let (mfile, noent) = (Errno::MFILE.raw_os_error(), Errno::NOENT.raw_os_error());
        assert_eq!(after(noent, 0), Patient::GiveUp);
        assert_eq!(after(mfile, 0), Patient::Wait(PAUSE));
        assert_eq!(after(mfile, 4), Patient::Wait(PAUSE));
        assert_eq!(after(mfile, 5), Patient::GiveUp);
        assert_eq!(after(mfile, 6), Patient::GiveUp, "the next task fails at once");
        assert_eq!(after(mfile, 30), Patient::Wait(PAUSE), "another shortage");
        patience.reset();
        assert_eq!(after(mfile, 34), Patient::Wait(PAUSE));
        patience.reset();
        assert_eq!(after(mfile, 36), Patient::Wait(PAUSE), "something was granted in between");
        let error = io::Error::from(Errno::MFILE);
        assert_eq!(patience.after_at(&error, || true, start), Patient::TryAgain);
    }
}
