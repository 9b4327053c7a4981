//! Work that blocks, on threads of its own.
//!
//! Owns: the threads of a run and their end, waiting for the result of one piece of work.
//! Does not own: the work.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haul_engine::Closing;
use haul_io::{Cancel, Io};

use crate::client::workers::{WorkerLimits, Workers};
use crate::uploads::signal::{Ringer, signal};

/// One for each request that is under way at a store; most wait.
const THREADS_MAX: usize = 64;
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

type Work = Box<dyn FnOnce() + Send>;

/// The threads. They start when there is work. Clones share them.
#[derive(Clone)]
pub(crate) struct Offload(Arc<Workers<Work>>);

/// What becomes of a piece of work.
enum Outcome<T> {
    /// It is under way, and this waits for it.
    Awaited(Option<Ringer>),
    /// It has ended, in a panic if there is no result.
    Ended(Option<T>),
}

/// The thread's end: the outcome is told when this is dropped.
struct Answer<T>(Arc<Mutex<Outcome<T>>>, Option<T>);

impl Offload {
    /// # Errors
    /// If the process has no descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        let limits =
            WorkerLimits { threads_max: THREADS_MAX, queue_max: usize::MAX, idle_timeout: IDLE_TIMEOUT };
        Ok(Self(Arc::new(Workers::new(limits, Cancel::new()?, |_, work: Work| work()))))
    }

    /// Has a thread do `work`. Where there is none, the caller's does it.
    pub(crate) fn start(&self, work: impl FnOnce() + Send + 'static) {
        if let Err((_, work)) = self.0.submit(Box::new(work)) {
            work();
        }
    }

    /// The result of `work`, which a thread does.
    ///
    /// # Errors
    /// If the run was cancelled: the work is then done nevertheless. If it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        io: &impl Io,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let outcome = Arc::new(Mutex::new(Outcome::Awaited(None)));
        let answer = Answer(outcome.clone(), None);
        self.start(move || answer.give(work()));
        loop {
            let signal = {
                let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                match &mut *outcome {
                    Outcome::Ended(result) => {
                        return result.take().ok_or_else(|| io::Error::other("a worker panicked"));
                    }
                    Outcome::Awaited(ringer) => {
                        let (ours, signal) = signal();
                        *ringer = Some(ours);
                        signal
                    }
                }
            };
            signal.wait(io).await?;
        }
    }

    /// Does what was handed over, and ends the threads.
    pub(crate) fn close(&self) {
        self.0.close(Closing::Finish);
    }
}

impl<T> Answer<T> {
    fn give(mut self, result: T) {
        self.1 = Some(result);
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        let ended = Outcome::Ended(self.1.take());
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), ended);
        if let Outcome::Awaited(Some(ringer)) = before {
            ringer.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use haul_io::{Blocking, run_ready};

    use super::*;

    #[test]
    fn work_has_a_result_an_end_or_is_cancelled() {
        let offload = Offload::new().unwrap();
        let cancel = Cancel::new().unwrap();
        let io = Blocking::new(cancel.clone());
        assert_eq!(run_ready(offload.run(&io, || 1)).unwrap(), 1);
        let panicked = run_ready(offload.run(&io, || -> u8 { panic!("as a test wants it") }));
        assert!(panicked.unwrap_err().to_string().contains("panicked"));
        let (sender, receiver) = std::sync::mpsc::channel();
        let (begun, began) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                began.recv().unwrap();
                cancel.trigger();
            });
            let waits = offload.run(&io, move || {
                begun.send(()).unwrap();
                receiver.recv().unwrap();
            });
            assert!(haul_io::is_cancelled(&run_ready(waits).unwrap_err()));
        });
        sender.send(()).unwrap();
        offload.close();
        let io = Blocking::new(Cancel::new().unwrap());
        assert_eq!(run_ready(offload.run(&io, || 2)).unwrap(), 2, "on this thread");
    }
}
