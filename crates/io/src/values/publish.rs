//! Where and how a new file appears.
//!
//! Owns: the settings of a publication and its outcome.
//! Does not own: staging and publishing ([`crate::Staged`]).

use std::ffi::OsString;
use std::path::PathBuf;

use crate::Attributes;

/// What to do when the name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Existing {
    /// Fail with `AlreadyExists` and leave it.
    Refuse,
    /// Replace it, atomically.
    Replace,
}

/// Whether a published file must survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Durability {
    /// The system writes it back in its own time.
    Eventual,
    /// Content is synced before the name appears, and the directory after.
    Synced,
}

/// Metadata for the result. `None` leaves the time of writing, and mode 0600.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preserve {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Time of last modification, seconds and nanoseconds since the epoch.
    pub modified: Option<(i64, u32)>,
    /// Extended attributes. One that can't be set is no failure: see [`Published`].
    pub attributes: Attributes,
}

/// What there is to say of a file that was published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Names of extended attributes that it should have, and has not: they couldn't be read or set.
    pub lost_attributes: Vec<OsString>,
}

/// Where and how a staged file will appear.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Its final name.
    pub path: PathBuf,
    /// How many bytes of the name are its root's: see [`Location::beneath`]. Beneath it no link is followed, and the directory of the
    /// file is held open from its creation to its publication. `None`: the name means at each step what it means then.
    pub root_bytes: Option<usize>,
    /// What to do when the name is taken.
    pub existing: Existing,
    /// Whether it must survive a power cut.
    pub durability: Durability,
    /// Its metadata.
    pub preserve: Preserve,
}

impl Publish {
    /// A new file under the name `path` as it stands: where the name is taken that is refused, no power cut need be survived, and it
    /// gets no metadata.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let (existing, durability) = (Existing::Refuse, Durability::Eventual);
        Self { path: path.into(), root_bytes: None, existing, durability, preserve: Preserve::default() }
    }
}
