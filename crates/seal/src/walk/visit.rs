//! What a walk meets.
//!
//! Owns: the steps of a walk.
//! Does not own: walking ([`super::walker`]), making mirrors ([`super::mirror`]).

use std::path::PathBuf;

use haul_io::Stat;

use crate::task::Task;

/// One step of a walk.
pub(super) enum Visit {
    Task(Task),
    /// The walk enters a directory that has a mirror. Its tasks and directories follow.
    Entered(MirroredDirectory),
    /// The walk leaves the directory with this mirror.
    Left(PathBuf),
}

/// A directory and its mirror.
pub(super) struct MirroredDirectory {
    pub(super) source: PathBuf,
    pub(super) target: PathBuf,
    /// Length in bytes of the output in the name of the mirror.
    pub(super) root_bytes: usize,
    pub(super) stat: Stat,
}
