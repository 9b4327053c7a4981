//! Errors of operations: the system's, that of a cancelled run, and that of a broken ring.
//!
//! Owns: the errors of a cancelled run and of a broken ring, the wording of system errors.
//! Does not own: what a failure means to a job.

use std::{fmt, io};

use rustix::io::Errno;

/// The error of an operation that was refused or interrupted because the run was cancelled.
///
/// It is no error of the system: the kernel reports `ECANCELED` by itself where it has no worker for an operation.
pub fn cancelled() -> io::Error {
    io::Error::other(RunCancelled)
}

/// Whether `error` means that the run was cancelled.
pub fn is_cancelled(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<RunCancelled>())
}

#[derive(Debug)]
struct RunCancelled;

impl fmt::Display for RunCancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for RunCancelled {}

/// The error of an operation whose ring the kernel refuses to enter any more, with `errno`.
pub(crate) fn ring_broke(errno: Errno) -> io::Error {
    io::Error::other(RingBroke(errno))
}

/// Whether `error` means that the ring broke.
pub(crate) fn is_ring_broken(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<RingBroke>())
}

#[derive(Debug)]
struct RingBroke(Errno);

impl fmt::Display for RingBroke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "io_uring stopped working: {}", reason(&self.0.into()))
    }
}

impl std::error::Error for RingBroke {}

/// Whether `error` means that a symbolic link was found where none is followed.
pub fn is_link_in_the_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// The system's wording of `error`, without the number that `std` appends.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.rfind(" (os error ")) {
        (Some(_), Some(end)) => text[..end].to_owned(),
        _ => text,
    }
}
