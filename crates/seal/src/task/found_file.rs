//! The identity of a file that a walk found.
//!
//! Owns: what a task remembers of the file and its path.
//! Does not own: checking it when the file is opened ([`super::pair`]).

use haul_io::Stat;
use serde::{Deserialize, Serialize};

/// A file that a walk found. The job opens only this file, by the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFile {
    /// Length in bytes of the root in the source's name: the input, or the last followed link on the path. Symbolic
    /// links beneath the root are not followed.
    pub source_root_bytes: usize,
    /// Length in bytes of the root in the result's name: the output, or the root of the source.
    pub target_root_bytes: usize,
    /// Whether the name is a symbolic link that must be followed.
    pub is_link: bool,
    /// Whether the user named the file itself, and not a tree that it is in.
    pub is_named: bool,
    /// The file's metadata at that time.
    pub stat: Stat,
}
