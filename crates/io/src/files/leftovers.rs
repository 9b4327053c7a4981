//! Removing the temporary files of killed runs.
//!
//! Owns: which files are leftovers, the lock that tells a leftover from a file in use.
//! Does not own: the names ([`super::temporary`]), which directories are swept.
//!
//! Source: flock(2).

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, Dir, FlockOperation, Mode};

use super::temporary::has_own_form;
use crate::{FileKind, Io, Location, OpenMode, Stat};

/// Removes the leftovers in the directory of `location`. A directory that is missing or can't be read has nothing to
/// remove, a simulated one neither. Blocks while the directory is read.
pub async fn sweep(io: &impl Io, location: Location<'_>) {
    let Ok(directory) = io.directory(location).await else { return };
    let Ok(readable) = io.open(Some(&directory), Path::new("."), OpenMode::Directory).await else { return };
    if let Ok(readable) = readable.0.fd() {
        // What couldn't be read is left for the next run.
        let _ = sweep_directory(readable);
    }
}

fn sweep_directory(directory: BorrowedFd<'_>) -> io::Result<()> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if has_own_form(name)
            && let Ok(stat) = fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
            && is_leftover(directory, name, &stat.into())
        {
            remove_leftover(directory, name);
        }
    }
    Ok(())
}

/// Whether the file `name` with `stat` in `directory` is a temporary file of this program: it has 16 hexadecimal digits
/// and is a regular file with one name. A user's own file may have a similar name. A run that was killed right after it
/// published a result may have left the temporary name beside it.
pub fn is_leftover(directory: BorrowedFd<'_>, name: &OsStr, stat: &Stat) -> bool {
    has_own_form(name)
        && stat.kind == FileKind::Regular
        && (stat.links == 1 || stat.links == 2 && has_other_name(directory, name, stat).unwrap_or(false))
}

/// Whether the file `name` has another name in `directory`. Some FUSE file systems give a file another inode number at
/// each look, so that the other metadata decides: the time of the last change, in nanoseconds, can't be set.
fn has_other_name(directory: BorrowedFd<'_>, name: &OsStr, stat: &Stat) -> io::Result<bool> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let is_same = |other: fs::Stat| {
            let (device, inode) = (other.st_dev, other.st_ino);
            let other = Stat::from(other);
            device == stat.device
                && (inode == stat.inode || other.links == stat.links && stat.same_version(&other))
        };
        let other = || fs::statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
        if entry.file_name().to_bytes() != name.as_bytes() && other().is_ok_and(is_same) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes the temporary file `name` in `directory` if it belongs to the user of this process and no run owns it.
pub fn remove_leftover(directory: BorrowedFd<'_>, name: &OsStr) {
    let is_own = |stat: fs::Stat| stat.st_uid == rustix::process::geteuid().as_raw();
    if fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(is_own) {
        // A file that can't be removed belongs to a run or is left for the next one.
        let _ = remove_if_left(directory, Path::new(name));
    }
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
    if fs::fstat(file.as_fd())?.st_nlink == 0 {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(fs::unlinkat(directory, name, AtFlags::empty())?)
}
