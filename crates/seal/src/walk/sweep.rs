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
            if haul_io::is_temporary(name) && stat().is_ok_and(|stat| is_leftover(name, &stat.into())) {
                remove(readable.as_fd(), name);
            }
        }
        Ok(())
    }
}

/// Whether the file `name` with `stat` is a temporary file of this program: it has 16 hexadecimal digits and is a
/// regular file with one name. A user's own file may have a similar name.
pub(super) fn is_leftover(name: &OsStr, stat: &Stat) -> bool {
    let digits = name.as_bytes().strip_prefix(b".haul-").and_then(|rest| rest.strip_suffix(b".tmp"));
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits.is_some_and(|digits| digits.len() == 16 && digits.iter().all(is_hex))
        && stat.kind == FileKind::Regular
        && stat.links == 1
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
