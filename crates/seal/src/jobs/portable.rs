//! The jobs in worker processes.
//!
//! Owns: rebuilding a job from its specification, tokens for large files, the outcome of a task whose worker died after
//! publishing the result.
//! Does not own: the work itself, worker processes.

use std::sync::atomic::Ordering;

use haul_age_format::{Layout, Recipient};
use haul_engine::Portable;
use haul_io::{Durability, Io, OpenMode, Stat};
use serde::{Deserialize, Serialize};

use super::identities::JobIdentities;
use super::job_spec::{JobSpec, XorJobSpec};
use super::large_file::{LargeFile, Token};
use super::open::OpenJob;
use super::seal::SealJob;
use super::verify::{VerifyJob, VerifyState};
use super::xor::{WriteBegun, XorJob, XorMode};
use crate::error::{During, Error};
use crate::payload::{Payload, WrappedKey};
use crate::run_key::SharedRunKey;
use crate::task::{FileOptions, Outcome, Remarks, SourceFile, Task};

/// A large file being verified, for another process.
#[derive(Serialize, Deserialize)]
pub struct VerifyToken {
    source_stat: Stat,
    plain_bytes: u64,
    key: WrappedKey,
}

impl Portable for SealJob {
    type JobSpec = JobSpec;
    type Token = Token<WrappedKey>;

    fn job_spec(&self, random: &mut dyn FnMut(&mut [u8])) -> JobSpec {
        let keys = self.recipients.iter().map(Recipient::to_secret_text).collect();
        JobSpec { armored: self.armored, ..JobSpec::new(keys, self.options, &self.run_key, random) }
    }

    fn from_job_spec(spec: JobSpec) -> Result<Self, String> {
        let recipients = spec.keys.iter().map(|key| Recipient::from_secret_text(key));
        let recipients = recipients.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let job = Self::new(recipients, spec.options).map_err(|error| error.to_string())?;
        Ok(Self { run_key: spec.shared_run_key(), armored: spec.armored, ..job })
    }

    fn token(&self, state: &LargeFile<Payload>, random: &mut dyn FnMut(&mut [u8])) -> Token<WrappedKey> {
        state.wrapped_token(&self.run_key, random)
    }

    async fn join<I: Io>(
        &self,
        io: &I,
        task: &Task,
        token: Token<WrappedKey>,
    ) -> Result<LargeFile<Payload>, Error> {
        LargeFile::join_wrapped(io, task, token, &self.run_key).await
    }

    async fn abandon<I: Io>(&self, io: &I, task: &Task, token: Token<WrappedKey>) {
        LargeFile::<Payload>::abandon(io, task, token).await;
    }

    async fn published<I: Io>(&self, io: &I, task: &Task) -> Result<Outcome, Error> {
        let Ends { source, target } = ends_of(io, task, &self.options).await?;
        Ok(outcome(source.bytes, target.bytes, &source))
    }

    /// A dead worker may have sealed other bytes of a changing source: sealing a part again would use its nonces twice.
    fn repeats_parts(&self) -> bool {
        false
    }
}

impl Portable for OpenJob {
    type JobSpec = JobSpec;
    type Token = Token<WrappedKey>;

    fn job_spec(&self, random: &mut dyn FnMut(&mut [u8])) -> JobSpec {
        self.identities.job_spec(self.options, random)
    }

    fn from_job_spec(spec: JobSpec) -> Result<Self, String> {
        Ok(Self { identities: JobIdentities::from_job_spec(&spec)?, options: spec.options })
    }

    fn token(&self, state: &LargeFile<Payload>, random: &mut dyn FnMut(&mut [u8])) -> Token<WrappedKey> {
        state.wrapped_token(&self.identities.run_key, random)
    }

    async fn join<I: Io>(
        &self,
        io: &I,
        task: &Task,
        token: Token<WrappedKey>,
    ) -> Result<LargeFile<Payload>, Error> {
        LargeFile::join_wrapped(io, task, token, &self.identities.run_key).await
    }

    async fn abandon<I: Io>(&self, io: &I, task: &Task, token: Token<WrappedKey>) {
        LargeFile::<Payload>::abandon(io, task, token).await;
    }

    async fn published<I: Io>(&self, io: &I, task: &Task) -> Result<Outcome, Error> {
        let Ends { source, target } = ends_of(io, task, &self.options).await?;
        Ok(outcome(target.bytes, source.bytes, &source))
    }
}

impl Portable for VerifyJob {
    type JobSpec = JobSpec;
    type Token = VerifyToken;

    fn job_spec(&self, random: &mut dyn FnMut(&mut [u8])) -> JobSpec {
        self.identities.job_spec(FileOptions::default(), random)
    }

    fn from_job_spec(spec: JobSpec) -> Result<Self, String> {
        Ok(Self { identities: JobIdentities::from_job_spec(&spec)? })
    }

    fn token(&self, state: &VerifyState, random: &mut dyn FnMut(&mut [u8])) -> VerifyToken {
        let key = WrappedKey::wrap(&state.payload, &self.identities.run_key, random);
        VerifyToken { source_stat: state.source.stat, plain_bytes: state.layout.plain_bytes(), key }
    }

    async fn join<I: Io>(&self, io: &I, task: &Task, token: VerifyToken) -> Result<VerifyState, Error> {
        let source = task.pair().open_source(io).await?;
        if !task.pair().is_unchanged(io, &token.source_stat, &source.stat).await {
            return Err(Error::SourceChanged);
        }
        let source = SourceFile { stat: token.source_stat, ..source };
        let layout = Layout::of_plain(token.plain_bytes);
        let payload = token.key.unwrap(&self.identities.run_key);
        Ok(VerifyState { source, layout, payload })
    }

    async fn published<I: Io>(&self, _: &I, _: &Task) -> Result<Outcome, Error> {
        unreachable!("verifying publishes no result")
    }
}

impl Portable for XorJob {
    type JobSpec = XorJobSpec;
    type Token = Token<()>;

    fn job_spec(&self, _: &mut dyn FnMut(&mut [u8])) -> XorJobSpec {
        XorJobSpec { key: self.key().to_vec().into(), mode: self.mode }
    }

    fn from_job_spec(spec: XorJobSpec) -> Result<Self, String> {
        Self::new(&spec.key, spec.mode).map_err(|error| error.to_string())
    }

    fn token(&self, state: &LargeFile<WriteBegun>, _: &mut dyn FnMut(&mut [u8])) -> Token<()> {
        state.token(())
    }

    async fn join<I: Io>(
        &self,
        io: &I,
        task: &Task,
        token: Token<()>,
    ) -> Result<LargeFile<WriteBegun>, Error> {
        LargeFile::join(io, task, token, WriteBegun::new(false)).await
    }

    async fn abandon<I: Io>(&self, io: &I, task: &Task, token: Token<()>) {
        LargeFile::<WriteBegun>::abandon(io, task, token).await;
    }

    async fn published<I: Io>(&self, io: &I, task: &Task) -> Result<Outcome, Error> {
        let Ends { source, target } = ends_of(io, task, &self.options()).await?;
        Ok(outcome(target.bytes, target.bytes, &source))
    }

    fn part_returned(&self, state: &LargeFile<WriteBegun>) {
        state.context.store(true, Ordering::Relaxed);
    }

    fn half_done(&self) -> Option<Error> {
        (self.mode == XorMode::Overwrite).then_some(Error::HalfOverwritten)
    }
}

impl LargeFile<Payload> {
    fn wrapped_token(&self, run_key: &SharedRunKey, random: &mut dyn FnMut(&mut [u8])) -> Token<WrappedKey> {
        self.token(WrappedKey::wrap(&self.context, run_key, random))
    }

    async fn join_wrapped(
        io: &impl Io,
        task: &Task,
        token: Token<WrappedKey>,
        run_key: &SharedRunKey,
    ) -> Result<Self, Error> {
        let payload = token.context.unwrap(run_key);
        Self::join(io, task, token, payload).await
    }
}

/// The source and the published result of a task.
pub(super) struct Ends {
    pub(super) source: Stat,
    pub(super) target: Stat,
}

/// Examines both files of a task whose worker died after publishing the result, and syncs the directory if required.
pub(super) async fn ends_of(io: &impl Io, task: &Task, options: &FileOptions) -> Result<Ends, Error> {
    let pair = task.pair();
    let source = pair.stat_source(io).await.map_err(Error::at(During::OpenSource))?;
    let target = pair.stat_target(io).await.map_err(Error::at(During::Publish))?;
    if options.durability == Durability::Synced {
        let directory = io.directory(pair.target()).await.map_err(Error::at(During::Publish))?;
        let mode = OpenMode::Read { follow: false };
        let file = io.open(Some(&directory), pair.target().name(), mode).await;
        // A result of a mode that forbids reading stays as the file system keeps it.
        if let Ok(file) = file {
            io.sync(&file).await.map_err(Error::at(During::Publish))?;
        }
        io.sync_directory(&directory).await.map_err(Error::at(During::Publish))?;
    }
    Ok(Ends { source, target })
}

fn outcome(plain_bytes: u64, sealed_bytes: u64, source: &Stat) -> Outcome {
    Outcome::File { plain_bytes, sealed_bytes, remarks: Remarks::of(source) }
}
