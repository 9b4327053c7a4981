//! Waiting for readiness until a deadline.
//!
//! Owns: the deadline, `poll` with `EINTR` and a timeout.
//! Does not own: which descriptors are polled.
//!
//! Source: poll(2).

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;

/// The end of a wait; `None` if the timeout is too long for the clock.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    /// `None` sets no limit.
    pub(crate) fn at(moment: Option<Instant>) -> Self {
        Self(moment)
    }
}

/// Sleeps until one of `fds` is ready; the error is `TimedOut` at the deadline.
pub(crate) fn wait(fds: &mut [PollFd<'_>], deadline: Deadline) -> io::Result<()> {
    loop {
        let left = deadline.0.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(fds, left.as_ref()) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
