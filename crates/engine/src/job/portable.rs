//! Jobs that worker processes can carry out.
//!
//! Owns: the requirements on such a job; the command that starts a worker process.
//! Does not own: the processes ([`crate::processes::worker_pool`]), the messages to them ([`crate::processes::order`]).

use std::ffi::OsString;
use std::path::PathBuf;

use haul_io::Io;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::job::contract::Job;
use crate::processes::handles::Workers;

/// A task whose parts can't be repeated starts anew at most this many times after deaths of workers.
pub(crate) const RESTARTS_MAX: u8 = 2;

/// A value that can be sent to another process of the same program.
pub trait Wire: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> Wire for T {}

/// A job for worker processes, any of which may be killed at any moment.
///
/// Another worker repeats the work of a killed one from the start, so an attempt must leave nothing behind that
/// disturbs the next one. The engine helps: before an attempt creates a temporary file or gives a file its name, it
/// records that intent. The next attempt removes the temporary file, or recognises the published one. This requires
/// that a job
///
/// - names files by path or relative to a [`haul_io::Directory`], which another process can open again;
/// - publishes at most one file in each call of `start`, `part` and `finish`.
pub trait Portable: Job<Task: Wire, Output: Wire, Error: Wire> + Sized {
    /// The specification from which another process creates the same job. It may contain secrets: it travels through
    /// a pipe.
    type JobSpec: Wire;
    /// The state of a split task in a form that another process can use. It must not contain secrets in the clear: it
    /// is stored in shared memory.
    type Token: Wire;

    /// The specification for the worker processes. Called once, before the run.
    fn job_spec(&self, random: &mut dyn FnMut(&mut [u8])) -> Self::JobSpec;

    /// Creates the job in a worker process.
    ///
    /// # Errors
    /// A fragment that says what is wrong with the specification.
    fn from_job_spec(spec: Self::JobSpec) -> Result<Self, String>;

    /// The token from which other processes restore `state`.
    fn token(&self, state: &Self::State, random: &mut dyn FnMut(&mut [u8])) -> Self::Token;

    /// Restores the state that another process created.
    fn join<I: Io>(
        &self,
        io: &I,
        task: &Self::Task,
        token: Self::Token,
    ) -> impl Future<Output = Result<Self::State, Self::Error>>;

    /// Completes a task whose result was published, in `start` or `finish`, by an attempt that died before it could
    /// reply. Makes the result as durable as configured, and does whatever follows the publication.
    fn published<I: Io>(
        &self,
        io: &I,
        task: &Self::Task,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>>;

    /// Removes what the state of `token` has left in the file system, after [`join`](Portable::join) failed or after
    /// the result was published. Must not fail, even if no descriptor is free.
    fn abandon<I: Io>(&self, _io: &I, _task: &Self::Task, _token: Self::Token) -> impl Future<Output = ()> {
        async {}
    }

    /// Whether a part may be carried out again for the same state after its worker died. If not, the task is undone
    /// and starts anew, at most twice.
    fn repeats_parts(&self) -> bool {
        true
    }

    /// Called in the supervising process when a worker has replied to a part of `state`.
    fn part_returned(&self, _state: &Self::State) {}

    /// The error of a task whose attempt died after it began to write; such attempts are not repeated. `None`: every
    /// interrupted attempt may be repeated.
    fn half_done(&self) -> Option<Self::Error> {
        None
    }
}

/// The command that starts a worker process. It must call [`work`](crate::work) for the same job, and exit when that
/// returns.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program's path.
    pub program: PathBuf,
    /// Its arguments. Every user of the machine can read them: no secrets.
    pub arguments: Vec<OsString>,
    /// The workers that were started by this command.
    pub workers: Workers,
}

impl WorkerCommand {
    /// The running program itself, with these arguments.
    pub fn this_program(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program: PathBuf::from("/proc/self/exe"), arguments, workers: Workers::default() }
    }
}
