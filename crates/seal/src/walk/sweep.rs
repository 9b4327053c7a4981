//! Removing the temporary files of killed runs.
//!
//! Owns: which directories were swept.
//! Does not own: recognising temporary files and their owners ([`haul_io::remove_if_left`]).

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use haul_io::{Blocking, Io, Location, OpenMode, run_ready};
use rustix::fs::Dir;

/// Removes temporary files that no run owns any more.
pub(super) struct Sweeper {
    io: Blocking,
    /// The directory that was swept last.
    last: PathBuf,
}

impl Sweeper {
    pub(super) fn new(io: Blocking) -> Self {
        Self { io, last: PathBuf::new() }
    }

    /// Sweeps the directory of `target`.
    pub(super) fn sweep(&mut self, target: Location<'_>) {
        if self.last == target.directory() {
            return;
        }
        target.directory().clone_into(&mut self.last);
        // A directory that is missing or can't be read has nothing to remove.
        let _ = self.sweep_directory(target);
    }

    fn sweep_directory(&self, target: Location<'_>) -> io::Result<()> {
        let directory = run_ready(self.io.directory(target))?;
        let readable = run_ready(self.io.open(Some(&directory), Path::new("."), OpenMode::Directory))?;
        for entry in Dir::read_from(&readable)? {
            let name = entry?;
            let name = OsStr::from_bytes(name.file_name().to_bytes());
            if haul_io::is_temporary(name) {
                remove(readable.as_fd(), name);
            }
        }
        Ok(())
    }
}

/// Removes the temporary file `name` in `directory` if no run owns it.
pub(super) fn remove(directory: BorrowedFd<'_>, name: &OsStr) {
    // A file that can't be removed belongs to a run or is left for the next one.
    let _ = haul_io::remove_if_left(directory, Path::new(name));
}
