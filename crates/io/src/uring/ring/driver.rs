//! The ring, and what is in flight on it.
//!
//! The life of an operation: its request is put into a slot and submitted; its completion is reaped and waits in the
//! slot; the job takes it. If the job is dropped before that, the request becomes an orphan: it is cancelled, and its
//! slot is kept until the kernel has completed it.
//!
//! Owns: submission, reaping, timeouts, interruption.
//! Does not own: the end of the ring ([`end`]), jobs ([`crate::uring::executor`]), what an operation means
//! ([`super::request`]).
//!
//! Source: io_uring_enter(2), io_uring_prep_cancel(3).

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::io::Errno;

use super::park::Park;
use super::pending::{CompletedRequest, Interruption, PendingRequest, PooledCompletion, RequestState};
use super::request::Request;
use super::slab::{Key, Slab};
use super::timers::Timers;
use crate::system::ring_broke;
use crate::system::shortage::Patience;
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
    /// The number of entries put into the submission queue so far.
    pushed: u64,
    /// How long the kernel has been too short of memory to be entered.
    patience: Patience,
    state: RingState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RingState {
    Open,
    /// The kernel can't be entered any more ([`broken`]).
    Broken(Errno),
    /// Nothing is in flight and nothing can be submitted.
    Closed,
}

/// What came of entering the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entered {
    Yes,
    No,
}

/// The user data of completions that are ignored: those of cancellations.
const IGNORED: u64 = u64::MAX;

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
            pushed: 0,
            patience: Patience::default(),
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
        let key = self.slots.insert(PendingRequest::new(request, state, deadline));
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
        if let RingState::Broken(errno) = self.state {
            return self.complete(key, Err(ring_broke(errno)));
        }
        slot.entry_number = None;
        self.in_kernel += 1;
        if self.push(&entry.user_data(key.to_bits())) == Entered::No {
            return;
        }
        let entry_number = Some(self.pushed);
        self.slots.get_mut(key).into_iter().for_each(|slot| slot.entry_number = entry_number);
        // Making room for the entry may have entered the kernel, and the run's cancellation may have been seen then.
        // In that case the request was interrupted before the kernel knew it.
        if let Some(why) = self.slots.get_mut(key).and_then(|slot| slot.interruption) {
            self.interrupt(key, why);
        }
    }

    /// Puts an entry into the submission queue; the kernel sees it at the next turn. Without success if there is no
    /// room and the kernel can't be entered to make some.
    fn push(&mut self, entry: &squeue::Entry) -> Entered {
        while !matches!(self.state, RingState::Broken(_)) {
            // SAFETY: the entry points at memory that the request in its slot owns, at addresses that don't change. The
            // slot is emptied only after its completion was reaped, or never (`close`), and no code touches the request
            // before.
            let pushed = unsafe { self.ring.submission().push(entry) };
            if pushed.is_ok() {
                self.pushed += 1;
                return Entered::Yes;
            }
            if self.enter(None) == Entered::No {
                break;
            }
        }
        Entered::No
    }

    /// The completed request of `key`, if it has completed.
    pub(crate) fn take(&mut self, key: Key) -> Option<CompletedRequest> {
        match self.slots.get_mut(key)?.state {
            RequestState::Completed { .. } => {}
            RequestState::Lost { .. } => return self.take_lost(key),
            _ => return None,
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
            (false, _) if matches!(slot.state, RequestState::Lost { .. }) => {
                slot.state = RequestState::Orphaned
            }
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
        if let RingState::Broken(_) = self.state {
            return self.turn_broken(wait_max);
        }
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

    /// Enters the kernel, sleeping there at most for `sleep`, and reaps. If the kernel refuses for good, the ring
    /// breaks.
    fn enter(&mut self, sleep: Option<Duration>) -> Entered {
        if let RingState::Broken(_) = self.state {
            return Entered::No;
        }
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
        let refusal = match entered.map_err(|error| Errno::from_io_error(&error)) {
            // The timeout is over, or a signal arrived: reap and go on.
            Ok(_) | Err(Some(Errno::TIME | Errno::INTR)) => None,
            Err(error) => Some(error.unwrap_or(Errno::IO)),
        };
        let has_reaped = self.reap();
        match refusal {
            Some(errno) => self.refused(errno, has_reaped),
            None => {
                self.patience.reset();
                Entered::Yes
            }
        }
    }

    /// Takes up the completions that are there, and returns whether there were any.
    fn reap(&mut self) -> bool {
        let mut reaped = std::mem::take(&mut self.reaped);
        reaped.extend(self.ring.completion());
        let has_reaped = !reaped.is_empty();
        let now = Instant::now();
        for entry in reaped.drain(..) {
            if entry.user_data() != IGNORED {
                self.completed(Key::from_bits(entry.user_data()), entry.result(), now);
            }
        }
        self.reaped = reaped;
        has_reaped
    }

    /// The kernel is done with `key`.
    fn completed(&mut self, key: Key, result: i32, now: Instant) {
        let is_broken = matches!(self.state, RingState::Broken(_));
        let result = u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
        let Some(slot) = self.slots.get_mut(key) else {
            // The ring broke in the middle of a reaping, and gave this request up.
            assert!(is_broken, "a slot is kept until the kernel is done with it");
            return;
        };
        if is_broken && matches!(slot.state, RequestState::Completed { .. }) {
            return;
        }
        self.in_kernel -= 1;
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
            // Its job is on the list of those with a result to take.
            (RequestState::Lost { .. }, _) => slot.state = RequestState::Completed { result, at: now },
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
        let result = result.map_err(|error| slot.error(error));
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
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.close();
    }
}

mod broken;
mod end;
#[cfg(test)]
mod tests;
