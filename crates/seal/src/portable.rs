//! The three jobs in other processes.
//!
//! Owns: charters and tokens; what a result says whose maker died.
//! Does not own: the jobs, processes.

use std::sync::OnceLock;

use haul_age_format::{Identity, Passphrase, PayloadKey, Recipient, RunKey};
use haul_engine::Portable;
use haul_io::{Durability, Io};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::large::{Large, Payload, Token};
use crate::xor::Touched;
use crate::{Done, Error, FileOptions, Manner, OpenJob, SealJob, Step, Task, XorJob};

/// The key that the processes of a run share; there is none where a run has one process.
pub(crate) type SharedKey = OnceLock<RunKey>;

/// What a worker is told that seals (`K` = recipients) or opens (`K` = identities).
#[derive(Serialize, Deserialize)]
pub struct Charter<K> {
    keys: Vec<K>,
    options: FileOptions,
    run_key: Zeroizing<[u8; 32]>,
}

/// A recipient or an identity as text.
#[derive(Serialize, Deserialize)]
pub enum KeyText {
    /// In its usual form.
    Text(Zeroizing<String>),
    /// A passphrase, and the work factor for sealing.
    Passphrase(Zeroizing<String>, u8),
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
    type Charter = Charter<KeyText>;
    type Token = Token<WrappedKey>;

    fn charter(&self, random: &mut dyn FnMut(&mut [u8])) -> Charter<KeyText> {
        let keys = self.recipients.iter().map(|recipient| match recipient {
            Recipient::Passphrase(passphrase) => text_of_passphrase(passphrase),
            Recipient::X25519(recipient) => KeyText::Text(recipient.to_string().into()),
            other => unreachable!("a recipient that has no text: {other:?}"),
        });
        charter(keys.collect(), self.options, &self.run_key, random)
    }

    fn from_charter(charter: Charter<KeyText>) -> Result<Self, String> {
        let recipients = charter.keys.into_iter().map(|key| match key {
            KeyText::Text(text) => text.parse().map_err(|error| format!("{error}")),
            KeyText::Passphrase(text, factor) => {
                Ok(Recipient::Passphrase(Passphrase::with_work_factor(text, factor)))
            }
        });
        let mut job = Self::new(recipients.collect::<Result<_, _>>()?, charter.options)
            .map_err(|error| error.to_string())?;
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
    type Charter = Charter<KeyText>;
    type Token = Token<WrappedKey>;

    fn charter(&self, random: &mut dyn FnMut(&mut [u8])) -> Charter<KeyText> {
        let keys = self.identities.iter().map(|identity| match identity {
            Identity::Passphrase(passphrase) => text_of_passphrase(passphrase),
            Identity::X25519(identity) => KeyText::Text(identity.to_secret_text()),
            other => unreachable!("an identity that has no text: {other:?}"),
        });
        charter(keys.collect(), self.options, &self.run_key, random)
    }

    fn from_charter(charter: Charter<KeyText>) -> Result<Self, String> {
        let identities = charter.keys.into_iter().map(|key| match key {
            KeyText::Text(text) => text.parse().map_err(|error| format!("{error}")),
            KeyText::Passphrase(text, factor) => {
                Ok(Identity::Passphrase(Passphrase::with_work_factor(text, factor)))
            }
        });
        let mut job = Self::new(identities.collect::<Result<_, String>>()?, charter.options);
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

fn text_of_passphrase(passphrase: &Passphrase) -> KeyText {
    KeyText::Passphrase(passphrase.secret_text().clone(), passphrase.work_factor())
}

fn charter<K>(
    keys: Vec<K>,
    options: FileOptions,
    shared: &SharedKey,
    random: &mut dyn FnMut(&mut [u8]),
) -> Charter<K> {
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
