//! Removing the temporary files of killed runs.
//!
//! Owns: which directories were swept.
//! Does not own: recognising temporary files and their owners ([`haul_io::remove_if_left`]).

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use haul_io::{Blocking, FileKind, Io, Location, OpenMode, Stat, run_ready};
use rustix::fs::{AtFlags, Dir};

/// Removes temporary files that no run owns any more.
pub(crate) struct Sweeper {
    io: Blocking,
    /// The directory that was swept last.
    last: Option<PathBuf>,
}

impl Sweeper {
    pub(crate) fn new(io: Blocking) -> Self {
        Self { io, last: None }
    }

    /// Sweeps the directory of `target`.
    pub(crate) fn sweep(&mut self, target: Location<'_>) {
        if self.last.as_deref() == Some(target.directory()) {
            return;
        }
        self.last = Some(target.directory().to_owned());
        // A directory that is missing or can't be read has nothing to remove.
        let _ = self.sweep_directory(target);
    }

    fn sweep_directory(&self, target: Location<'_>) -> io::Result<()> {
        let directory = run_ready(self.io.directory(target))?;
        let readable = run_ready(self.io.open(Some(&directory), Path::new("."), OpenMode::Directory))?;
        for entry in Dir::read_from(&readable)? {
            let name = entry?;
            let name = OsStr::from_bytes(name.file_name().to_bytes());
            let stat = || rustix::fs::statat(&readable, name, AtFlags::SYMLINK_NOFOLLOW);
            let is_leftover = |stat: rustix::fs::Stat| is_leftover(readable.as_fd(), name, &stat.into());
            if haul_io::is_temporary(name) && stat().is_ok_and(is_leftover) {
                remove(readable.as_fd(), name);
            }
        }
        Ok(())
    }
}

/// Whether the file `name` with `stat` in `directory` is a temporary file of this program: it has 16 hexadecimal digits
/// and is a regular file with one name. A user's own file may have a similar name. A run that was killed right after it
/// published a result may have left the temporary name beside it.
pub(super) fn is_leftover(directory: BorrowedFd<'_>, name: &OsStr, stat: &Stat) -> bool {
    let digits = name.as_bytes().strip_prefix(b".haul-").and_then(|rest| rest.strip_suffix(b".tmp"));
    // The form of the probe in `super::claims`.
    let digits = digits.map(|digits| digits.strip_suffix("\u{e9}".as_bytes()).unwrap_or(digits));
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits.is_some_and(|digits| digits.len() == 16 && digits.iter().all(is_hex))
        && stat.kind == FileKind::Regular
        && (stat.links == 1 || stat.links == 2 && has_other_name(directory, name, stat).unwrap_or(false))
}

/// Whether the file `name` has another name in `directory`. Some FUSE file systems give a file another inode number at
/// each look, so that the other metadata decides: the time of the last change, in nanoseconds, can't be set.
fn has_other_name(directory: BorrowedFd<'_>, name: &OsStr, stat: &Stat) -> io::Result<bool> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let is_same = |other: rustix::fs::Stat| {
            let (device, inode) = (other.st_dev, other.st_ino);
            let other = Stat::from(other);
            device == stat.device
                && (inode == stat.inode || other.links == stat.links && stat.same_version(&other))
        };
        let other = || rustix::fs::statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
        if entry.file_name().to_bytes() != name.as_bytes() && other().is_ok_and(is_same) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes the temporary file `name` in `directory` if no run owns it.
pub(super) fn remove(directory: BorrowedFd<'_>, name: &OsStr) {
    let is_own = |stat: rustix::fs::Stat| stat.st_uid == rustix::process::geteuid().as_raw();
    if !rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(is_own) {
        return;
    }
    // A file that can't be removed belongs to a run or is left for the next one.
    let _ = haul_io::remove_if_left(directory, Path::new(name));
}
