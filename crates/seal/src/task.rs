//! What is sealed or opened, and what came of it.
//!
//! Owns: tasks, their results, the options that both jobs share.
//! Does not own: finding tasks ([`crate::Walk`]).

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use haul_age_format::{FileKey, RunKey, SealError, Stanza};
use haul_engine::wire;
use haul_io::{Durability, Existing, File, Io, Location, Preserve, Publish, Published, Stat};

use serde::{Deserialize, Serialize};

use crate::pair::Pair;
use crate::{During, Error, PluginError};

/// One name to deal with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Task {
    /// Transform `source` into `target`.
    File {
        /// The file to read.
        #[serde(with = "wire::path")]
        source: PathBuf,
        /// The file to make.
        #[serde(with = "wire::path")]
        target: PathBuf,
        /// What the walk knows of the source; `None` for a file that was named by itself.
        found: Option<Found>,
        /// The file key, where a plugin has dealt with it.
        keyed: Option<Box<Keyed>>,
    },
    /// No plugin deals with it: the task fails.
    Refused {
        /// The file.
        #[serde(with = "wire::path")]
        source: PathBuf,
        /// The file that would have been made.
        #[serde(with = "wire::path")]
        target: PathBuf,
        /// Why.
        refusal: Refusal,
    },
    /// A directory is mirrored, but for some of its extended attributes: say so.
    Mirrored {
        /// The directory.
        #[serde(with = "wire::path")]
        source: PathBuf,
        /// Names of attributes that its mirror should have, and has not.
        lost_attributes: Vec<String>,
    },
    /// Leave it, and say so.
    Skip {
        /// What is left.
        #[serde(with = "wire::path")]
        source: PathBuf,
        /// Why.
        reason: SkipReason,
    },
    /// It can't be dealt with: the task fails.
    Bad {
        /// What was found.
        #[serde(with = "wire::path")]
        source: PathBuf,
        /// What the walk said; `None`: its name gives no name for the result.
        error: Option<WalkError>,
    },
}

/// A file as a walk found it. What is opened later must be the same one, reached in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// How many bytes of the source's name are its root's, beneath which no symbolic link is followed: the input's, or where links
    /// are followed, those of the last one on the way.
    pub source_root_bytes: usize,
    /// As for the result: the output's, or the source's own root.
    pub target_root_bytes: usize,
    /// Whether the name is a symbolic link that is to be followed.
    pub is_link: bool,
    /// The device the file is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// A file key that a plugin has wrapped or unwrapped, under the key of the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keyed {
    file_key: Vec<u8>,
    /// What the plugins made of it, to seal.
    pub(crate) stanzas: Vec<Stanza>,
}

/// Why plugins gave no key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Refusal {
    /// A plugin failed.
    Plugin(PluginError),
    /// The recipients don't combine.
    Recipients(SealError),
}

/// What the walk said of a name. Clones share it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WalkError(#[serde(with = "shared")] pub(crate) Arc<io::Error>);

impl WalkError {
    /// What the system said.
    pub fn cause(&self) -> &io::Error {
        &self.0
    }
}

impl From<io::Error> for WalkError {
    fn from(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

/// [`wire::io_error`] in an `Arc`.
mod shared {
    use super::{Arc, io, wire};

    pub(super) fn serialize<S: serde::Serializer>(error: &Arc<io::Error>, to: S) -> Result<S::Ok, S::Error> {
        wire::io_error::serialize(error, to)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Arc<io::Error>, D::Error> {
        wire::io_error::deserialize(from).map(Arc::new)
    }
}

/// Why a name is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SkipReason {
    /// A symbolic link.
    Symlink,
    /// A pipe, socket or device.
    Special,
    /// The file was taken under another of its names, and is written to itself.
    OtherName,
}

/// What came of a task that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Done {
    /// The result is complete.
    File {
        /// Length of the plaintext in bytes.
        plain_bytes: u64,
        /// Length of the age file in bytes.
        sealed_bytes: u64,
        /// What else there is to know.
        remarks: Remarks,
    },
    /// A directory is there, without some of its extended attributes.
    Mirrored {
        /// Their names.
        lost_attributes: Vec<String>,
    },
    /// Nothing was done, on purpose.
    Skipped(SkipReason),
}

impl Done {
    /// Of a result that was `published`.
    pub(crate) fn with(self, published: &Published) -> Self {
        match self {
            Self::File { plain_bytes, sealed_bytes, remarks } => {
                Self::File { plain_bytes, sealed_bytes, remarks: remarks.with(published) }
            }
            other => other,
        }
    }
}

/// What the user should know of a task that succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remarks {
    /// How many other names the source has (hard links). Each that is found is dealt with by itself, and what becomes of this
    /// one changes nothing about the others. 0 where nothing is made of the source.
    pub other_names: u64,
    /// Extended attributes of the source that the result should have, and has not.
    pub lost_attributes: Vec<String>,
}

impl Remarks {
    pub(crate) fn of(source: &Stat) -> Self {
        Self { other_names: source.links.saturating_sub(1), lost_attributes: Vec::new() }
    }

    /// Of a result that was `published`.
    pub(crate) fn with(self, published: &Published) -> Self {
        Self { lost_attributes: texts(&published.lost_attributes), ..self }
    }
}

/// Names as they are told.
pub(crate) fn texts(names: &[OsString]) -> Vec<String> {
    names.iter().map(|name| name.to_string_lossy().into_owned()).collect()
}

/// How results are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOptions {
    /// What to do when the result's name is taken. Defaults to refusing.
    pub existing: Existing,
    /// Whether results must survive a power cut at once. Defaults to not.
    pub durability: Durability,
    /// Keep permission bits and time of modification. Defaults to true.
    pub preserve: bool,
    /// Keep the user's extended attributes, in clear text. Defaults to false.
    pub xattrs: bool,
    /// Permission bits of results where they aren't kept. Defaults to 0600.
    pub mode: u32,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            existing: Existing::Refuse,
            durability: Durability::Eventual,
            preserve: true,
            xattrs: false,
            mode: 0o600,
        }
    }
}

impl Task {
    /// Transform `source` into `target`.
    pub fn file(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self::File { source: source.into(), target: target.into(), found: None, keyed: None }
    }

    /// Look at `source`, for a job that makes nothing of it.
    pub fn check(source: impl Into<PathBuf>) -> Self {
        Self::file(source, PathBuf::new())
    }

    /// The name the task is about.
    pub fn source(&self) -> &Path {
        match self {
            Self::File { source, .. }
            | Self::Refused { source, .. }
            | Self::Mirrored { source, .. }
            | Self::Skip { source, .. }
            | Self::Bad { source, .. } => source,
        }
    }

    /// The files it is about, or what came of it without any work.
    pub(crate) fn pair(&self) -> Result<Result<Pair<'_>, Done>, Error> {
        match self {
            Self::File { source, target, found, .. } => Ok(Ok(Pair::new(source, target, *found))),
            Self::Refused { refusal: Refusal::Plugin(error), .. } => Err(Error::Plugin(error.clone())),
            Self::Refused { refusal: Refusal::Recipients(error), .. } => Err(Error::Recipients(*error)),
            Self::Mirrored { lost_attributes, .. } => {
                Ok(Err(Done::Mirrored { lost_attributes: lost_attributes.clone() }))
            }
            Self::Skip { reason, .. } => Ok(Err(Done::Skipped(*reason))),
            Self::Bad { error: Some(error), .. } => Err(Error::Walk(error.clone())),
            Self::Bad { error: None, .. } => Err(Error::NoTargetName),
        }
    }

    /// The same task, whose file key is known.
    pub(crate) fn keyed(mut self, key: Keyed) -> Self {
        if let Self::File { keyed, .. } = &mut self {
            *keyed = Some(Box::new(key));
        }
        self
    }

    /// The task for no other file than the one that `stat` is of, which is reached without following a link.
    pub(crate) fn pinned(&self, stat: &Stat) -> Result<Self, Error> {
        let pin = Pair::of(self).pinned(stat)?;
        let mut pinned = self.clone();
        if let Self::File { found, .. } = &mut pinned {
            *found = Some(pin);
        }
        Ok(pinned)
    }

    /// The task that fails instead.
    pub(crate) fn refused(self, refusal: Refusal) -> Self {
        match self {
            Self::File { source, target, .. } => Self::Refused { source, target, refusal },
            other => other,
        }
    }

    /// The file key, if it is known.
    pub(crate) fn key(&self) -> Option<&Keyed> {
        match self {
            Self::File { keyed, .. } => keyed.as_deref(),
            _ => None,
        }
    }
}

impl Keyed {
    pub(crate) fn new(
        file_key: &FileKey,
        stanzas: Vec<Stanza>,
        run_key: &RunKey,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Self {
        Self { file_key: run_key.wrap_file_key(file_key, random), stanzas }
    }

    /// The file key itself; `run_key` is that of the job.
    pub(crate) fn file_key(&self, run_key: Option<&RunKey>) -> FileKey {
        let file_key = run_key.and_then(|run_key| run_key.unwrap_file_key(&self.file_key));
        file_key.expect("keys in tasks are under the key of the run")
    }
}

impl FileOptions {
    /// How a result of the source that is given is published.
    pub(crate) async fn publish(
        &self,
        io: &impl Io,
        target: Location<'_>,
        (file, stat): (&File, &Stat),
    ) -> Result<Publish, Error> {
        let mut publish = self.publish_new(target);
        if self.preserve {
            publish.preserve.mode = Some(stat.mode & 0o777);
            publish.preserve.modified = Some(stat.modified);
        }
        if self.xattrs {
            publish.preserve.attributes = io.attributes(file).await.map_err(Error::at(During::Read))?;
        }
        Ok(publish)
    }

    /// A result that has nothing to keep.
    pub(crate) fn publish_new(&self, target: Location<'_>) -> Publish {
        let preserve = Preserve { mode: Some(self.mode), ..Preserve::default() };
        let FileOptions { existing, durability, .. } = *self;
        let root_bytes = Some(target.root_bytes());
        Publish { path: target.path().to_owned(), root_bytes, existing, durability, preserve }
    }

    /// Fails early where the result would be refused in the end.
    pub(crate) async fn check_target(&self, io: &impl Io, pair: Pair<'_>) -> Result<(), Error> {
        if self.existing == Existing::Replace {
            return Ok(());
        }
        match pair.stat_target(io).await {
            Ok(_) => Err(Error::Exists),
            Err(error) if haul_io::is_link_in_the_way(&error) => Err(Error::at(During::Create)(error)),
            Err(_) => Ok(()),
        }
    }
}

/// That `file` is still what `before` says.
pub(crate) async fn check_unchanged(io: &impl Io, file: &File, before: &Stat) -> Result<(), Error> {
    let after = io.stat(file).await.map_err(Error::at(During::Read))?;
    if before.same_content(&after) { Ok(()) } else { Err(Error::SourceChanged) }
}
