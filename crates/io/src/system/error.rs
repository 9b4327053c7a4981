//! Errors of operations: the system's, and that of a cancelled run.
//!
//! Owns: the error of a cancelled run, the wording of system errors.
//! Does not own: what a failure means to a job.

use std::io;

use rustix::io::Errno;

/// The error of an operation that was refused or interrupted because the run was cancelled.
pub fn cancelled() -> io::Error {
    Errno::CANCELED.into()
}

/// Whether `error` means that the run was cancelled.
pub fn is_cancelled(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::CANCELED.raw_os_error())
}

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
