//! The names of temporary files, and the removal of those that a killed run left.
//!
//! Owns: the form of the name, the lock that tells a leftover from a file in use.
//! Does not own: creating and publishing staged files ([`super::staged`]).
//!
//! Source: flock(2).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FlockOperation, Mode};

use crate::{Io, OpenMode};

/// The start of a temporary file's name.
const TEMPORARY_PREFIX: &str = ".haul-";
/// Its end.
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Whether a file of this name is staged, or was left by a run that was killed.
pub fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(TEMPORARY_PREFIX.as_bytes()) && name.ends_with(TEMPORARY_SUFFIX.as_bytes())
}

/// Removes the temporary file `name` in `directory` if no process holds its lock, which means that a killed run left
/// it.
///
/// # Errors
/// The system's error of opening, locking or removing it; `WouldBlock` if a process works on it.
pub fn remove_if_left(directory: BorrowedFd<'_>, name: &Path) -> io::Result<()> {
    let file = fs::openat(directory, name, OpenMode::ReadWrite { follow: false }.flags(), Mode::empty())?;
    fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    // Another process may have removed it before it was locked here, and a run may have a new file of that name.
    if fs::fstat(&file)?.st_nlink == 0 {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(fs::unlinkat(directory, name, AtFlags::empty())?)
}

pub(super) fn temporary_name(io: &impl Io, path: &Path) -> PathBuf {
    let mut random = [0; 8];
    io.random(&mut random);
    let name =
        OsString::from(format!("{TEMPORARY_PREFIX}{:016x}{TEMPORARY_SUFFIX}", u64::from_ne_bytes(random)));
    path.with_file_name(name)
}
