//! The outcome of a task that succeeded.
//!
//! Owns: lengths, remarks for the user, reasons for skipping a file.
//! Does not own: failures ([`crate::error`]).

use std::ffi::OsString;
use std::path::PathBuf;

use haul_engine::wire;
use haul_io::{Published, Shortfall, Shortfalls, Stat};
use serde::{Deserialize, Serialize};

/// The outcome of a task that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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
    /// The file is a member of a shard.
    Packed {
        /// Length of the plaintext in bytes.
        plain_bytes: u64,
        /// The path of the shard.
        #[serde(with = "wire::path")]
        shard: PathBuf,
        /// Remarks for the user.
        remarks: Remarks,
    },
    /// A directory was mirrored without some of its metadata.
    Mirrored {
        /// The names of the missing attributes.
        lost_attributes: Vec<String>,
        /// What the mirror's file system couldn't do.
        shortfalls: Shortfalls,
    },
    /// The task was skipped on purpose.
    Skipped(SkipReason),
}

/// Why a name is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SkipReason {
    /// It is a symbolic link.
    Symlink,
    /// It is a pipe, socket or device.
    Special,
    /// It holds a key or a passphrase of this run.
    Secret,
    /// It is an identity that a passphrase protects. In a tree, it isn't opened.
    Identity,
    /// Its name has the suffix of sealed files, but it is not an age file.
    Suffixed,
    /// The file is overwritten in place and was already taken under another name.
    OtherName,
    /// Its result has its modification time and a length that fits: see [`FileOptions::update`](crate::FileOptions).
    Unchanged,
}

/// What the user should know about a task that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remarks {
    /// The number of the source's other names (hard links). Each name is a task of its own, and the result of one
    /// doesn't affect the others. 0 if the task writes no result.
    pub other_names: u64,
    /// The extended attributes that could not be copied to the result.
    pub lost_attributes: Vec<String>,
    /// What the file systems of the source and of the result couldn't do.
    pub shortfalls: Shortfalls,
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

/// The set-user-ID and set-group-ID bits.
const SET_ID: u32 = 0o6000;

impl Remarks {
    pub(crate) fn of(source: &Stat) -> Self {
        let mut shortfalls = Shortfalls::default();
        if source.mode & SET_ID != 0 {
            shortfalls.add(Shortfall::SetId);
        }
        Self { other_names: source.links.saturating_sub(1), lost_attributes: Vec::new(), shortfalls }
    }

    /// Adds what is known about the published result.
    pub(crate) fn with(self, published: &Published) -> Self {
        let mut shortfalls = self.shortfalls;
        shortfalls.merge(published.shortfalls);
        Self { lost_attributes: texts(&published.lost_attributes), shortfalls, ..self }
    }
}

/// Converts names of attributes to text for display.
pub(crate) fn texts(names: &[OsString]) -> Vec<String> {
    names.iter().map(|name| name.to_string_lossy().into_owned()).collect()
}
