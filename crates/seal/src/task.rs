//! What is sealed or opened, and what came of it.
//!
//! Owns: tasks, their results, the options that both jobs share.
//! Does not own: finding tasks ([`crate::Walk`]).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use haul_age_format::{FileKey, RunKey, SealError, Stanza};
use haul_engine::wire;
use haul_io::{Durability, Existing, Io, OpenMode, Preserve, Publish, Stat};

use serde::{Deserialize, Serialize};

use crate::{Error, PluginError, Step};

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
        /// The file key, where a plugin has dealt with it.
        keyed: Option<Box<Keyed>>,
    },
    /// No plugin deals with it: the task fails.
    Refused {
        /// The file.
        #[serde(with = "wire::path")]
        source: PathBuf,
        /// Why.
        refusal: Refusal,
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
    },
    /// Nothing was done, on purpose.
    Skipped(SkipReason),
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
    /// Permission bits of results where they aren't kept. Defaults to 0600.
    pub mode: u32,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self { existing: Existing::Refuse, durability: Durability::Eventual, preserve: true, mode: 0o600 }
    }
}

impl Task {
    /// Transform `source` into `target`.
    pub fn file(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self::File { source: source.into(), target: target.into(), keyed: None }
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
            | Self::Skip { source, .. }
            | Self::Bad { source, .. } => source,
        }
    }

    /// The names of source and result, or what there is to say instead.
    pub(crate) fn paths(&self) -> Result<Result<(&Path, &Path), SkipReason>, Error> {
        match self {
            Self::File { source, target, .. } => Ok(Ok((source, target))),
            Self::Refused { refusal: Refusal::Plugin(error), .. } => Err(Error::Plugin(error.clone())),
            Self::Refused { refusal: Refusal::Recipients(error), .. } => Err(Error::Recipients(*error)),
            Self::Skip { reason, .. } => Ok(Err(*reason)),
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

    /// The task that fails instead.
    pub(crate) fn refused(self, refusal: Refusal) -> Self {
        Self::Refused { source: self.source().to_owned(), refusal }
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
    pub(crate) fn publish(&self, target: &Path, source: &Stat) -> Publish {
        let preserve = match self.preserve {
            true => Preserve { mode: Some(source.mode & 0o777), modified: Some(source.modified) },
            false => Preserve { mode: Some(self.mode), modified: None },
        };
        let FileOptions { existing, durability, .. } = *self;
        Publish { path: target.to_owned(), existing, durability, preserve }
    }

    /// Fails early where the result would be refused in the end.
    pub(crate) async fn check_target(&self, io: &impl Io, target: &Path) -> Result<(), Error> {
        match self.existing {
            Existing::Refuse if io.stat_at(None, target).await.is_ok() => Err(Error::Exists),
            _ => Ok(()),
        }
    }
}

/// Opens a source, which must be a regular file.
pub(crate) async fn open_source(
    io: &impl Io,
    path: &Path,
    mode: OpenMode,
) -> Result<(haul_io::File, Stat), Error> {
    let file = io.open(None, path, mode).await.map_err(Error::at(Step::OpenSource))?;
    let stat = io.stat(&file).await.map_err(Error::at(Step::OpenSource))?;
    match stat.kind {
        haul_io::FileKind::Regular => Ok((file, stat)),
        _ => Err(Error::NotRegular),
    }
}

/// That `file` is still what `before` says.
pub(crate) async fn check_unchanged(io: &impl Io, file: &haul_io::File, before: &Stat) -> Result<(), Error> {
    let after = io.stat(file).await.map_err(Error::at(Step::Read))?;
    if before.same_content(&after) { Ok(()) } else { Err(Error::SourceChanged) }
}
