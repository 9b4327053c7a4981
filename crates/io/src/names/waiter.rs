//! Waiter for an answer that somebody else will have.
//!
//! Owns: a sleep that the answer or the run's cancellation ends.
//! Does not own: answers.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};

use super::answer::{Answer, Callback};
use crate::system::deadline::{Deadline, wait};
use crate::{Cancel, cancelled};

/// Who waits.
pub(super) struct Waiter(Arc<Slot>);

struct Slot {
    answer: Mutex<Option<Answer>>,
    /// Readable once there is one.
    event: OwnedFd,
}

/// What is to be called with the answer, and the wait for that.
pub(super) fn pair() -> io::Result<(Callback, Waiter)> {
    let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let slot = Arc::new(Slot { answer: Mutex::default(), event });
    let told = slot.clone();
    let tell = move |answer: &Answer| {
        *told.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.clone());
        // The only possible failure is an overflow of the counter, which leaves it readable.
        let _ = rustix::io::write(&told.event, &1u64.to_ne_bytes());
    };
    Ok((Box::new(tell), Waiter(slot)))
}

impl Waiter {
    pub(super) fn wait(self, cancel: &Cancel) -> io::Result<Answer> {
        let Slot { answer, event } = &*self.0;
        loop {
            if let Some(answer) = answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return Ok(answer);
            }
            if cancel.is_triggered() {
                return Err(cancelled());
            }
            let mut fds = [PollFd::new(event, PollFlags::IN), PollFd::new(cancel, PollFlags::IN)];
            wait(&mut fds, Deadline::after(Duration::MAX))?;
        }
    }
}
