//! Removing each source after its result is durable.
//!
//! Owns: deciding when a source may be removed, and removing it, also after a worker's death.
//! Does not own: making the result; the wrapped job does that.

use std::path::Path;
use std::sync::Arc;

use haul_age_format::Layout;
use haul_engine::{Job, Portable, Step};
use haul_io::{Durability, FileKind, Io, Stat};
use serde::{Deserialize, Serialize};

use super::open::OpenJob;
use super::seal::SealJob;
use crate::error::{During, Error, ErrorKind};
use crate::inspect::inspect_file;
use crate::task::{FileOptions, Outcome, Pair, Remarks, Task, Work};

/// A job that removes its sources.
///
/// The source is examined before and after the work. If it has changed, was replaced, or is a symbolic link, it is kept
/// and the task fails. No system call removes a file only if it is unchanged, so a change in the few microseconds
/// between the last check and the removal goes unnoticed.
///
/// The source is removed in a separate step after publication, so a run that is interrupted between them leaves both
/// files. Only the name that was sealed is removed; other names (hard links) remain.
pub struct Replacing<J>(J);

/// A job that [`Replacing`] can wrap.
pub trait Replaceable: Job<Task = Task, Output = Outcome, Error = Error> {
    /// Returns how its results are written.
    fn options(&self) -> &FileOptions;
    /// Returns how its results are written, to change it.
    fn options_mut(&mut self) -> &mut FileOptions;
    /// Returns the outcome of a task whose source was removed already, as far as its `target` of `bytes` bytes reveals
    /// it.
    fn outcome_of<I: Io>(
        &self,
        io: &I,
        target: &Path,
        bytes: u64,
    ) -> impl Future<Output = Result<Outcome, Error>>;
}

/// A task in progress.
pub enum ReplacingState<S> {
    /// The result is incomplete: the wrapped job's state, and the source's metadata before the work.
    Inner(Arc<S>, Stat),
    /// The result is durable, and the source has not been removed.
    Published(Outcome, Stat),
}

/// A [`ReplacingState`] for another process.
#[derive(Serialize, Deserialize)]
pub enum ReplacingToken<T> {
    /// The result is incomplete.
    Inner(T, Stat),
    /// The result is durable.
    Published(Outcome, Stat),
}

impl<J: Replaceable> Replacing<J> {
    /// Wraps `job`. Results are flushed to stable storage, whatever the job's options say.
    pub fn new(mut job: J) -> Self {
        job.options_mut().durability = Durability::Synced;
        Self(job)
    }

    /// The wrapped job.
    pub fn job(&self) -> &J {
        &self.0
    }
}

impl<J: Replaceable> Job for Replacing<J> {
    type Task = Task;
    type State = ReplacingState<J::State>;
    type Output = Outcome;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<Self::State, Outcome>, Error> {
        let Ok(Work::Files(pair)) = task.work() else {
            // The task is skipped or fails.
            return match self.0.start(io, task).await? {
                Step::Done(done) => Ok(Step::Done(done)),
                _ => unreachable!("only tasks with files are split"),
            };
        };
        let before = regular(pair.stat_source(io).await.map_err(Error::at(During::OpenSource))?)?;
        // The file that is sealed must be the one that is removed, even if the walk found none.
        let task = task.pinned(io, &before).await?;
        Ok(match self.0.start(io, &task).await? {
            // Nothing was made of the source.
            Step::Done(skipped @ Outcome::Skipped(_)) => Step::Done(skipped),
            Step::Done(done) => {
                Step::Split { state: Arc::new(ReplacingState::Published(done, before)), parts: 0 }
            }
            Step::Split { state, parts } => {
                Step::Split { state: Arc::new(ReplacingState::Inner(state, before)), parts }
            }
            Step::Again => Step::Again,
        })
    }

    async fn part<I: Io>(&self, io: &I, task: &Task, state: &Self::State, index: u64) -> Result<(), Error> {
        match state {
            ReplacingState::Inner(state, _) => self.0.part(io, task, state, index).await,
            ReplacingState::Published(..) => Ok(()),
        }
    }

    async fn finish<I: Io>(
        &self,
        io: &I,
        task: &Task,
        state: &Self::State,
        succeeded: bool,
    ) -> Result<Outcome, Error> {
        let (done, before) = match state {
            ReplacingState::Inner(state, before) => {
                (self.0.finish(io, task, state, succeeded).await?, before)
            }
            ReplacingState::Published(done, before) => (done.clone(), before),
        };
        if succeeded {
            remove(io, task.pair(), Proof::Unchanged(before)).await?;
        }
        Ok(done)
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == ErrorKind::Cancelled
    }
}

impl<J: Replaceable + Portable> Portable for Replacing<J> {
    type JobSpec = J::JobSpec;
    type Token = ReplacingToken<J::Token>;

    fn job_spec(&self, random: &mut dyn FnMut(&mut [u8])) -> J::JobSpec {
        self.0.job_spec(random)
    }

    fn from_job_spec(spec: J::JobSpec) -> Result<Self, String> {
        J::from_job_spec(spec).map(Self::new)
    }

    fn token(&self, state: &Self::State, random: &mut dyn FnMut(&mut [u8])) -> Self::Token {
        match state {
            ReplacingState::Inner(state, before) => {
                ReplacingToken::Inner(self.0.token(state, random), *before)
            }
            ReplacingState::Published(done, before) => ReplacingToken::Published(done.clone(), *before),
        }
    }

    async fn join<I: Io>(&self, io: &I, task: &Task, token: Self::Token) -> Result<Self::State, Error> {
        Ok(match token {
            ReplacingToken::Inner(token, before) => {
                ReplacingState::Inner(Arc::new(self.0.join(io, task, token).await?), before)
            }
            ReplacingToken::Published(done, before) => ReplacingState::Published(done, before),
        })
    }

    async fn published<I: Io>(&self, io: &I, task: &Task) -> Result<Outcome, Error> {
        let pair = task.pair();
        let of_target = pair.stat_target(io).await.map_err(Error::at(During::Publish))?;
        if stat_left(io, pair).await?.is_none() {
            return self.0.outcome_of(io, pair.target().path(), of_target.bytes).await;
        }
        let done = self.0.published(io, task).await?;
        // The result's modification time shows which source it was made of. If that was not preserved, the source is
        // kept.
        let proof = if self.0.options().preserve { Proof::Modified(&of_target) } else { Proof::None };
        remove(io, pair, proof).await?;
        Ok(done)
    }

    async fn abandon<I: Io>(&self, io: &I, task: &Task, token: Self::Token) {
        if let ReplacingToken::Inner(token, _) = token {
            self.0.abandon(io, task, token).await;
        }
    }

    fn repeats_parts(&self) -> bool {
        self.0.repeats_parts()
    }

    fn part_returned(&self, state: &Self::State) {
        if let ReplacingState::Inner(state, _) = state {
            self.0.part_returned(state);
        }
    }
}

/// What shows that a source is the one whose result exists.
#[derive(Clone, Copy)]
enum Proof<'a> {
    /// It is unchanged since this was seen.
    Unchanged(&'a Stat),
    /// It has the modification time of this result.
    Modified(&'a Stat),
    /// Nothing does.
    None,
}

impl Proof<'_> {
    async fn holds(self, io: &impl Io, pair: Pair<'_>, now: &Stat) -> bool {
        match self {
            Self::Unchanged(before) => pair.is_unchanged(io, before, now).await,
            Self::Modified(target) => now.modified == target.modified && pair.is_found(io, now).await,
            Self::None => false,
        }
    }
}

/// Fails unless the name leads to a regular file without following a link.
pub(super) fn regular(stat: Stat) -> Result<Stat, Error> {
    if stat.kind == FileKind::Regular { Ok(stat) } else { Err(Error::NotRegular) }
}

/// Examines a source that may have been removed.
async fn stat_left(io: &impl Io, pair: Pair<'_>) -> Result<Option<Stat>, Error> {
    match pair.stat_source(io).await {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::at(During::Remove)(error)),
    }
}

/// Removes an unchanged source from the directory in which it was examined. If it is missing, an attempt whose worker
/// died has removed it.
async fn remove(io: &impl Io, pair: Pair<'_>, proof: Proof<'_>) -> Result<(), Error> {
    let directory = match io.directory(pair.source()).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        result => result.map_err(Error::at(During::Remove))?,
    };
    let name = pair.source().name();
    match io.stat_at(Some(&directory), name).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::at(During::Remove)(error)),
        Ok(now) if !proof.holds(io, pair, &regular(now)?).await => return Err(Error::SourceChanged),
        Ok(_) => {}
    }
    io.remove(Some(&directory), name).await.map_err(Error::at(During::Remove))
}

impl Replaceable for SealJob {
    fn options(&self) -> &FileOptions {
        &self.options
    }

    fn options_mut(&mut self) -> &mut FileOptions {
        &mut self.options
    }

    async fn outcome_of<I: Io>(&self, _: &I, target: &Path, bytes: u64) -> Result<Outcome, Error> {
        let plain_bytes = inspect_file(target)?.plain_bytes;
        Ok(Outcome::File { plain_bytes, sealed_bytes: bytes, remarks: Remarks::default() })
    }
}

impl Replaceable for OpenJob {
    fn options(&self) -> &FileOptions {
        &self.options
    }

    fn options_mut(&mut self) -> &mut FileOptions {
        &mut self.options
    }

    /// The length of the header is unknown after the source was removed, and is not counted.
    async fn outcome_of<I: Io>(&self, _: &I, _: &Path, bytes: u64) -> Result<Outcome, Error> {
        let sealed_bytes = Layout::of_plain(bytes).sealed_bytes();
        Ok(Outcome::File { plain_bytes: bytes, sealed_bytes, remarks: Remarks::default() })
    }
}
