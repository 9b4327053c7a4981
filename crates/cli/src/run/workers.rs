//! Worker processes: this program, started with a command that the help omits.
//!
//! Owns: the command line of a worker, which job it runs.
//! Does not own: the worker's loop ([`haul_engine::work`]).

use std::process::Command;

use haul_engine::{WorkError, WorkerCommand, Workers, work};
use haul_io::is_shortage;
use haul_seal::{OpenJob, RekeyJob, Replacing, SealJob, VerifyJob, XorJob};

use super::signals;
use crate::bench::lease;
use crate::report::exit::{Exit, Problem};

/// The command that this program gives to itself. Users never type it.
const WORKER: &str = "worker";

/// The job of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerKind {
    Seal,
    Open,
    Xor,
    SealReplacing,
    OpenReplacing,
    Verify,
    Rekey,
    /// For `haul bench queue`.
    Measured,
}

impl WorkerKind {
    const ALL: [(&str, Self); 8] = [
        ("seal", Self::Seal),
        ("open", Self::Open),
        ("xor", Self::Xor),
        ("seal-replacing", Self::SealReplacing),
        ("open-replacing", Self::OpenReplacing),
        ("verify", Self::Verify),
        ("rekey", Self::Rekey),
        ("measured", Self::Measured),
    ];

    /// The command that starts such a worker.
    pub(crate) fn command(self, workers: &Workers) -> WorkerCommand {
        let (name, _) = Self::ALL[self as usize];
        WorkerCommand { workers: workers.clone(), ..WorkerCommand::this_program([WORKER, name]) }
    }

    /// The kind of worker that this process was started as, if any. Call it before parsing the command line, which
    /// takes a fifth of a worker's start.
    pub(crate) fn of_this_process() -> Option<Self> {
        let words: Vec<_> = std::env::args_os().skip(1).take(3).collect();
        let [first, name] = words.as_slice() else { return None };
        let kind = Self::ALL.into_iter().find(|(known, _)| name == known);
        kind.filter(|_| first == WORKER).map(|(_, kind)| kind)
    }

    /// Works until the supervisor closes the pipe.
    pub(crate) fn run(self) -> Result<Exit, Problem> {
        signals::survive_file_size_limit()?;
        signals::forbid_core_dumps()?;
        let result = match self {
            Self::Seal => work::<SealJob>(),
            Self::Open => work::<OpenJob>(),
            Self::Xor => work::<XorJob>(),
            Self::SealReplacing => work::<Replacing<SealJob>>(),
            Self::OpenReplacing => work::<Replacing<OpenJob>>(),
            Self::Verify => work::<VerifyJob>(),
            Self::Rekey => work::<RekeyJob>(),
            Self::Measured => lease::serve(),
        };
        match result {
            Ok(()) => Ok(Exit::Success),
            // The supervisor has threads in the worker's place, and reports that.
            Err(WorkError::Io(error)) if is_shortage(&error) => Ok(Exit::Failed),
            Err(error) => Err(Problem::usage(error.to_string())),
        }
    }
}

/// The command that starts a worker of `haul bench queue`, which gives it its standard input.
pub(crate) fn measured_worker() -> Command {
    let WorkerCommand { program, arguments, .. } = WorkerKind::Measured.command(&Workers::default());
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_started_by_its_own_name() {
        for (index, (name, kind)) in WorkerKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            assert_eq!(kind.command(&Workers::default()).arguments, [WORKER, name]);
        }
    }
}
