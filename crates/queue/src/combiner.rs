//! Flat combining: one thread at a time applies what all threads have published.
//!
//! Owns: the lock, the fences on both sides of it, the second look that lets no published request be left behind.
//! Does not own: where requests are published, and what applying them means (the caller's closures).
//!
//! Source: `PROTOCOL.md`, part 3; the step numbers in the comments are those of that file. After D. Hendler, I. Incze,
//! N. Shavit and M. Tzafrir, "Flat combining and the synchronization-parallelism tradeoff", SPAA 2010.

use crate::sync::{Mutex, Ordering, fence};
use std::sync::TryLockError;

/// State that whichever thread needs it next works on, on behalf of all.
///
/// A thread publishes a request in shared memory, usually a [`Ring`](crate::Ring), and calls
/// [`combine`](Combiner::combine). If the lock is free, the thread becomes the combiner and applies every request it
/// finds; if not, it goes on at once, and the combiner of the moment is certain to see the request.
pub struct Combiner<T>(Mutex<T>);

/// A combiner panicked, so the state may be half changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poisoned;

impl<T> Combiner<T> {
    /// Wraps `state`.
    pub fn new(state: T) -> Self {
        Self(Mutex::new(state))
    }

    /// Runs `apply` on the state, unless another thread is the combiner at this moment. Never sleeps.
    ///
    /// `apply` takes the published requests. It runs again as long as `is_due` holds after the lock was released, so
    /// `is_due` should hold exactly while requests are published that may not wait. Cost: two fences and an uncontended
    /// lock.
    ///
    /// # Errors
    /// [`Poisoned`] if `apply` panicked, on this thread or another, at any time before.
    pub fn combine(&self, mut apply: impl FnMut(&mut T), is_due: impl Fn() -> bool) -> Result<(), Poisoned> {
        loop {
            // D2: before this fence the request was published (D1).
            fence(Ordering::SeqCst);
            match self.0.try_lock() {
                // D3, and D4 when `state` goes out of scope.
                Ok(mut state) => apply(&mut state),
                Err(TryLockError::WouldBlock) => return Ok(()),
                Err(TryLockError::Poisoned(_)) => return Err(Poisoned),
            }
            // D5: a thread whose D2 found the lock taken relies on this look.
            fence(Ordering::SeqCst);
            if !is_due() {
                return Ok(());
            }
        }
    }

    /// Runs `visit` on the state, sleeping while another thread is the combiner.
    ///
    /// Requests published meanwhile found the lock taken: call [`combine`](Self::combine) afterwards (D6).
    ///
    /// # Errors
    /// [`Poisoned`] if a combiner panicked.
    pub fn visit<R>(&self, visit: impl FnOnce(&mut T) -> R) -> Result<R, Poisoned> {
        self.0.lock().map(|mut state| visit(&mut state)).map_err(|_| Poisoned)
    }

    /// The state, once no thread combines any more.
    ///
    /// # Errors
    /// [`Poisoned`] if a combiner panicked.
    pub fn into_inner(self) -> Result<T, Poisoned> {
        self.0.into_inner().map_err(|_| Poisoned)
    }
}
