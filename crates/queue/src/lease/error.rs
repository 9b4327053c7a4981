//! The errors of a lease table.
//!
//! Owns: the errors and their texts.
//! Does not own: advice.

use std::fmt;
use std::io;

/// Why a table cannot be created or attached to.
#[derive(Debug)]
#[non_exhaustive]
pub enum TableError {
    /// A system call failed.
    System {
        /// The call.
        step: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// A bound is out of its documented range.
    Config,
    /// The memory is not sealed, so its size could change under the mapping.
    NotSealed,
    /// The memory is no lease table.
    NotATable,
    /// The table belongs to another build.
    Version {
        /// The version in the header.
        found: u64,
        /// The version of this build.
        known: u64,
    },
    /// The header contradicts itself, or the size of the memory.
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

/// Why a task was refused.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfferError {
    /// Every slot is in use.
    Full,
    /// The task is too long.
    TooLong {
        /// The maximum length in bytes.
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

/// The lease was lost: the supervisor has reaped this worker, and the task belongs to another attempt.
#[derive(Debug, PartialEq, Eq)]
pub struct Fenced;

impl fmt::Display for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lease was lost")
    }
}

impl std::error::Error for Fenced {}

/// Why an outcome was refused.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinishError {
    /// The lease was lost; see [`Fenced`](struct@Fenced).
    Fenced,
    /// The outcome is too long. The lease still holds.
    TooLong {
        /// The maximum length in bytes.
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

/// The intent is too long.
#[derive(Debug, PartialEq, Eq)]
pub struct IntentTooLong {
    /// The maximum length in bytes.
    pub max: usize,
}

impl fmt::Display for IntentTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the intent is longer than {} bytes", self.max)
    }
}

impl std::error::Error for IntentTooLong {}
