//! A finding of a check.
//!
//! Owns: a finding's place and its form in print.
//! Does not own: the checks.

use std::fmt;

/// Something to put right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    pub(super) path: String,
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) message: String,
}

impl Finding {
    /// A finding in the line of this index, counted from 0.
    pub(super) fn at(path: &str, line_index: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: line_index + 1, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}
