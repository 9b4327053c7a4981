//! Errors of operations: the system's, and the one of a cancelled run.
//!
//! Owns: what "cancelled" looks like, the wording of system errors.
//! Does not own: what a failure means to a job.

use std::io;

use rustix::io::Errno;

/// The error of an operation that was refused or interrupted because the run was cancelled.
pub fn cancelled() -> io::Error {
    Errno::CANCELED.into()
}

/// Whether `error` says that the run was cancelled.
pub fn is_cancelled(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::CANCELED.raw_os_error())
}

/// Whether `error` says that a symbolic link was met where none is followed.
pub fn is_link_in_the_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// The system's words for `error`, without the number that `std` puts behind them.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.rfind(" (os error ")) {
        (Some(_), Some(end)) => text[..end].to_owned(),
        _ => text,
    }
}
