//! Waiting for a lookup.
//!
//! Owns: a sleep that the answer, a timeout or the run's cancellation ends.
//! Does not own: answers.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::answer::{Answer, Callback};
use crate::system::bell::{Bell, Reading};
use crate::system::deadline::{Deadline, wait};
use crate::{Cancel, cancelled};

/// A caller that waits for an answer.
pub(super) struct Waiter(Arc<Mailbox>);

struct Mailbox {
    answer: Mutex<Option<Answer>>,
    /// Readable once there is an answer.
    event: Bell,
}

/// A callback for the answer, and the waiter that it wakes.
pub(super) fn pair() -> io::Result<(Callback, Waiter)> {
    let event = Bell::new(Reading::Fails)?;
    let mailbox = Arc::new(Mailbox { answer: Mutex::default(), event });
    let filled = mailbox.clone();
    let callback = move |answer: &Answer| {
        *filled.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.clone());
        filled.event.ring();
    };
    Ok((Box::new(callback), Waiter(mailbox)))
}

impl Waiter {
    /// The answer; the error is `TimedOut` after `timeout`.
    pub(super) fn wait(self, timeout: Duration, cancel: &Cancel) -> io::Result<Answer> {
        let deadline = Deadline::after(timeout);
        let Mailbox { answer, event } = &*self.0;
        loop {
            if let Some(answer) = answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return Ok(answer);
            }
            if cancel.is_triggered() {
                return Err(cancelled());
            }
            let mut fds = [PollFd::new(event, PollFlags::IN), PollFd::new(cancel, PollFlags::IN)];
            wait(&mut fds, deadline)?;
        }
    }
}
