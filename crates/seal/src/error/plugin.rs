//! The error of a session with a plugin.
//!
//! Owns: what can go wrong in a session and how it is displayed.
//! Does not own: advice to the user.

use std::fmt;

use haul_age_format::PluginFault;
use serde::{Deserialize, Serialize};

/// Why a plugin gave no keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginError {
    /// The name of the plugin's program, such as `age-plugin-yubikey`.
    pub program: String,
    /// What went wrong.
    pub problem: PluginProblem,
}

/// What went wrong in a session. The text is meant to follow the program's name and a colon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PluginProblem {
    /// The search path has no such program.
    Missing,
    /// The system could not start the program or use its pipes.
    System(String),
    /// The program exited or closed its standard output before the session was complete.
    HungUp {
        /// Its exit status, if it exited by itself.
        status: Option<i32>,
        /// The last part of its standard error. Untrusted text.
        said: String,
    },
    /// The program sent no message within its time: see [`PluginLimits`](crate::PluginLimits).
    Silent,
    /// The program violated the protocol or reported a failure.
    Fault(PluginFault),
    /// The run was cancelled.
    Cancelled,
    /// The build lacks the feature `plugins`.
    NotBuilt,
}

impl PluginError {
    pub(crate) fn new(program: &str, problem: PluginProblem) -> Self {
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
            PluginProblem::Silent => write!(f, "{program} gave no answer in time"),
            PluginProblem::Fault(fault) => write!(f, "{program}: {}", harmless(&fault.to_string())),
            PluginProblem::Cancelled => f.write_str("cancelled"),
            PluginProblem::NotBuilt => {
                write!(f, "{program} needs a build with the feature `plugins` of haul-seal")
            }
        }
    }
}

/// Makes untrusted text safe to print: one line without control characters.
fn harmless(text: &str) -> String {
    text.trim().chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

impl std::error::Error for PluginError {}
