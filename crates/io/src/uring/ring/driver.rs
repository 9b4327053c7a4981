//! The ring, and what is in flight on it.
//!
//! The life of an operation: its request is put into a slot and submitted; its completion is reaped and waits in the
//! slot; the job takes it. If the job is dropped before that, the request becomes an orphan: it is cancelled, and its
//! slot is kept until the kernel has completed it.
//!
//! Owns: submission, reaping, timeouts, interruption, the end of the ring.
//! Does not own: jobs ([`crate::uring::executor`]), what an operation means ([`super::request`]).
//!
//! Source: io_uring_enter(2), io_uring_prep_cancel(3).

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::io::Errno;

use super::park::Park;
use super::pending::{CompletedRequest, Interruption, PendingRequest, PooledCompletion, RequestState};
use super::request::Request;
use super::slab::{Key, Slab};
use super::timers::Timers;
use crate::uring::jobs::JobId;
use crate::{Cancel, cancelled};

pub(crate) struct Driver {
    ring: IoUring,
    slots: Slab<PendingRequest>,
    timers: Timers,
    /// Jobs with a result to take.
    ready: VecDeque<JobId>,
    /// Slots that the kernel has not completed. It may write to their buffers until then.
    in_kernel: usize,
    cancel: Cancel,
    park: Arc<Park>,
    /// The completions of one reaping; kept for its storage.
    reaped: Vec<cqueue::Entry>,
    state: RingState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RingState {
    Open,
    /// Nothing is in flight and nothing can be submitted.
    Closed,
}

/// How the ring ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Teardown {
    /// The kernel was done with all memory before it was freed.
    Drained,
    /// This many operations didn't end in time; their memory is never freed.
    Leaked(usize),
}

/// The user data of completions that are ignored: those of cancellations.
const IGNORED: u64 = u64::MAX;

/// How long a teardown waits for operations that can't be interrupted, such as those of a disk that doesn't answer.
const DRAIN_MAX: Duration = Duration::from_secs(10);

impl Driver {
    pub(crate) fn new(ring: IoUring, capacity: usize, cancel: Cancel, park: Arc<Park>) -> Self {
        let mut driver = Self {
            ring,
            slots: Slab::with_capacity(capacity),
            timers: Timers::default(),
            ready: VecDeque::with_capacity(capacity),
            in_kernel: 0,
            cancel: cancel.clone(),
            park: park.clone(),
            reaped: Vec::new(),
            state: RingState::Open,
        };
        driver.arm(Request::CancelSignal { cancel });
        driver.arm(Request::WakeUp { park, counter: [0; 8] });
        driver
    }

    /// Starts `request` for `job`. At the deadline it fails with `TimedOut`; a timer succeeds.
    pub(crate) fn start(&mut self, request: Request, job: JobId, deadline: Option<Instant>) -> Key {
        self.insert(request, RequestState::Awaited(job), deadline)
    }

    fn arm(&mut self, request: Request) {
        self.insert(request, RequestState::Internal, None);
    }

    fn insert(&mut self, request: Request, state: RequestState, deadline: Option<Instant>) -> Key {
        let submitted = Instant::now();
        let key =
            self.slots.insert(PendingRequest { request, state, submitted, deadline, interruption: None });
        if let Some(deadline) = deadline {
            self.timers.insert(deadline, key);
        }
        if self.state == RingState::Closed {
            self.complete(key, Err(cancelled()));
        } else {
            self.submit(key);
        }
        key
    }

    fn submit(&mut self, key: Key) {
        let slot = self.slots.get_mut(key).expect("just inserted, or being restarted");
        let Some(entry) = slot.request.entry() else { return };
        self.in_kernel += 1;
        self.push(&entry.user_data(key.to_bits()));
        // Making room for the entry may have entered the kernel, and the run's cancellation may have been seen then.
        // In that case the request was interrupted before the kernel knew it.
        if let Some(why) = self.slots.get_mut(key).and_then(|slot| slot.interruption) {
            self.interrupt(key, why);
        }
    }

    /// Puts an entry into the submission queue; the kernel sees it at the next turn.
    fn push(&mut self, entry: &squeue::Entry) {
        loop {
            // SAFETY: the entry points at memory that the request in its slot owns, at addresses that don't change. The
            // slot is emptied only after its completion was reaped, or never (`close`), and no code touches the request
            // before.
            let pushed = unsafe { self.ring.submission().push(entry) };
            if pushed.is_ok() {
                return;
            }
            self.enter(None);
        }
    }

    /// The completed request of `key`, if it has completed.
    pub(crate) fn take(&mut self, key: Key) -> Option<CompletedRequest> {
        if !matches!(self.slots.get_mut(key)?.state, RequestState::Completed { .. }) {
            return None;
        }
        let PendingRequest { request, state, submitted, .. } = self.slots.remove(key)?;
        let RequestState::Completed { result, at } = state else { unreachable!("checked above") };
        Some(CompletedRequest { request, result, submitted, completed: at })
    }

    /// The job that awaited `key` was dropped.
    pub(crate) fn abandon(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let deadline = slot.deadline.take();
        let in_flight = matches!(slot.state, RequestState::Awaited(_));
        match (in_flight, &slot.request) {
            (true, Request::Timer | Request::Lookup { .. }) | (false, _) => self.discard(key),
            (true, Request::Pooled { .. }) => slot.state = RequestState::Orphaned,
            (true, _) => {
                slot.state = RequestState::Orphaned;
                self.interrupt(key, Interruption::Cancelled);
            }
        }
        if let Some(deadline) = deadline {
            self.timers.remove(deadline, key);
        }
    }

    fn discard(&mut self, key: Key) {
        if let Some(PendingRequest { request, state: RequestState::Completed { result, .. }, .. }) =
            self.slots.remove(key)
        {
            request.discard(result);
        }
    }

    /// A thread has completed `key`.
    pub(crate) fn pooled(&mut self, done: PooledCompletion) {
        let Some(slot) = self.slots.get_mut(done.key) else { return };
        if let Request::Lookup { completion } = &mut slot.request {
            // It may have ended before, by its deadline or the run's cancellation.
            if matches!(slot.state, RequestState::Awaited(_)) {
                *completion = done.completion.ok();
                self.complete_at(done.key, Ok(0), done.at);
            }
        } else {
            slot.request = Request::Pooled { completion: Some(done.completion) };
            self.complete_at(done.key, Ok(0), done.at);
        }
    }

    /// Jobs with a result to take, in the order of completion; `spare` becomes the new list.
    pub(crate) fn take_ready(&mut self, spare: VecDeque<JobId>) -> VecDeque<JobId> {
        std::mem::replace(&mut self.ready, spare)
    }

    /// Makes `job` ready although none of its operations completed: it yielded.
    pub(crate) fn make_ready(&mut self, job: JobId) {
        self.ready.push_back(job);
    }

    /// Submits what was started and reaps what is complete. With nothing ready it sleeps until something completes,
    /// the ring is woken or `wait_max` is over. Returns whether the ring was woken.
    pub(crate) fn turn(&mut self, wait_max: Duration) -> bool {
        let now = Instant::now();
        let sleeps = !wait_max.is_zero() && self.ready.is_empty() && self.ring.completion().is_empty();
        if sleeps && self.park.prepare_to_sleep() {
            let until_timer = self.timers.earliest().map(|moment| moment.saturating_duration_since(now));
            self.enter(Some(until_timer.map_or(wait_max, |left| left.min(wait_max))));
        } else if self.has_work() {
            self.enter(None);
        }
        self.expire();
        self.park.wake_up()
    }

    fn has_work(&mut self) -> bool {
        let submission = self.ring.submission();
        let kernel_waits = !submission.is_empty() || submission.taskrun() || submission.cq_overflow();
        drop(submission);
        kernel_waits || !self.ring.completion().is_empty()
    }

    /// Enters the kernel, sleeping there at most for `sleep`, and reaps.
    fn enter(&mut self, sleep: Option<Duration>) {
        let submitter = self.ring.submitter();
        let entered = match sleep {
            None => submitter.submit(),
            // Longer than the kernel's timeout can be.
            Some(wait_max) if wait_max.as_secs() > u64::from(u32::MAX) => submitter.submit_and_wait(1),
            Some(wait_max) => {
                let wait_max = Timespec::from(wait_max);
                submitter.submit_with_args(1, &SubmitArgs::new().timespec(&wait_max))
            }
        };
        match entered.map_err(|error| Errno::from_io_error(&error)) {
            Ok(_) => {}
            // The timeout is over, a signal arrived, or the kernel is short of memory or room for completions: reap
            // and go on.
            Err(Some(Errno::TIME | Errno::INTR | Errno::AGAIN | Errno::BUSY | Errno::NOMEM)) => {}
            Err(error) => panic!("cannot enter the ring: {error:?}"),
        }
        self.reap();
    }

    fn reap(&mut self) {
        let mut reaped = std::mem::take(&mut self.reaped);
        reaped.extend(self.ring.completion());
        let now = Instant::now();
        for entry in reaped.drain(..) {
            if entry.user_data() != IGNORED {
                self.completed(Key::from_bits(entry.user_data()), entry.result(), now);
            }
        }
        self.reaped = reaped;
    }

    /// The kernel is done with `key`.
    fn completed(&mut self, key: Key, result: i32, now: Instant) {
        self.in_kernel -= 1;
        let result = u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
        let Some(slot) = self.slots.get_mut(key) else {
            unreachable!("a slot is kept until the kernel is done with it");
        };
        let interrupted_by_signal =
            matches!(&result, Err(error) if error.kind() == io::ErrorKind::Interrupted);
        match (&slot.state, slot.interruption) {
            (RequestState::Internal, _) => self.internal_completed(key),
            (RequestState::Orphaned, _) => {
                if let Some(slot) = self.slots.remove(key) {
                    slot.request.discard(result);
                }
            }
            (RequestState::Awaited(_), None) if interrupted_by_signal => self.submit(key),
            (RequestState::Awaited(_), _) => self.complete_at(key, result, now),
            (RequestState::Completed { .. }, _) => unreachable!("the kernel completes a request once"),
        }
    }

    fn internal_completed(&mut self, key: Key) {
        let Some(slot) = self.slots.remove(key).filter(|_| self.state == RingState::Open) else { return };
        match slot.request {
            Request::CancelSignal { .. } if self.cancel.is_triggered() => self.interrupt_all(),
            again => self.arm(again),
        }
    }

    fn complete(&mut self, key: Key, result: io::Result<u32>) {
        self.complete_at(key, result, Instant::now());
    }

    fn complete_at(&mut self, key: Key, result: io::Result<u32>, at: Instant) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if let Some(deadline) = slot.deadline.take() {
            self.timers.remove(deadline, key);
        }
        let result = result.map_err(|error| match slot.interruption {
            Some(Interruption::TimedOut) => io::ErrorKind::TimedOut.into(),
            Some(Interruption::Cancelled) => cancelled(),
            None => error,
        });
        match std::mem::replace(&mut slot.state, RequestState::Completed { result, at }) {
            RequestState::Awaited(job) => self.ready.push_back(job),
            _ => self.discard(key),
        }
    }

    fn expire(&mut self) {
        if self.timers.earliest().is_none() {
            return;
        }
        let now = Instant::now();
        while let Some(key) = self.timers.pop_due(now) {
            let Some(slot) = self.slots.get_mut(key) else { continue };
            slot.deadline = None;
            match slot.request {
                Request::Timer => self.complete_at(key, Ok(0), now),
                Request::Lookup { .. } => self.complete_at(key, Err(io::ErrorKind::TimedOut.into()), now),
                _ => self.interrupt(key, Interruption::TimedOut),
            }
        }
    }

    /// Interrupts all requests that the run's cancellation applies to.
    fn interrupt_all(&mut self) {
        for key in self.slots.keys() {
            let Some(slot) = self.slots.get_mut(key) else { continue };
            if !matches!(slot.state, RequestState::Awaited(_)) || !slot.request.is_interrupted_by_cancel() {
                continue;
            }
            match slot.request {
                Request::Timer | Request::Lookup { .. } => self.complete(key, Err(cancelled())),
                _ => self.interrupt(key, Interruption::Cancelled),
            }
        }
    }

    /// Asks the kernel to end `key` early. It completes in any case, perhaps with success.
    fn interrupt(&mut self, key: Key, why: Interruption) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.interruption.get_or_insert(why);
            self.push(&opcode::AsyncCancel::new(key.to_bits()).build().user_data(IGNORED));
        }
    }

    /// Ends the ring: cancels everything and waits until the kernel is done with it. Closing a ring is no barrier: the
    /// kernel goes on writing into buffers after close(2) has returned. The memory of requests that don't end in time
    /// is leaked.
    pub(crate) fn close(&mut self) -> Teardown {
        self.close_within(DRAIN_MAX)
    }

    fn close_within(&mut self, wait_max: Duration) -> Teardown {
        if self.state == RingState::Closed {
            return Teardown::Drained;
        }
        self.state = RingState::Closed;
        self.push(&opcode::AsyncCancel2::new(CancelBuilder::any()).build().user_data(IGNORED));
        // Kernels before 5.19 don't know "any".
        for key in self.slots.keys() {
            self.interrupt(key, Interruption::Cancelled);
        }
        self.drain(Instant::now() + wait_max);
        let left = self.in_kernel;
        if left > 0 {
            std::mem::forget(std::mem::replace(&mut self.slots, Slab::with_capacity(0)));
        } else {
            self.release();
        }
        if left > 0 { Teardown::Leaked(left) } else { Teardown::Drained }
    }

    fn drain(&mut self, deadline: Instant) {
        while self.in_kernel > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.enter(Some(left));
        }
    }

    /// Completes the requests that the kernel never knew: timers, and the work of pool threads.
    fn release(&mut self) {
        for key in self.slots.keys() {
            if self.slots.get_mut(key).is_some_and(|slot| matches!(slot.state, RequestState::Awaited(_))) {
                self.complete(key, Err(cancelled()));
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
