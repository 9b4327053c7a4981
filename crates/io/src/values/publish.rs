//! Where and how a new file appears.
//!
//! Owns: the settings of a publication and its outcome.
//! Does not own: staging and publishing ([`crate::Staged`]).

use std::ffi::OsString;
use std::path::PathBuf;

use crate::{Access, Attributes, Shortfalls};

/// What to do if the name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Existing {
    /// Fail with `AlreadyExists` and leave the existing file.
    Refuse,
    /// Replace the existing file, atomically.
    Replace,
}

/// Whether a published file must survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Durability {
    /// The system writes it back in its own time.
    Eventual,
    /// The content is synced before the name appears, and the directory after.
    Synced,
}

/// Metadata for the result. `None` leaves the time of writing, and mode 0600.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preserve {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner, group and access control list of the source. They are limited to `mode`; without a mode they are not set.
    pub access: Option<Access>,
    /// Time of last modification, seconds and nanoseconds since the epoch.
    pub modified: Option<(i64, u32)>,
    /// Extended attributes. Failing to set one doesn't fail the publication: see [`Published`].
    pub attributes: Attributes,
}

/// The outcome of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Names of extended attributes that the source has and the result lacks, because they couldn't be read or set.
    pub lost_attributes: Vec<OsString>,
    /// What the file system couldn't do.
    pub shortfalls: Shortfalls,
}

/// Where and how a staged file will appear.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Its final name.
    pub path: PathBuf,
    /// The length of the name's root in bytes: see [`Location::beneath`](crate::Location::beneath). Beneath the root
    /// no link is followed, and the file's directory is held open from creation to publication. With `None`, the name
    /// is resolved anew at each step.
    pub root_bytes: Option<usize>,
    /// What to do if the name is taken.
    pub existing: Existing,
    /// Whether it must survive a power cut.
    pub durability: Durability,
    /// Its metadata.
    pub preserve: Preserve,
    /// Whether blocks of zeros become holes.
    pub sparse: bool,
}

impl Publish {
    /// A new file named `path`, resolved anew at each step. An existing file is refused; the new one need not survive
    /// a power cut and gets no metadata.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let (existing, durability) = (Existing::Refuse, Durability::Eventual);
        let preserve = Preserve::default();
        Self { path: path.into(), root_bytes: None, existing, durability, preserve, sparse: false }
    }
}
