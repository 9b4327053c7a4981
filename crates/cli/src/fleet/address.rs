//! The way to a run.
//!
//! Owns: the variable with the password, the timeout, the node's name for people.
//! Does not own: the grammar of addresses, connections ([`haul_fleet`]).

use std::fmt;
use std::time::Duration;

use haul_fleet::{Address, Connection, Failure, Run, RunError, Status};

use crate::report::exit::{Exit, Problem};
use crate::run::environment::Environment;

/// How long connecting, and an answer, may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A run, with its address as it may be shown.
pub(super) struct Target {
    pub(super) run: Run<Connection>,
    pub(super) address: Address,
}

/// The run at `address`. Nothing is sent yet.
pub(super) fn connect(address: &str, environment: &Environment) -> Result<Target, Problem> {
    let problem = |reason: &dyn std::fmt::Display| {
        Problem::usage(format!("not the address of a fleet's run: {reason}"))
    };
    let mut address: Address = address.parse().map_err(|error| problem(&error))?;
    // The variable of redis-cli.
    if let Some(password) = environment.text("REDISCLI_AUTH") {
        address = address.with_password(password).map_err(|error| problem(&error))?;
    }
    let connection = Connection::new(&address, TIMEOUT).map_err(|error| problem(&error))?;
    Ok(Target { run: Run::new(connection), address })
}

/// The run that a node is to join.
pub(crate) struct NodePlan(Target);

impl NodePlan {
    /// The plan for the run at `address`. Nothing is sent yet.
    pub(crate) fn resolve(address: &str, environment: &Environment) -> Result<Self, Problem> {
        connect(address, environment).map(Self)
    }

    /// A server for the node, and the run's state.
    pub(crate) fn open(mut self) -> Result<(Connection, Status), Problem> {
        let status = self.0.run.status().map_err(|error| self.0.problem(&error))?;
        Ok((self.0.run.into_server(), status))
    }
}

impl fmt::Debug for NodePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodePlan").field(&self.0.address).finish()
    }
}

/// The name of this process for people.
pub(super) fn node_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}:{}", std::process::id())
}

impl Target {
    /// What failed, and where.
    pub(super) fn problem(&self, error: &RunError) -> Problem {
        let problem = Problem {
            message: format!("{}: {error}", self.address),
            hint: None,
            exit: if matches!(error, RunError::Server(Failure::Lost(_))) {
                Exit::Failed
            } else {
                Exit::Usage
            },
        };
        match error {
            RunError::Exists => problem.hint("haul fleet cancel --remove removes it"),
            RunError::Missing => problem.hint("haul fleet create makes it"),
            RunError::Server(_) => problem,
        }
    }
}
