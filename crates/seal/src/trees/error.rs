//! Why a tree was not sealed, opened or verified as a whole.
//!
//! Owns: the reasons and their texts.
//! Does not own: errors of single files ([`crate::Error`]).

use std::path::PathBuf;
use std::{fmt, io};

use haul_age_format::SealError;
use haul_engine::{Failure, Report};

use crate::error::{Error, ErrorKind};
use crate::walk::NameError;

/// Why a run over a tree didn't do everything.
#[derive(Debug)]
#[non_exhaustive]
pub enum TreeError {
    /// There are no recipients, or they can't be combined. Nothing was started.
    Recipients(SealError),
    /// The results can't be named. Nothing was started.
    Names(NameError),
    /// The process lacks a descriptor or a thread. Nothing was started.
    System(io::Error),
    /// There was no file to verify, which would be no success, or no name was given at all.
    NoFiles,
    /// Some files failed. The others are done.
    Failed {
        /// The whole run.
        report: Box<Report>,
        /// The file that failed first.
        first: FailedFile,
    },
    /// The run was cancelled. Files that were done by then are complete, nothing is left of the others.
    Cancelled(Box<Report>),
}

/// A file of a tree that failed.
#[derive(Clone, Debug)]
pub struct FailedFile {
    /// Its name.
    pub source: PathBuf,
    /// The kind of its error.
    pub kind: ErrorKind,
    /// The text of its error.
    pub reason: String,
}

impl FailedFile {
    pub(super) fn new(source: PathBuf, failure: &Failure<Error>) -> Self {
        let (kind, reason) = match failure {
            Failure::Job(error) => (error.kind(), error.to_string()),
            Failure::Cancelled => (ErrorKind::Cancelled, "cancelled".to_owned()),
            Failure::Panicked(message) => (ErrorKind::Other, format!("internal error: {message}")),
            _ => (ErrorKind::Other, "its worker died".to_owned()),
        };
        Self { source, kind, reason }
    }
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recipients(error) => error.fmt(f),
            Self::Names(error) => error.fmt(f),
            Self::System(error) => f.write_str(&haul_io::reason(error)),
            Self::NoFiles => f.write_str("there are no files"),
            Self::Failed { report, first } => {
                let FailedFile { source, reason, .. } = first;
                write!(f, "{} files failed, the first of them {source:?}: {reason}", report.failed)
            }
            Self::Cancelled(report) => write!(f, "cancelled after {} files", report.succeeded),
        }
    }
}

impl std::error::Error for TreeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Recipients(error) => Some(error),
            Self::Names(error) => Some(error),
            Self::System(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for TreeError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<NameError> for TreeError {
    fn from(error: NameError) -> Self {
        Self::Names(error)
    }
}
