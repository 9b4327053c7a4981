//! Tasks: the names that jobs work on, and the outcome of each.
//!
//! What enters: names from a walk or from the caller, file keys from plugins. What leaves: the open source
//! ([`SourceFile`]), how to publish its result ([`FileOptions`]), the [`Outcome`]. Nobody outside opens a source or
//! examines a target by its path: only [`Pair`] does that, because it checks the file that the walk found.
//!
//! Owns: tasks, their names, outcomes, the options for results.
//! Does not own: finding tasks ([`crate::walk`]), the work on them ([`crate::jobs`]).

mod found_file;
mod options;
mod outcome;
mod pair;
mod plugin_key;
mod source_file;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use haul_engine::{Step, wire};
use haul_io::{Blocking, Cancel, Io, Location, Shortfalls, Stat, run_ready};
use serde::{Deserialize, Serialize};

use crate::error::{During, Error, WalkError};

pub use self::found_file::FoundFile;
pub use self::options::FileOptions;
pub(crate) use self::outcome::texts;
pub use self::outcome::{Outcome, Remarks, SkipReason};
pub(crate) use self::pair::Pair;
pub use self::plugin_key::{PluginKey, Refusal};
pub(crate) use self::source_file::SourceFile;

/// One name to work on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Task {
    /// Transform `source` into `target`.
    File {
        /// The file to read.
        #[serde(with = "wire::path")]
        source: PathBuf,
        /// The file to write.
        #[serde(with = "wire::path")]
        target: PathBuf,
        /// The file that the walk found; `None` if the caller named the file.
        found: Option<FoundFile>,
        /// The file key, if plugins contributed one.
        plugin_key: Option<Box<PluginKey>>,
    },
    /// Fail, because plugins gave no key.
    Refused {
        /// The file that would have been read.
        #[serde(with = "wire::path")]
        source: PathBuf,
        /// The file that would have been written.
        #[serde(with = "wire::path")]
        target: PathBuf,
        /// Why there is no key.
        refusal: Refusal,
    },
    /// Report a directory that was mirrored without some of its metadata.
    Mirrored {
        /// The directory.
        #[serde(with = "wire::path")]
        source: PathBuf,
        /// The names of the missing attributes.
        lost_attributes: Vec<String>,
        /// What the mirror's file system couldn't do.
        shortfalls: Shortfalls,
    },
    /// Report a name that is skipped.
    Skip {
        /// The name.
        #[serde(with = "wire::path")]
        source: PathBuf,
        /// Why it is skipped.
        reason: SkipReason,
    },
    /// Fail, because the walk couldn't make a task of the name.
    Bad {
        /// The name.
        #[serde(with = "wire::path")]
        source: PathBuf,
        /// The walk's error; `None` if the name lacks the suffix.
        error: Option<WalkError>,
    },
}

/// What a job must do for a task.
pub(crate) enum Work<'a> {
    /// Transform a file.
    Files(Pair<'a>),
    /// Nothing: this is the outcome.
    Done(Outcome),
}

impl<'a> Work<'a> {
    /// Starts the work on files with `start`; a task without work is done.
    pub(crate) async fn start<S, F>(
        self,
        start: impl FnOnce(Pair<'a>) -> F,
    ) -> Result<Step<S, Outcome>, Error>
    where
        F: Future<Output = Result<Step<S, Outcome>, Error>>,
    {
        match self {
            Self::Files(pair) => start(pair).await,
            Self::Done(outcome) => Ok(Step::Done(outcome)),
        }
    }
}

impl Task {
    /// Transforms `source` into `target`.
    pub fn file(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self::File { source: source.into(), target: target.into(), found: None, plugin_key: None }
    }

    /// Transforms `source`, which must be the file that it is now, into `target`. No link is followed beneath the first
    /// `root_bytes` bytes of the result's name.
    ///
    /// # Errors
    /// If there is no such source.
    pub fn file_beneath(source: PathBuf, target: PathBuf, root_bytes: usize) -> io::Result<Self> {
        let is_link = source.symlink_metadata()?.is_symlink();
        let found = FoundFile {
            source_root_bytes: Location::named(&source).root_bytes(),
            target_root_bytes: root_bytes,
            is_link,
            is_named: false,
            stat: rustix::fs::stat(&source)?.into(),
        };
        Ok(Self::File { source, target, found: Some(found), plugin_key: None })
    }

    /// Reads `source`, for a job that writes no result.
    pub fn check(source: impl Into<PathBuf>) -> Self {
        Self::file(source, PathBuf::new())
    }

    /// The name that the task is about.
    pub fn source(&self) -> &Path {
        match self {
            Self::File { source, .. }
            | Self::Refused { source, .. }
            | Self::Mirrored { source, .. }
            | Self::Skip { source, .. }
            | Self::Bad { source, .. } => source,
        }
    }

    /// Opens the source: the file that the walk found and no other, reached without following a link beneath its root.
    ///
    /// # Errors
    /// [`Error::NotRegular`], [`Error::Exchanged`], [`Error::Link`] or [`Error::Io`] with [`During::OpenSource`]; the
    /// error of a task that has no source to read.
    pub fn open(&self, cancel: &Cancel) -> Result<OwnedFd, Error> {
        let Work::Files(pair) = self.work()? else { return Err(Error::NotRegular) };
        let source = run_ready(pair.open_source(&Blocking::new(cancel.clone())))?;
        source.file.as_fd().try_clone_to_owned().map_err(Error::at(During::OpenSource))
    }

    /// Returns what a job must do for the task, or the error of a task that fails without work.
    pub(crate) fn work(&self) -> Result<Work<'_>, Error> {
        match self {
            Self::File { source, target, found, .. } => Ok(Work::Files(Pair::new(source, target, *found))),
            Self::Refused { refusal, .. } => Err(refusal.clone().into()),
            Self::Mirrored { lost_attributes, shortfalls, .. } => {
                let (lost_attributes, shortfalls) = (lost_attributes.clone(), *shortfalls);
                Ok(Work::Done(Outcome::Mirrored { lost_attributes, shortfalls }))
            }
            Self::Skip { reason, .. } => Ok(Work::Done(Outcome::Skipped(*reason))),
            Self::Bad { error: Some(error), .. } => Err(Error::Walk(error.clone())),
            Self::Bad { error: None, .. } => Err(Error::NoTargetName),
        }
    }

    /// The files of a task whose work has begun.
    ///
    /// # Panics
    /// If the task has no files.
    pub(crate) fn pair(&self) -> Pair<'_> {
        match self.work() {
            Ok(Work::Files(pair)) => pair,
            _ => unreachable!("only tasks with files are split or published"),
        }
    }

    /// Adds the file key from plugins.
    pub(crate) fn with_plugin_key(mut self, key: PluginKey) -> Self {
        if let Self::File { plugin_key, .. } = &mut self {
            *plugin_key = Some(Box::new(key));
        }
        self
    }

    /// Restricts the task to the file with `stat`, reached without following a link.
    pub(crate) async fn pinned(&self, io: &impl Io, stat: &Stat) -> Result<Self, Error> {
        let pin = self.pair().pinned(io, stat).await?;
        let mut pinned = self.clone();
        if let Self::File { found, .. } = &mut pinned {
            *found = Some(pin);
        }
        Ok(pinned)
    }

    /// Turns the task into one that fails, because plugins gave no key.
    pub(crate) fn refused(self, refusal: Refusal) -> Self {
        match self {
            Self::File { source, target, .. } => Self::Refused { source, target, refusal },
            other => other,
        }
    }

    /// The file key from plugins, if there is one.
    pub(crate) fn plugin_key(&self) -> Option<&PluginKey> {
        match self {
            Self::File { plugin_key, .. } => plugin_key.as_deref(),
            _ => None,
        }
    }
}
