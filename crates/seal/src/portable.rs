//! The jobs in other processes.
//!
//! Owns: job specifications and tokens; what a result says whose maker died.
//! Does not own: the jobs, processes.

use std::sync::OnceLock;

use haul_age_format::{Identity, Layout, PayloadKey, Recipient, RunKey};
use haul_engine::Portable;
use haul_io::{Durability, Io, Stat};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::large::{Large, Payload, Token};
use crate::pair::Pair;
use crate::task::Remarks;
use crate::verify::Checked;
use crate::xor::Touched;
use crate::{Done, During, Error, FileOptions, OpenJob, SealJob, Task, VerifyJob, XorJob, XorMode};

/// The key that the processes of a run share; there is none where a run has one process and no plugins.
pub(crate) type SharedKey = OnceLock<RunKey>;

/// What a worker is told that seals or opens.
#[derive(Serialize, Deserialize)]
pub struct JobSpec {
    /// Recipients or identities, each as a line.
    keys: Vec<Zeroizing<String>>,
    options: FileOptions,
    armored: bool,
    run_key: Zeroizing<[u8; 32]>,
}

/// What a worker is told that transforms by XOR.
#[derive(Serialize, Deserialize)]
pub struct XorJobSpec {
    key: Vec<u8>,
    mode: XorMode,
}

/// The key of a payload, for those who have the run's key.
#[derive(Serialize, Deserialize)]
pub struct WrappedKey {
    wrapped: Vec<u8>,
    /// See [`Payload::offset`].
    offset: u64,
}

/// A large file that is being verified, for another process.
#[derive(Serialize, Deserialize)]
pub struct CheckToken {
    source_stat: Stat,
    plain_bytes: u64,
    key: WrappedKey,
}

impl Portable for SealJob {
    type JobSpec = JobSpec;
    type Token = Token<WrappedKey>;

    fn job_spec(&self, random: &mut dyn FnMut(&mut [u8])) -> JobSpec {
        let keys = self.recipients.iter().map(Recipient::to_secret_text);
        let armored = self.armored;
        JobSpec { armored, ..job_spec(keys.collect(), self.options, &self.run_key, random) }
    }

    fn from_job_spec(spec: JobSpec) -> Result<Self, String> {
        let recipients = spec.keys.iter().map(|key| Recipient::from_secret_text(key));
        let recipients = recipients.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let job = Self::new(recipients, spec.options).map_err(|error| error.to_string())?;
        let mut job = job.armored(spec.armored);
        job.run_key = RunKey::from_secret(spec.run_key).into();
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
    type JobSpec = JobSpec;
    type Token = Token<WrappedKey>;

    fn job_spec(&self, random: &mut dyn FnMut(&mut [u8])) -> JobSpec {
        let keys = self.identities.iter().map(Identity::to_secret_text);
        job_spec(keys.collect(), self.options, &self.run_key, random)
    }

    fn from_job_spec(spec: JobSpec) -> Result<Self, String> {
        let mut job = Self::new(identities_of(&spec)?, spec.options);
        job.run_key = RunKey::from_secret(spec.run_key).into();
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

impl Portable for VerifyJob {
    type JobSpec = JobSpec;
    type Token = CheckToken;

    fn job_spec(&self, random: &mut dyn FnMut(&mut [u8])) -> JobSpec {
        let keys = self.identities.iter().map(Identity::to_secret_text);
        job_spec(keys.collect(), FileOptions::default(), &self.run_key, random)
    }

    fn from_job_spec(spec: JobSpec) -> Result<Self, String> {
        let mut job = Self::new(identities_of(&spec)?);
        job.run_key = RunKey::from_secret(spec.run_key).into();
        Ok(job)
    }

    fn token(&self, state: &Checked, random: &mut dyn FnMut(&mut [u8])) -> CheckToken {
        let Checked { source_stat, layout, payload, .. } = state;
        let key = wrapped(payload, &self.run_key, random);
        CheckToken { source_stat: *source_stat, plain_bytes: layout.plain_bytes(), key }
    }

    async fn join<I: Io>(&self, io: &I, task: &Task, token: CheckToken) -> Result<Checked, Error> {
        let (source, stat) = Pair::of(task).open_source(io).await?;
        if !token.source_stat.same_content(&stat) {
            return Err(Error::SourceChanged);
        }
        let layout = Layout::of_plain(token.plain_bytes);
        let payload = unwrapped(&token.key, &self.run_key);
        Ok(Checked { source, source_stat: token.source_stat, layout, payload })
    }

    async fn published<I: Io>(&self, _: &I, _: &Task) -> Result<Done, Error> {
        unreachable!("what is verified makes no result")
    }
}

impl Portable for XorJob {
    type JobSpec = XorJobSpec;
    type Token = Token<()>;

    fn job_spec(&self, _: &mut dyn FnMut(&mut [u8])) -> XorJobSpec {
        XorJobSpec { key: self.key().to_vec(), mode: self.mode }
    }

    fn from_job_spec(spec: XorJobSpec) -> Result<Self, String> {
        Self::new(&spec.key, spec.mode).map_err(|error| error.to_string())
    }

    fn token(&self, state: &Large<Touched>, _: &mut dyn FnMut(&mut [u8])) -> Token<()> {
        state.token(())
    }

    async fn join<I: Io>(&self, io: &I, task: &Task, token: Token<()>) -> Result<Large<Touched>, Error> {
        Large::join(io, task, token, Touched::new(false)).await
    }

    async fn published<I: Io>(&self, io: &I, task: &Task) -> Result<Done, Error> {
        published(io, task, &self.options(), |_, target| (target, target)).await
    }

    fn part_returned(&self, state: &Large<Touched>) {
        state.key.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    fn half_done(&self) -> Option<Error> {
        (self.mode == XorMode::Overwrite).then_some(Error::HalfOverwritten)
    }
}

fn job_spec(
    keys: Vec<Zeroizing<String>>,
    options: FileOptions,
    shared: &SharedKey,
    random: &mut dyn FnMut(&mut [u8]),
) -> JobSpec {
    let run_key = run_key_of(shared, random);
    JobSpec { keys, options, armored: false, run_key: Zeroizing::new(*run_key.secret()) }
}

/// The key of the run, made where there is none yet.
pub(crate) fn run_key_of(shared: &SharedKey, random: &mut dyn FnMut(&mut [u8])) -> RunKey {
    shared.get_or_init(|| RunKey::generate_with(random)).clone()
}

fn token(state: &Large<Payload>, shared: &SharedKey, random: &mut dyn FnMut(&mut [u8])) -> Token<WrappedKey> {
    state.token(wrapped(&state.key, shared, random))
}

fn wrapped(payload: &Payload, shared: &SharedKey, random: &mut dyn FnMut(&mut [u8])) -> WrappedKey {
    WrappedKey { wrapped: run_key(shared).wrap(&payload.key, random), offset: payload.offset }
}

fn unwrapped(key: &WrappedKey, shared: &SharedKey) -> Payload {
    let payload_key: Option<PayloadKey> = run_key(shared).unwrap(&key.wrapped);
    Payload { key: payload_key.expect("tokens are of this run"), offset: key.offset }
}

fn identities_of(spec: &JobSpec) -> Result<Vec<Identity>, String> {
    let identities = spec.keys.iter().map(|key| Identity::from_secret_text(key));
    identities.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

async fn join(
    io: &impl Io,
    task: &Task,
    token: Token<WrappedKey>,
    shared: &SharedKey,
) -> Result<Large<Payload>, Error> {
    let payload = unwrapped(&token.key, shared);
    Large::join(io, task, token, payload).await
}

fn run_key(shared: &SharedKey) -> &RunKey {
    shared.get().expect("a job in several processes has a job specification")
}

/// What the published result of a task says; `lengths` makes those of plaintext and age file of those of source and target.
async fn published(
    io: &impl Io,
    task: &Task,
    options: &FileOptions,
    lengths: impl Fn(u64, u64) -> (u64, u64),
) -> Result<Done, Error> {
    let pair = Pair::of(task);
    let of_source = pair.stat_source(io).await.map_err(Error::at(During::OpenSource))?;
    let of_target = pair.stat_target(io).await.map_err(Error::at(During::Publish))?;
    if options.durability == Durability::Synced {
        let directory = io.directory(pair.target()).await.map_err(Error::at(During::Publish))?;
        io.sync_directory(&directory).await.map_err(Error::at(During::Publish))?;
    }
    let (plain_bytes, sealed_bytes) = lengths(of_source.bytes, of_target.bytes);
    Ok(Done::File { plain_bytes, sealed_bytes, remarks: Remarks::of(&of_source) })
}
