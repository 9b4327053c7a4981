//! The outcome of a task that succeeded.
//!
//! Owns: lengths, remarks for the user, reasons for skipping a file.
//! Does not own: failures ([`crate::error`]).

use std::ffi::OsString;

use haul_io::{Published, Stat};
use serde::{Deserialize, Serialize};

/// The outcome of a task that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The result is complete.
    File {
        /// Length of the plaintext in bytes.
        plain_bytes: u64,
        /// Length of the age file in bytes.
        sealed_bytes: u64,
        /// Remarks for the user.
        remarks: Remarks,
    },
    /// A directory was mirrored without some of its extended attributes.
    Mirrored {
        /// The names of the missing attributes.
        lost_attributes: Vec<String>,
    },
    /// The task was skipped on purpose.
    Skipped(SkipReason),
}

/// Why a name is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SkipReason {
    /// It is a symbolic link.
    Symlink,
    /// It is a pipe, socket or device.
    Special,
    /// It holds a key or a passphrase of this run.
    Secret,
    /// Its name has the suffix of sealed files, but it is not an age file.
    Suffixed,
    /// The file is overwritten in place and was already taken under another name.
    OtherName,
}

/// What the user should know about a task that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remarks {
    /// The number of the source's other names (hard links). Each name is a task of its own, and the result of one
    /// doesn't affect the others. 0 if the task writes no result.
    pub other_names: u64,
    /// The extended attributes that could not be copied to the result.
    pub lost_attributes: Vec<String>,
}

impl Outcome {
    /// Adds what is known about the published result.
    pub(crate) fn with(self, published: &Published) -> Self {
        match self {
            Self::File { plain_bytes, sealed_bytes, remarks } => {
                Self::File { plain_bytes, sealed_bytes, remarks: remarks.with(published) }
            }
            other => other,
        }
    }
}

impl Remarks {
    pub(crate) fn of(source: &Stat) -> Self {
        Self { other_names: source.links.saturating_sub(1), lost_attributes: Vec::new() }
    }

    /// Adds what is known about the published result.
    pub(crate) fn with(self, published: &Published) -> Self {
        Self { lost_attributes: texts(&published.lost_attributes), ..self }
    }
}

/// Converts names of attributes to text for display.
pub(crate) fn texts(names: &[OsString]) -> Vec<String> {
    names.iter().map(|name| name.to_string_lossy().into_owned()).collect()
}
