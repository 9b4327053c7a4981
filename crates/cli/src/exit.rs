//! Exit codes, and problems that end the program before anything was started.
//!
//! Owns: the one list of exit codes.
//! Does not own: printing.

use std::process::ExitCode;

/// What the program's end says to a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Every task succeeded.
    Success = 0,
    /// The run finished; at least one task failed.
    Failed = 1,
    /// Nothing was started.
    Usage = 2,
    /// No identity matched, or the passphrase is wrong.
    NoMatch = 3,
    /// Something was damaged or tampered with.
    Damaged = 4,
    /// No space, quota or file-size limit.
    NoSpace = 5,
    /// SIGINT or SIGTERM.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the program ends early, and what may help.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) exit: Exit,
}

impl Problem {
    /// Something in what was typed, or in what it names.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit: Exit::Usage }
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
