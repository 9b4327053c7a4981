//! The errors of the crate, sorted by whose fault they are.
//!
//! Owns: one error type for everything that is done with a store.
//! Does not own: the meaning of a store's codes ([`crate::refusal`]).

use std::{fmt, io};

pub use haul_fetch::Fault;

use crate::refusal::Refusal;

/// Why something could not be done with a store.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An address, an endpoint or a region is invalid.
    Address {
        /// Why.
        reason: &'static str,
    },
    /// There are no usable credentials.
    Credentials {
        /// Why, and what to do.
        reason: String,
    },
    /// The store could not be reached, or its answer broke HTTP.
    Fetch(haul_fetch::Error),
    /// The store refused the request.
    Refused(Refusal),
    /// The store's answer can't be understood.
    Answer {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The store has other bytes than were sent.
    Checksum {
        /// Of the bytes that were sent.
        expected: String,
        /// What the store answered.
        found: String,
    },
    /// There is an object of this key, and it must not be replaced.
    Exists,
    /// The object was replaced or removed while it was being read.
    Changed,
    /// The object would need more than 10 000 parts.
    TooManyParts,
    /// This machine can't do its part.
    Local(io::Error),
    /// The caller's switch was triggered.
    Cancelled,
}

impl Error {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Address { .. } | Self::Credentials { .. } | Self::TooManyParts => Fault::Caller,
            Self::Fetch(error) => error.fault(),
            Self::Refused(refusal) => refusal.kind.fault(),
            Self::Answer { .. } | Self::Checksum { .. } | Self::Changed => Fault::Server,
            Self::Exists | Self::Local(_) | Self::Cancelled => Fault::Local,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { reason } => f.write_str(reason),
            Self::Credentials { reason } => f.write_str(reason),
            Self::Fetch(error) => error.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Answer { reason } => write!(f, "the store's answer can't be understood: {reason}"),
            Self::Checksum { expected, found } => {
                write!(f, "the store has other bytes than were sent: CRC64NVME {found} instead of {expected}")
            }
            Self::Exists => f.write_str("the object exists already"),
            Self::Changed => f.write_str("the object was replaced while it was being read"),
            Self::TooManyParts => {
                f.write_str("the object would need more than 10 000 parts; give its length or larger parts")
            }
            Self::Local(error) => f.write_str(&haul_io::reason(error).to_string()),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fetch(error) => Some(error),
            Self::Local(error) => Some(error),
            _ => None,
        }
    }
}

impl From<haul_fetch::Error> for Error {
    fn from(error: haul_fetch::Error) -> Self {
        match error {
            haul_fetch::Error::Cancelled => Self::Cancelled,
            other => Self::Fetch(other),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        if matches!(error, Error::Cancelled) {
            return haul_io::cancelled();
        }
        let kind = match &error {
            Error::Exists => io::ErrorKind::AlreadyExists,
            Error::Address { .. } | Error::TooManyParts => io::ErrorKind::InvalidInput,
            Error::Local(error) => error.kind(),
            Error::Refused(refusal) => refusal.kind.io_kind(),
            Error::Answer { .. } | Error::Checksum { .. } | Error::Changed => io::ErrorKind::InvalidData,
            Error::Credentials { .. } | Error::Fetch(_) | Error::Cancelled => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
