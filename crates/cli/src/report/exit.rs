//! Exit codes, and problems that end the program before a task has started.
//!
//! Owns: the one list of exit codes.
//! Does not own: printing.

use std::process::ExitCode;

/// The exit code of the program. The order is that of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Every task succeeded.
    Success = 0,
    /// The run finished; at least one task failed.
    Failed = 1,
    /// Nothing was started: usage, an unreadable list, a bad option value.
    Usage = 2,
    /// No identity matched, or the passphrase is wrong.
    NoMatch = 3,
    /// A file or message was damaged or tampered with.
    Damaged = 4,
    /// No space, quota or file-size limit.
    NoSpace = 5,
    /// SIGINT or SIGTERM.
    Interrupted = 130,
}

impl Exit {
    /// The exit code for a failed write.
    pub(crate) fn of_write(error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        if matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull) {
            Self::NoSpace
        } else {
            Self::Failed
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the program ends early, and a hint if there is one.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) exit: Exit,
}

impl Problem {
    /// A problem with the command line, or with a file that it names.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit: Exit::Usage }
    }

    /// A problem with writing something, because of `error`.
    pub(crate) fn unwritten(message: impl Into<String>, error: &std::io::Error) -> Self {
        Self { message: message.into(), hint: None, exit: Exit::of_write(error) }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self { message: haul_io::reason(&error), hint: None, exit: Exit::Failed }
    }
}
