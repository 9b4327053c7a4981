//! Waking an engine whose source had no task.
//!
//! Owns: the place for the engine's waker, the waker of a thread that parks.
//! Does not own: how each engine sleeps.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use crate::config::POLL_INTERVAL;
#[cfg(doc)]
use crate::job::source::{Next, Source};

/// Wakes the engine from the threads that feed a source. The source keeps one clone, which
/// [`Source::set_waker`] fills; the threads have others.
#[derive(Clone, Debug, Default)]
pub struct SourceWaker(Arc<Mutex<Option<Waker>>>);

impl SourceWaker {
    /// Wakes by `waker` from now on.
    pub fn set(&self, waker: Waker) {
        *self.lock() = Some(waker);
    }

    /// Has the engine ask the source again. Call it after the task, or the end, was made available. Does nothing before
    /// [`set`](Self::set): the engine asks at least once afterwards.
    pub fn wake(&self) {
        let waker = self.lock().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What [`Source::ask_again_in`] returns for a source that only its threads have tasks for.
    pub fn ask_again_in(&self) -> Duration {
        if self.lock().is_some() { Duration::MAX } else { POLL_INTERVAL }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A waker that unparks the calling thread ([`std::thread::park`]).
pub fn thread_waker() -> Waker {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.unpark();
        }
    }

    Waker::from(Arc::new(Unpark(std::thread::current())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_woken_once_there_is_a_waker() {
        let waker = SourceWaker::default();
        waker.wake();
        assert_eq!(waker.ask_again_in(), POLL_INTERVAL, "nothing would wake the engine");
        waker.set(thread_waker());
        assert_eq!(waker.ask_again_in(), Duration::MAX);
        let other = waker.clone();
        std::thread::spawn(move || other.wake());
        std::thread::park();
    }
}
