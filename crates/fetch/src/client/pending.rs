//! The handle of a submitted request.
//!
//! Each request has one slot, shared by the caller ([`Pending`]) and the worker ([`Answering`]), and ordered by its
//! lock. A request that waits for a worker is cancelled by filling the slot: the worker finds it filled and does
//! nothing. A request that a worker handles is cancelled through the worker's own [`Cancel`], which is in the slot
//! exactly as long as the worker handles this request, so that no other request is cancelled.
//!
//! Owns: the slot, waiting for it, waking the waiting thread or task, cancelling one request.
//! Does not own: the workers, fetching.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use haul_io::Cancel;

use crate::{Error, Response};

/// The result of a request that was submitted by [`Client::submit`](crate::Client::submit).
///
/// It can be waited for ([`Pending::wait`]), polled ([`Pending::try_take`]) and awaited in any async runtime. The
/// result is returned once; there is one even if the client is closed.
///
/// Dropping it cancels the request. To let a request run unobserved, use
/// [`Client::fetch_async`](crate::Client::fetch_async). Cost: one or two allocations; no file descriptor and no thread
/// of its own.
#[must_use = "dropping it cancels the request"]
pub struct Pending(Arc<Slot>);

/// The worker's end. If it is dropped without an answer, the worker panicked.
pub(crate) struct Answering(Arc<Slot>);

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    progress: Progress,
    /// The task to wake when the result is there.
    waker: Option<Waker>,
}

#[derive(Default)]
enum Progress {
    /// No worker handles the request yet.
    #[default]
    Waiting,
    /// A worker handles the request; this interrupts it.
    Running(Cancel),
    Done(Box<Result<Response, Error>>),
    Taken,
}

/// Both ends of a request.
pub(crate) fn pending() -> (Pending, Answering) {
    let slot = Arc::new(Slot::default());
    (Pending(slot.clone()), Answering(slot))
}

impl Pending {
    /// Blocks until the result is there.
    ///
    /// # Errors
    /// As [`Client::fetch`](crate::Client::fetch), and [`Error::Cancelled`] after [`Pending::cancel`].
    ///
    /// # Panics
    /// If the result was taken before.
    pub fn wait(self) -> Result<Response, Error> {
        let state = self.0.lock();
        let state = self.0.filled.wait_while(state, |state| !state.progress.is_over());
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.progress.take().expect("the result was taken before")
    }

    /// Blocks until the result is there, for `timeout` at most. `None` if it isn't there by then, or was taken before.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Option<Result<Response, Error>> {
        let state = self.0.lock();
        let waited = self.0.filled.wait_timeout_while(state, timeout, |state| !state.progress.is_over());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.progress.take()
    }

    /// The result, if it is there and wasn't taken before.
    pub fn try_take(&mut self) -> Option<Result<Response, Error>> {
        self.0.lock().progress.take()
    }

    /// Whether the request is over: its result is there, or was taken.
    pub fn is_done(&self) -> bool {
        self.0.lock().progress.is_over()
    }

    /// Cancels the request: its result is [`Error::Cancelled`], unless it is over already or ends at the same moment.
    /// Returns at once. A request that waits for a worker is over then, but keeps its place in the queue until a worker
    /// takes it.
    pub fn cancel(&self) {
        let state = self.0.lock();
        match &state.progress {
            Progress::Waiting => self.0.fill(state, Err(Error::Cancelled)),
            Progress::Running(worker) => worker.trigger(),
            Progress::Done(_) | Progress::Taken => {}
        }
    }
}

/// # Panics
/// If polled after the result was returned or taken.
impl Future for Pending {
    type Output = Result<Response, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Cloning and dropping a waker runs foreign code, which must not happen under the lock.
        let waker = context.waker().clone();
        let mut state = self.0.lock();
        if state.progress.is_over() {
            return Poll::Ready(state.progress.take().expect("the result was taken before"));
        }
        let previous = state.waker.replace(waker);
        drop(state);
        drop(previous);
        Poll::Pending
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("is_done", &self.is_done()).finish()
    }
}

impl Answering {
    /// The worker that `cancel` interrupts begins. Returns false if the result is no longer wanted.
    pub(crate) fn begin(&self, cancel: &Cancel) -> bool {
        let mut state = self.0.lock();
        let wanted = matches!(state.progress, Progress::Waiting);
        if wanted {
            state.progress = Progress::Running(cancel.clone());
        }
        wanted
    }

    /// The worker has ended. It isn't interrupted for this request after that.
    pub(crate) fn answer(self, result: Result<Response, Error>) {
        self.0.fill(self.0.lock(), result);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.fill(self.0.lock(), Err(Error::WorkerPanicked));
    }
}

impl Slot {
    /// No foreign code runs under this lock, so that a poisoned state is still consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills the slot, unless it has a result already.
    fn fill(&self, mut state: MutexGuard<'_, State>, result: Result<Response, Error>) {
        if state.progress.is_over() {
            return;
        }
        state.progress = Progress::Done(Box::new(result));
        let waker = state.waker.take();
        drop(state);
        self.filled.notify_all();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Progress {
    fn is_over(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Taken)
    }

    fn take(&mut self) -> Option<Result<Response, Error>> {
        match std::mem::replace(self, Self::Taken) {
            Self::Done(result) => Some(*result),
            other => {
                *self = other;
                None
            }
        }
    }
}
