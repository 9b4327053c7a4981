//! What can go wrong with a lease table.
//!
//! Owns: the errors and their wording.
//! Does not own: advice.

use std::fmt;
use std::io;

/// Why a table cannot be created or attached to.
#[derive(Debug)]
#[non_exhaustive]
pub enum TableError {
    /// The system refused a step.
    System {
        /// What was attempted.
        step: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// A bound is out of its documented range.
    Config,
    /// The file could shrink under the mapping: it is not sealed.
    NotSealed,
    /// Not a lease table.
    NotATable,
    /// A table of another build.
    Version {
        /// What the header says.
        found: u64,
        /// What this build knows.
        known: u64,
    },
    /// The header contradicts itself or the size of the file.
    Header,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System { step, .. } => write!(f, "{step} failed"),
            Self::Config => write!(f, "a bound of the lease table is out of range"),
            Self::NotSealed => write!(f, "the memory is not sealed"),
            Self::NotATable => write!(f, "the memory holds no lease table"),
            Self::Version { found, known } => write!(f, "lease table version {found}, expected {known}"),
            Self::Header => write!(f, "the header of the lease table is inconsistent"),
        }
    }
}

impl std::error::Error for TableError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a task was not taken.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfferError {
    /// Every slot is in use; collect first.
    Full,
    /// Longer than the bound, in bytes.
    TooLong {
        /// The bound.
        max: usize,
    },
    /// The table is closed.
    Closed,
}

impl fmt::Display for OfferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "every slot of the lease table is in use"),
            Self::TooLong { max } => write!(f, "the task is longer than {max} bytes"),
            Self::Closed => write!(f, "the lease table is closed"),
        }
    }
}

impl std::error::Error for OfferError {}

/// The lease was lost: the supervisor took this worker for dead, and the task is somebody else's now.
#[derive(Debug, PartialEq, Eq)]
pub struct Fenced;

impl fmt::Display for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lease was lost")
    }
}

impl std::error::Error for Fenced {}

/// Why an outcome was not taken.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishError {
    /// As [`Fenced`](struct@Fenced).
    Fenced,
    /// Longer than the bound, in bytes. The lease still holds.
    TooLong {
        /// The bound.
        max: usize,
    },
}

impl fmt::Display for FinishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced => write!(f, "{Fenced}"),
            Self::TooLong { max } => write!(f, "the outcome is longer than {max} bytes"),
        }
    }
}

impl std::error::Error for FinishError {}

/// The intent is longer than the bound.
#[derive(Debug, PartialEq, Eq)]
pub struct IntentTooLong {
    /// The bound, in bytes.
    pub max: usize,
}

impl fmt::Display for IntentTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the intent is longer than {} bytes", self.max)
    }
}

impl std::error::Error for IntentTooLong {}
