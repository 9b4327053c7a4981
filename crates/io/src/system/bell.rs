//! A descriptor that is readable once it was rung, for threads that sleep in `poll` or in a ring.
//!
//! Owns: the eventfd, or a pipe where the system refuses eventfds (a seccomp filter).
//! Does not own: who rings and what for.
//!
//! Source: eventfd(2), pipe(7).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

pub(crate) struct Bell {
    event: OwnedFd,
    /// The end of a pipe to write to; an eventfd has only one.
    pipe: Option<OwnedFd>,
}

/// What reading an unrung bell does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It waits. A read through a ring would otherwise fail instead of waiting.
    Waits,
    /// It fails.
    Fails,
}

impl Bell {
    pub(crate) fn new(reading: Reading) -> io::Result<Self> {
        let nonblocking = reading == Reading::Fails;
        let mut flags = EventfdFlags::CLOEXEC;
        flags.set(EventfdFlags::NONBLOCK, nonblocking);
        match eventfd(0, flags) {
            Ok(event) => Ok(Self { event, pipe: None }),
            Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => Err(error.into()),
            Err(_) => Self::of_pipe(nonblocking),
        }
    }

    fn of_pipe(nonblocking: bool) -> io::Result<Self> {
        let mut flags = PipeFlags::CLOEXEC;
        flags.set(PipeFlags::NONBLOCK, nonblocking);
        let (event, writer) = pipe_with(flags)?;
        Ok(Self { event, pipe: Some(writer) })
    }

    /// Makes the descriptor readable.
    pub(crate) fn ring(&self) {
        // The only possible failure is a full counter or pipe, which is readable, as wanted.
        let _ = rustix::io::write(self.pipe.as_ref().unwrap_or(&self.event), &1u64.to_ne_bytes());
    }

    /// Makes a bell whose reading waits one whose reading fails.
    pub(crate) fn let_reading_fail(&self) {
        // It can't fail: the descriptor is open and supports it.
        let _ = rustix::io::ioctl_fionbio(&self.event, true);
    }

    /// Makes the descriptor unreadable. Only for a bell whose reading fails when it was not rung.
    pub(crate) fn silence(&self) {
        while rustix::io::read(&self.event, &mut [0; 8]).is_ok() {}
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_of_either_kind_is_readable_once_rung() {
        for bell in [Bell::new(Reading::Fails).unwrap(), Bell::of_pipe(true).unwrap()] {
            let readable = || {
                let mut fds = [rustix::event::PollFd::new(&bell, rustix::event::PollFlags::IN)];
                rustix::event::poll(&mut fds, Some(&rustix::event::Timespec::default())).unwrap() == 1
            };
            assert!(!readable());
            bell.ring();
            bell.ring();
            assert!(readable());
            bell.silence();
            assert!(!readable());
        }
    }
}
