//! The failure of a task: its error and its attempts.
//!
//! Owns: what is told of both.
//! Does not own: the error ([`crate::Error`]), when there is another attempt (`list::retry`).

use std::fmt;

use crate::{Error, Times};

/// Why a task failed, and after how many attempts. Reads after "cannot fetch …:".
#[derive(Debug)]
pub struct Failed {
    /// The error of the last attempt.
    pub error: Error,
    /// Attempts that were made.
    pub attempts: u32,
    /// How long each step of the last attempt took.
    pub times: Times,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        match self.attempts {
            0 | 1 => Ok(()),
            attempts => write!(f, " (after {attempts} attempts)"),
        }
    }
}

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
