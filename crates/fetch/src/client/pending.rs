//! A request under way, in the hands of whoever wants its result.
//!
//! Each request has one slot, and both its ends share it: the caller's ([`Pending`]) and the worker's ([`Answering`]).
//! The slot's lock orders them. A request that waits for a worker is cancelled by filling the slot: the worker finds it
//! filled and does nothing. One that a worker has is cancelled by that worker's own switch, which lies in the slot
//! exactly as long as the worker is at it, so that no other request is hit.
//!
//! Owns: the slot, waiting for it and waking whoever waits, cancelling one request.
//! Does not own: the workers, fetching.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use haul_io::Cancel;

use crate::{Error, Response};

/// The result of a request that [`Client::submit`](crate::Client::submit) took.
///
/// It can be waited for ([`Pending::wait`]), looked at ([`Pending::try_take`]) and awaited in any runtime. The result
/// is given out once; it comes also when the client is closed.
///
/// Dropping it cancels the request, as nobody can see the result any more; to let one run unobserved use
/// [`Client::fetch_async`](crate::Client::fetch_async). Cost: an allocation or two; no descriptor and no thread of its
/// own.
#[must_use = "dropping it cancels the request"]
pub struct Pending(Arc<Slot>);

/// The worker's end. Dropping it without an answer says that the worker panicked.
pub(crate) struct Answering(Arc<Slot>);

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    progress: Progress,
    /// Who is to be woken by the result.
    waker: Option<Waker>,
}

#[derive(Default)]
enum Progress {
    /// No worker has it.
    #[default]
    Waiting,
    /// A worker has it; this interrupts that worker.
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
    /// Sleeps until the result is there.
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

    /// Sleeps until the result is there, at most for `timeout`. `None` if it isn't there then, or was taken before.
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

    /// Cancels the request: its result is [`Error::Cancelled`], unless it was over already or ends at this moment.
    /// Returns at once. One that waits for a worker is over then, though its place in the queue is free only when its
    /// turn comes.
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
/// When polled after it gave the result, or after that was taken otherwise.
impl Future for Pending {
    type Output = Result<Response, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // Cloning and dropping a waker runs foreign code: not under the lock.
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
    /// The worker that `cancel` interrupts begins. False if nobody wants the result any more.
    pub(crate) fn begin(&self, cancel: &Cancel) -> bool {
        let mut state = self.0.lock();
        let wanted = matches!(state.progress, Progress::Waiting);
        if wanted {
            state.progress = Progress::Running(cancel.clone());
        }
        wanted
    }

    /// The worker is done. It isn't interrupted for this request after that.
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
    /// No foreign code runs under this lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first result counts.
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
