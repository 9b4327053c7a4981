//! The end of a ring.
//!
//! Owns: cancelling what is in flight, waiting for the kernel, leaking what it doesn't give back.
//! Does not own: when a ring ends.
//!
//! Source: io_uring_prep_cancel(3).

use std::time::{Duration, Instant};

use io_uring::opcode;
use io_uring::types::CancelBuilder;

use super::{Driver, Entered, IGNORED, RingState};
use crate::cancelled;
use crate::uring::ring::pending::{Interruption, RequestState};
use crate::uring::ring::slab::Slab;

/// How the ring ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Teardown {
    /// The kernel was done with all memory before it was freed.
    Drained,
    /// This many operations didn't end in time; their memory is never freed.
    Leaked(usize),
}

/// How long a teardown waits for operations that can't be interrupted, such as those of a disk that doesn't answer.
const DRAIN_MAX: Duration = Duration::from_secs(10);

impl Driver {
    /// Ends the ring: cancels everything and waits until the kernel is done with it. Closing a ring is no barrier: the
    /// kernel goes on writing into buffers after close(2) has returned. The memory of requests that don't end in time
    /// is leaked.
    pub(crate) fn close(&mut self) -> Teardown {
        self.close_within(DRAIN_MAX)
    }

    pub(super) fn close_within(&mut self, wait_max: Duration) -> Teardown {
        match self.state {
            RingState::Closed => return Teardown::Drained,
            RingState::Broken(_) => return self.close_broken(),
            RingState::Open => self.state = RingState::Closed,
        }
        self.push(&opcode::AsyncCancel2::new(CancelBuilder::any()).build().user_data(IGNORED));
        // Kernels before 5.19 don't know "any".
        for key in self.slots.keys() {
            self.interrupt(key, Interruption::Cancelled);
        }
        self.drain(Instant::now() + wait_max);
        self.free_slots()
    }

    fn drain(&mut self, deadline: Instant) {
        while self.in_kernel > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.enter(Some(left)) == Entered::No {
                return;
            }
        }
    }

    /// Frees the memory of all requests, unless the kernel may still write to some of it.
    pub(super) fn free_slots(&mut self) -> Teardown {
        let left = self.in_kernel;
        if left > 0 {
            std::mem::forget(std::mem::replace(&mut self.slots, Slab::with_capacity(0)));
            return Teardown::Leaked(left);
        }
        self.release();
        Teardown::Drained
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
