//! Removing the temporary files of killed runs.
//!
//! Owns: which directory was swept last.
//! Does not own: recognising temporary files and their owners ([`haul_io::sweep`]).

use std::path::PathBuf;

use haul_io::{Blocking, Location, run_ready};

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
        if self.last.as_deref() != Some(target.directory()) {
            self.last = Some(target.directory().to_owned());
            run_ready(haul_io::sweep(&self.io, target));
        }
    }
}
