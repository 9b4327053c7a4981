//! Jobs that other processes can do.
//!
//! Owns: what a job must offer for that; how a worker process is started.
//! Does not own: the processes ([`crate::processes::worker_pool`]), how bytes reach them ([`crate::processes::order`]).

use std::ffi::OsString;
use std::path::PathBuf;

use haul_io::Io;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::job::contract::Job;

/// What can be handed to another process of the same program.
pub trait Wire: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> Wire for T {}

/// A job whose tasks worker processes can do, any of which may be killed at any moment.
///
/// What a killed worker had begun is done again from the start by another, so an attempt must leave nothing behind that
/// disturbs the next one. The engine helps: before an attempt creates a temporary file or gives a file its name, it
/// leaves a note of that for its successor, which removes the one and recognises the other. For this a job names files by
/// path or relative to a [`haul_io::Directory`], which another process can reach again, and publishes at most one file in each of
/// `start`, `part` and `finish`.
pub trait Portable: Job<Task: Wire, Output: Wire, Error: Wire> + Sized {
    /// All that makes another process do the same, secrets included: it travels through a pipe.
    type JobSpec: Wire;
    /// What another process needs to join a split task. It lies in shared memory: no secrets in the clear.
    type Token: Wire;

    /// What a worker process is told. Called once, before the run.
    fn job_spec(&self, random: &mut dyn FnMut(&mut [u8])) -> Self::JobSpec;

    /// The job in a worker process.
    ///
    /// # Errors
    /// What is wrong with the specification.
    fn from_job_spec(spec: Self::JobSpec) -> Result<Self, String>;

    /// What others need for `state`.
    fn token(&self, state: &Self::State, random: &mut dyn FnMut(&mut [u8])) -> Self::Token;

    /// The state that another process made.
    fn join<I: Io>(
        &self,
        io: &I,
        task: &Self::Task,
        token: Self::Token,
    ) -> impl Future<Output = Result<Self::State, Self::Error>>;

    /// What a task came to whose result was published, in `start` or `finish`, by an attempt that died before it could say so.
    /// Makes the result as durable as it should be, and does what else was to follow.
    fn published<I: Io>(
        &self,
        io: &I,
        task: &Self::Task,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>>;

    /// A part of `state` has come back, from whichever process did it.
    fn part_returned(&self, _state: &Self::State) {}

    /// `None`: what was interrupted may be done again. Else no attempt that had begun to write is repeated, and its task
    /// fails with this.
    fn half_done(&self) -> Option<Self::Error> {
        None
    }
}

/// The command that starts a worker process: it must call [`work`](crate::work) for the same job and end when that returns.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments. Anybody on the machine can read them.
    pub arguments: Vec<OsString>,
}

impl WorkerCommand {
    /// The running program itself, with other arguments.
    pub fn this_program(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program: PathBuf::from("/proc/self/exe"), arguments }
    }
}
