//! A ring that the kernel can't be entered for any more, although it could be before: a filter of system calls that was
//! installed meanwhile, memory that stays short, completions that the kernel has dropped.
//!
//! Requests that the kernel has not seen yet are given back whole, to be carried out by system calls. Those that it has
//! begun are lost: no call returns their results, and they can't be repeated (a failed sync, for one, reports its
//! failure only once). Their jobs get an error that names the reason, and their memory is never freed, because the
//! kernel may still write to it. Timers, look-ups and the work of pool threads go on, so that jobs can clean up.
//!
//! Owns: which refusals break a ring, dividing the requests, turning without the kernel.
//! Does not own: carrying out operations by other means ([`crate::uring::task`]).
//!
//! Source: io_uring_enter(2).

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::end::Teardown;
use super::{Driver, Entered, RingState};
use crate::system::ring_broke;
use crate::system::shortage::Patient;
use crate::uring::ring::pending::{CompletedRequest, RequestState};
use crate::uring::ring::request::Request;
use crate::uring::ring::slab::Key;

/// The longest sleep of a broken ring. The kernel may still carry out the ring's last read of wake-ups, and take away
/// one that was meant to end the sleep.
const SLEEP_MAX: Duration = Duration::from_millis(10);

impl Driver {
    /// Why the ring broke, if it did.
    pub(crate) fn failure(&self) -> Option<Errno> {
        match self.state {
            RingState::Broken(errno) => Some(errno),
            RingState::Open | RingState::Closed => None,
        }
    }

    /// The kernel refused to be entered. Waits if that may pass; else the ring breaks.
    pub(super) fn refused(&mut self, errno: Errno, has_reaped: bool) -> Entered {
        let is_short = matches!(errno, Errno::AGAIN | Errno::BUSY | Errno::NOMEM | Errno::NOBUFS);
        if is_short && has_reaped {
            // There is room again for what the kernel had no room for.
            self.patience.reset();
            return Entered::Yes;
        }
        if is_short && let Patient::Wait(pause) = self.patience.after_shortage() {
            std::thread::sleep(pause);
            return Entered::Yes;
        }
        if self.state == RingState::Open {
            self.break_off(errno);
        }
        Entered::No
    }

    /// Divides the requests into those that the kernel has seen and those that it will never see.
    fn break_off(&mut self, errno: Errno) {
        self.state = RingState::Broken(errno);
        self.park.let_reading_fail();
        let unseen = self.ring.submission().len() as u64;
        let seen = self.pushed - unseen;
        let now = Instant::now();
        for key in self.slots.keys() {
            let Some(slot) = self.slots.get_mut(key) else { continue };
            let is_seen = slot.entry_number.is_some_and(|number| number <= seen);
            match (&slot.state, &slot.request) {
                (
                    _,
                    Request::Pooled { .. } | Request::Lookup { .. } | Request::Timer | Request::Lost { .. },
                )
                | (RequestState::Completed { .. } | RequestState::Lost { .. }, _) => {}
                // A poll uses no memory of this process.
                (RequestState::Awaited(_), Request::Connect { .. }) => self.give_back(key, errno),
                (RequestState::Awaited(_), _) if !is_seen => self.give_back(key, errno),
                (RequestState::Awaited(job), _) => {
                    self.ready.push_back(*job);
                    slot.state = RequestState::Lost { at: now };
                    if let Some(deadline) = slot.deadline.take() {
                        self.timers.remove(deadline, key);
                    }
                }
                (RequestState::Internal | RequestState::Orphaned, _) if is_seen => {
                    slot.state = RequestState::Orphaned;
                }
                (RequestState::Internal | RequestState::Orphaned, _) => {
                    self.slots.remove(key);
                    self.in_kernel -= 1;
                }
            }
        }
    }

    fn give_back(&mut self, key: Key, errno: Errno) {
        self.in_kernel -= 1;
        self.complete(key, Err(ring_broke(errno)));
    }

    /// The result of a request that the kernel will not complete. Its slot keeps its memory.
    pub(super) fn take_lost(&mut self, key: Key) -> Option<CompletedRequest> {
        let RingState::Broken(errno) = self.state else { return None };
        let slot = self.slots.get_mut(key)?;
        let RequestState::Lost { at } = slot.state else { return None };
        slot.state = RequestState::Orphaned;
        let result: io::Result<u32> = Err(slot.error(ring_broke(errno)));
        Some(CompletedRequest {
            request: slot.request.lost(),
            result,
            submitted: slot.submitted,
            completed: at,
        })
    }

    /// [`Driver::turn`] without the kernel: sleeps until the ring is woken, the run is cancelled, or a timer ends.
    pub(super) fn turn_broken(&mut self, wait_max: Duration) -> bool {
        if self.ready.is_empty() && !wait_max.is_zero() && self.park.prepare_to_sleep() {
            let until_timer =
                self.timers.earliest().map(|moment| moment.saturating_duration_since(Instant::now()));
            let sleep_max = wait_max.min(SLEEP_MAX).min(until_timer.unwrap_or(Duration::MAX));
            let mut fds = vec![PollFd::new(&*self.park, PollFlags::IN)];
            if !self.cancel.is_triggered() {
                fds.push(PollFd::new(&self.cancel, PollFlags::IN));
            }
            // Whatever ends the sleep, the caller looks at everything again.
            let _ = poll(&mut fds, Timespec::try_from(sleep_max).ok().as_ref());
            if fds[0].revents().contains(PollFlags::IN) {
                self.park.silence();
            }
        }
        if self.cancel.is_triggered() {
            self.interrupt_all();
        }
        self.expire();
        self.park.wake_up()
    }

    /// Ends a broken ring. What the kernel has begun keeps its memory.
    pub(super) fn close_broken(&mut self) -> Teardown {
        self.state = RingState::Closed;
        self.free_slots()
    }
}
