//! Threads that start together, and the time until the last one ends.
//!
//! Owns: the start, the clock, ending orderly if the system refuses a thread.
//! Does not own: what the threads do.

use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// Where threads wait for each other. They begin together, or not at all.
#[derive(Default)]
pub(super) struct Start {
    begins: Mutex<Option<bool>>,
    decided: Condvar,
}

impl Start {
    /// Waits until all threads have been started. Returns false if one was refused: the caller ends at once.
    pub(super) fn wait(&self) -> bool {
        let mut begins = self.begins.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(begins) = *begins {
                return begins;
            }
            begins = self.decided.wait(begins).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn decide(&self, begins: bool) {
        *self.begins.lock().unwrap_or_else(PoisonError::into_inner) = Some(begins);
        self.decided.notify_all();
    }
}

/// The threads started so far.
pub(super) struct Team<'scope, 'env, T> {
    scope: &'scope Scope<'scope, 'env>,
    threads: Vec<ScopedJoinHandle<'scope, T>>,
}

impl<'scope, T: Send + 'scope> Team<'scope, '_, T> {
    /// Starts a thread. It must call [`Start::wait`] first.
    pub(super) fn add(&mut self, work: impl FnOnce() -> T + Send + 'scope) -> io::Result<()> {
        self.threads.push(Builder::new().spawn_scoped(self.scope, work)?);
        Ok(())
    }
}

/// Runs the threads that `assemble` adds. Returns their results, and the time from the start to the end of the last.
///
/// # Errors
/// If the system refuses a thread; those before it have ended without working.
pub(super) fn together<'env, T: Send + 'env>(
    start: &'env Start,
    assemble: impl for<'scope> FnOnce(&mut Team<'scope, 'env, T>) -> io::Result<()>,
) -> io::Result<(Vec<T>, Duration)> {
    std::thread::scope(|scope| {
        let mut team = Team { scope, threads: Vec::new() };
        let assembled = assemble(&mut team);
        let started = Instant::now();
        start.decide(assembled.is_ok());
        let ended = team.threads.into_iter().map(|thread| thread.join().expect("a measured thread panicked"));
        let results = ended.collect();
        assembled.map(|()| (results, started.elapsed()))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn without_all_threads_none_begins() {
        let (start, has_begun) = (Start::default(), AtomicBool::new(false));
        let refused = together(&start, |team| {
            team.add(|| has_begun.store(start.wait(), Ordering::Relaxed))?;
            Err(io::ErrorKind::WouldBlock.into())
        });
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(!has_begun.into_inner());
        let start = Start::default();
        let (results, _) =
            together(&start, |team| (0..3).try_for_each(|_| team.add(|| start.wait()))).unwrap();
        assert_eq!(results, [true; 3]);
    }
}
