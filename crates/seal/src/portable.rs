//! The three jobs in other processes.
//!
//! Owns: charters and tokens; what a result says whose maker died.
//! Does not own: the jobs, processes.

use std::sync::OnceLock;

use haul_age_format::{Identity, PayloadKey, Recipient, RunKey};
use haul_engine::Portable;
use haul_io::{Durability, Io};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::large::{Large, Payload, Token};
use crate::xor::Touched;
use crate::{Done, Error, FileOptions, Manner, OpenJob, SealJob, Step, Task, XorJob};

/// The key that the processes of a run share; there is none where a run has one process.
pub(crate) type SharedKey = OnceLock<RunKey>;

/// What a worker is told that seals or opens.
#[derive(Serialize, Deserialize)]
pub struct Charter {
    /// Recipients or identities, each as a line.
    keys: Vec<Zeroizing<String>>,
    options: FileOptions,
    run_key: Zeroizing<[u8; 32]>,
}

/// What a worker is told that transforms by XOR.
#[derive(Serialize, Deserialize)]
pub struct XorCharter {
    key: Vec<u8>,
    manner: Manner,
}

/// The key of a payload, for those who have the run's key.
#[derive(Serialize, Deserialize)]
pub struct WrappedKey {
    wrapped: Vec<u8>,
    /// See [`Payload::offset`].
    offset: u64,
}

impl Portable for SealJob {
    type Charter = Charter;
    type Token = Token<WrappedKey>;

    fn charter(&self, random: &mut dyn FnMut(&mut [u8])) -> Charter {
        let keys = self.recipients.iter().map(Recipient::to_secret_text);
        charter(keys.collect(), self.options, &self.run_key, random)
    }

    fn from_charter(charter: Charter) -> Result<Self, String> {
        let recipients = charter.keys.iter().map(|key| Recipient::from_secret_text(key));
        let recipients = recipients.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let mut job = Self::new(recipients, charter.options).map_err(|error| error.to_string())?;
        job.run_key = RunKey::from_secret(charter.run_key).into();
        Ok(job)
    }

    fn token(&self, state: &Large<Payload>, random: &mut dyn FnMut(&mut [u8])) -> Token<WrappedKey> {
        token(state, &self.run_key, random)
    }

    async fn join<I: Io>(
        &self,
        io: &I,
        task: &Task,
        token: Token<WrappedKey>,
    ) -> Result<Large<Payload>, Error> {
        join(io, task, token, &self.run_key).await
    }

    async fn published<I: Io>(&self, io: &I, task: &Task) -> Result<Done, Error> {
        published(io, task, &self.options, |source, target| (source, target)).await
    }
}

impl Portable for OpenJob {
    type Charter = Charter;
    type Token = Token<WrappedKey>;

    fn charter(&self, random: &mut dyn FnMut(&mut [u8])) -> Charter {
        let keys = self.identities.iter().map(Identity::to_secret_text);
        charter(keys.collect(), self.options, &self.run_key, random)
    }

    fn from_charter(charter: Charter) -> Result<Self, String> {
        let identities = charter.keys.iter().map(|key| Identity::from_secret_text(key));
        let identities = identities.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let mut job = Self::new(identities, charter.options);
        job.run_key = RunKey::from_secret(charter.run_key).into();
        Ok(job)
    }

    fn token(&self, state: &Large<Payload>, random: &mut dyn FnMut(&mut [u8])) -> Token<WrappedKey> {
        token(state, &self.run_key, random)
    }

    async fn join<I: Io>(
        &self,
        io: &I,
        task: &Task,
        token: Token<WrappedKey>,
    ) -> Result<Large<Payload>, Error> {
        join(io, task, token, &self.run_key).await
    }

    async fn published<I: Io>(&self, io: &I, task: &Task) -> Result<Done, Error> {
        published(io, task, &self.options, |source, target| (target, source)).await
    }
}

impl Portable for XorJob {
    type Charter = XorCharter;
    type Token = Token<()>;

    fn charter(&self, _: &mut dyn FnMut(&mut [u8])) -> XorCharter {
        XorCharter { key: self.key().to_vec(), manner: self.manner }
    }

    fn from_charter(charter: XorCharter) -> Result<Self, String> {
        Self::new(&charter.key, charter.manner).map_err(|error| error.to_string())
    }

    fn token(&self, state: &Large<Touched>, _: &mut dyn FnMut(&mut [u8])) -> Token<()> {
        state.token(())
    }

    async fn join<I: Io>(&self, io: &I, task: &Task, token: Token<()>) -> Result<Large<Touched>, Error> {
        Large::join(io, task.source(), token, Touched::new(false)).await
    }

    async fn published<I: Io>(&self, io: &I, task: &Task) -> Result<Done, Error> {
        published(io, task, &self.options(), |_, target| (target, target)).await
    }

    fn part_returned(&self, state: &Large<Touched>) {
        state.key.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    fn half_done(&self) -> Option<Error> {
        (self.manner == Manner::Overwrite).then_some(Error::HalfOverwritten)
    }
}

fn charter(
    keys: Vec<Zeroizing<String>>,
    options: FileOptions,
    shared: &SharedKey,
    random: &mut dyn FnMut(&mut [u8]),
) -> Charter {
    let run_key = shared.get_or_init(|| RunKey::generate(random));
    Charter { keys, options, run_key: Zeroizing::new(*run_key.secret()) }
}

fn token(state: &Large<Payload>, shared: &SharedKey, random: &mut dyn FnMut(&mut [u8])) -> Token<WrappedKey> {
    let wrapped = run_key(shared).wrap(&state.key.key, random);
    state.token(WrappedKey { wrapped, offset: state.key.offset })
}

async fn join(
    io: &impl Io,
    task: &Task,
    token: Token<WrappedKey>,
    shared: &SharedKey,
) -> Result<Large<Payload>, Error> {
    let key: Option<PayloadKey> = run_key(shared).unwrap(&token.key.wrapped);
    let key = key.expect("tokens are of this run");
    let offset = token.key.offset;
    Large::join(io, task.source(), token, Payload { key, offset }).await
}

fn run_key(shared: &SharedKey) -> &RunKey {
    shared.get().expect("a job in several processes has a charter")
}

/// What the published result of a task says; `lengths` makes those of plaintext and age file of those of source and target.
async fn published(
    io: &impl Io,
    task: &Task,
    options: &FileOptions,
    lengths: impl Fn(u64, u64) -> (u64, u64),
) -> Result<Done, Error> {
    let Task::File { source, target } = task else { unreachable!("only files have results") };
    let of_source = io.stat_at(None, source).await.map_err(Error::at(Step::OpenSource))?;
    let of_target = io.stat_at(None, target).await.map_err(Error::at(Step::Publish))?;
    if options.durability == Durability::Synced {
        haul_io::sync_directory_of(io, target).await.map_err(Error::at(Step::Publish))?;
    }
    let (plain_bytes, sealed_bytes) = lengths(of_source.bytes, of_target.bytes);
    Ok(Done::File { plain_bytes, sealed_bytes })
}
