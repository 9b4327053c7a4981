//! Permits for parts in memory: while they are collected, and until they have been sent.
//!
//! Owns: the number of permits, waiting for one.
//! Does not own: the parts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use haul_io::Io;

use crate::Error;
use crate::uploads::signal::{Ringer, signal};

/// The permits of a run; clones share them.
#[derive(Clone)]
pub(crate) struct PartPermits(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// The jobs that wait for a permit. All of them look again when one is returned.
    waiting: Vec<Ringer>,
}

/// One permit; returned when this is dropped.
pub(crate) struct PartPermit(PartPermits);

impl PartPermits {
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: count, waiting: Vec::new() })))
    }

    /// A permit, if there is one.
    pub(crate) fn try_take(&self) -> Option<PartPermit> {
        let mut state = self.lock();
        state.free = state.free.checked_sub(1)?;
        Some(PartPermit(self.clone()))
    }

    /// A permit, as soon as there is one. The caller has none: a task with a permit must never wait for another.
    ///
    /// # Errors
    /// If the run was cancelled.
    pub(crate) async fn take(&self, io: &impl Io) -> Result<PartPermit, Error> {
        loop {
            let signal = {
                let mut state = self.lock();
                if state.free > 0 {
                    state.free -= 1;
                    return Ok(PartPermit(self.clone()));
                }
                let (ringer, signal) = signal();
                state.waiting.push(ringer);
                signal
            };
            signal.wait(io).await.map_err(Error::write)?;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PartPermit {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.0.lock();
            state.free += 1;
            std::mem::take(&mut state.waiting)
        };
        // All of them: one that was cancelled must not be the only one that is told.
        waiting.into_iter().for_each(Ringer::ring);
    }
}

#[cfg(test)]
mod tests {
    use haul_io::{Blocking, Cancel, run_ready};

    use super::*;

    #[test]
    fn a_permit_that_is_returned_goes_to_one_that_waits() {
        let permits = PartPermits::new(2);
        let (first, second) = (permits.try_take().unwrap(), permits.try_take().unwrap());
        assert!(permits.try_take().is_none());
        std::thread::scope(|scope| {
            let waits = || {
                let io = Blocking::new(Cancel::new().unwrap());
                drop(run_ready(permits.take(&io)).unwrap());
            };
            let waiting: Vec<_> = (0..4).map(|_| scope.spawn(waits)).collect();
            drop(first);
            waiting.into_iter().for_each(|thread| thread.join().unwrap());
        });
        assert!(permits.try_take().is_some() && permits.lock().free == 1);
        drop(second);
        assert_eq!(permits.lock().free, 2);
    }

    #[test]
    fn waiting_ends_when_the_run_does() {
        let permits = PartPermits::new(0);
        let cancel = Cancel::new().unwrap();
        let io = Blocking::new(cancel.clone());
        cancel.trigger();
        assert!(matches!(run_ready(permits.take(&io)), Err(Error::Cancelled)));
    }
}
