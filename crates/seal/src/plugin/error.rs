//! What went wrong with a plugin.
//!
//! Owns: the error of a session.
//! Does not own: advice to the user.

use std::fmt;

use haul_age_format::PluginFault;
use serde::{Deserialize, Serialize};

/// Why a plugin gave no keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginError {
    /// The name of its program, `age-plugin-name`.
    pub program: String,
    /// What happened.
    pub problem: PluginProblem,
}

/// What happened to a session. Reads after the program's name and a colon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PluginProblem {
    /// There is no such program on the search path.
    Missing,
    /// The system refused to start it, or to talk to it.
    System(String),
    /// It ended in the middle, or closed its end of a pipe.
    HungUp {
        /// How it ended, where it did.
        status: Option<i32>,
        /// The end of what it wrote to its standard error, foreign text.
        said: String,
    },
    /// It was silent for too long, and was killed.
    Silent,
    /// It said what it must not say, or that it failed.
    Fault(PluginFault),
    /// The run was cancelled.
    Cancelled,
}

impl PluginError {
    pub(super) fn new(program: &str, problem: PluginProblem) -> Self {
        Self { program: program.to_owned(), problem }
    }
}

impl From<PluginFault> for PluginProblem {
    fn from(fault: PluginFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<std::io::Error> for PluginProblem {
    fn from(error: std::io::Error) -> Self {
        Self::System(haul_io::reason(&error))
    }
}

impl From<rustix::io::Errno> for PluginProblem {
    fn from(error: rustix::io::Errno) -> Self {
        std::io::Error::from(error).into()
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, problem } = self;
        match problem {
            PluginProblem::Missing => write!(f, "there is no program {program}"),
            PluginProblem::System(reason) => write!(f, "{program}: {reason}"),
            PluginProblem::HungUp { status, said } => {
                write!(f, "{program} ended early")?;
                status.map_or(Ok(()), |status| write!(f, " with status {status}"))?;
                if said.is_empty() { Ok(()) } else { write!(f, ": {}", harmless(said)) }
            }
            PluginProblem::Silent => write!(f, "{program} is silent for too long"),
            PluginProblem::Fault(fault) => write!(f, "{program}: {}", harmless(&fault.to_string())),
            PluginProblem::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// Foreign text in one line that plays no tricks on a terminal.
fn harmless(text: &str) -> String {
    text.trim().chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

impl std::error::Error for PluginError {}
