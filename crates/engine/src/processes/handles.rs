//! The worker processes of a run, for signals that concern the whole run.
//!
//! Owns: which workers live; stopping all of them and letting them go on.
//! Does not own: starting and ending them ([`crate::processes::worker_pool`]), the program's signal handlers.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Signal, pidfd_send_signal};

/// The worker processes of a [`WorkerCommand`](crate::WorkerCommand) and its clones.
///
/// Workers have process groups of their own, so the terminal's signals reach the supervising process alone. It passes
/// on what concerns its workers: Ctrl-Z must stop them too.
#[derive(Clone, Debug, Default)]
pub struct Workers(Arc<Mutex<Vec<Arc<OwnedFd>>>>);

impl Workers {
    /// Stops all workers, calls `meanwhile`, which usually stops this process, and lets the workers go on. No worker
    /// starts meanwhile.
    pub fn stopped<R>(&self, meanwhile: impl FnOnce() -> R) -> R {
        let alive = self.lock();
        signal(&alive, Signal::STOP);
        let result = meanwhile();
        signal(&alive, Signal::CONT);
        result
    }

    /// Lets all workers go on.
    pub fn resume(&self) {
        signal(&self.lock(), Signal::CONT);
    }

    /// The list of the living workers. While it is locked, none may start.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<Arc<OwnedFd>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remove(&self, pidfd: &Arc<OwnedFd>) {
        self.lock().retain(|alive| !Arc::ptr_eq(alive, pidfd));
    }
}

fn signal(alive: &[Arc<OwnedFd>], signal: Signal) {
    for pidfd in alive {
        // A dead worker needs no signal.
        let _ = pidfd_send_signal(pidfd, signal);
    }
}
