//! Closing a descriptor and learning what the file system reports then: NFS, FUSE and servers with quotas say only
//! there that content wasn't stored.
//!
//! Owns: close(2) and its result.
//! Does not own: when files are closed.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};

/// Reports what closing `file` would report, and leaves it open: closing a duplicate writes back and reports the same.
///
/// # Errors
/// The system's error of closing, or of making the duplicate.
pub fn flush(file: impl AsFd) -> io::Result<()> {
    close(rustix::io::fcntl_dupfd_cloexec(file, 0)?)
}

fn close(fd: OwnedFd) -> io::Result<()> {
    // SAFETY: the descriptor is given up here, so it is closed once and nobody uses it afterwards.
    if unsafe { libc::close(fd.into_raw_fd()) } == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        // Linux has closed it all the same.
        error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        error => Err(error),
    }
}
