//! Results that take the place of their sources: each source is removed, once its result is durable.
//!
//! Owns: when a source may be removed, removing it, also after a worker died on the way.
//! Does not own: making the result (the job that this wraps does).

use std::path::Path;
use std::sync::Arc;

use haul_age_format::Layout;
use haul_engine::{Job, Portable, Step};
use haul_io::{Durability, FileKind, Io, Stat};
use serde::{Deserialize, Serialize};

use crate::pair::Pair;
use crate::task::Remarks;
use crate::{Done, During, Error, FileOptions, Kind, OpenJob, SealJob, Task};

/// A job whose sources give way to their results.
///
/// The source is looked at before and after: one that was changed meanwhile, replaced, or reached by a symbolic link stays, and
/// the task fails (no system call removes a file only if it is unchanged, so a change between the last look and the
/// removal, a few microseconds, goes unseen). Removing is a step of its own behind the publication, so that a run that is cut short between
/// them leaves both. Of a file with several names (hard links) the one that was sealed is removed, and the others stay.
pub struct Replacing<J>(J);

/// A job that can be wrapped.
pub trait Replaceable: Job<Task = Task, Output = Done, Error = Error> {
    /// How its results are made.
    fn options(&self) -> &FileOptions;
    /// To change how they are made.
    fn options_mut(&mut self) -> &mut FileOptions;
    /// What became of a source that is gone, as far as its `target` of `bytes` bytes tells.
    fn done_by<I: Io>(&self, io: &I, target: &Path, bytes: u64) -> impl Future<Output = Result<Done, Error>>;
}

/// A task on its way: the wrapped job's state, or a result that is published.
pub enum Replaced<S> {
    /// What the parts of a large file share.
    Inner(Arc<S>, Stat),
    /// The result is durable, and the source as it was is still there.
    Published(Done, Stat),
}

/// [`Replaced`] for another process.
#[derive(Serialize, Deserialize)]
pub enum ReplacedToken<T> {
    /// A large file.
    Inner(T, Stat),
    /// A result that is published.
    Published(Done, Stat),
}

impl<J: Replaceable> Replacing<J> {
    /// `job`, with sources removed. Results are synced from now on, whatever the job was told.
    pub fn new(mut job: J) -> Self {
        job.options_mut().durability = Durability::Synced;
        Self(job)
    }

    /// The job that makes the results.
    pub fn job(&self) -> &J {
        &self.0
    }
}

impl<J: Replaceable> Job for Replacing<J> {
    type Task = Task;
    type State = Replaced<J::State>;
    type Output = Done;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<Self::State, Done>, Error> {
        let Ok(Ok(pair)) = task.pair() else {
            // A name that is left alone, or can't be dealt with.
            return match self.0.start(io, task).await? {
                Step::Done(done) => Ok(Step::Done(done)),
                _ => unreachable!("only files are split"),
            };
        };
        let before = regular(pair.stat_source(io).await.map_err(Error::at(During::OpenSource))?)?;
        // What is sealed is what will be removed, also where the file was named by itself.
        let task = task.pinned(&before)?;
        Ok(match self.0.start(io, &task).await? {
            Step::Done(done) => Step::Split { state: Arc::new(Replaced::Published(done, before)), parts: 0 },
            Step::Split { state, parts } => {
                Step::Split { state: Arc::new(Replaced::Inner(state, before)), parts }
            }
            Step::Again => Step::Again,
        })
    }

    async fn part<I: Io>(&self, io: &I, task: &Task, state: &Self::State, index: u64) -> Result<(), Error> {
        match state {
            Replaced::Inner(state, _) => self.0.part(io, task, state, index).await,
            Replaced::Published(..) => Ok(()),
        }
    }

    async fn finish<I: Io>(
        &self,
        io: &I,
        task: &Task,
        state: &Self::State,
        succeeded: bool,
    ) -> Result<Done, Error> {
        let (done, before) = match state {
            Replaced::Inner(state, before) => (self.0.finish(io, task, state, succeeded).await?, before),
            Replaced::Published(done, before) => (done.clone(), before),
        };
        if succeeded {
            remove(io, Pair::of(task), |now| before.same_content(now)).await?;
        }
        Ok(done)
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == Kind::Cancelled
    }
}

impl<J: Replaceable + Portable> Portable for Replacing<J> {
    type JobSpec = J::JobSpec;
    type Token = ReplacedToken<J::Token>;

    fn job_spec(&self, random: &mut dyn FnMut(&mut [u8])) -> J::JobSpec {
        self.0.job_spec(random)
    }

    fn from_job_spec(spec: J::JobSpec) -> Result<Self, String> {
        J::from_job_spec(spec).map(Self::new)
    }

    fn token(&self, state: &Self::State, random: &mut dyn FnMut(&mut [u8])) -> Self::Token {
        match state {
            Replaced::Inner(state, before) => ReplacedToken::Inner(self.0.token(state, random), *before),
            Replaced::Published(done, before) => ReplacedToken::Published(done.clone(), *before),
        }
    }

    async fn join<I: Io>(&self, io: &I, task: &Task, token: Self::Token) -> Result<Self::State, Error> {
        Ok(match token {
            ReplacedToken::Inner(token, before) => {
                Replaced::Inner(Arc::new(self.0.join(io, task, token).await?), before)
            }
            ReplacedToken::Published(done, before) => Replaced::Published(done, before),
        })
    }

    async fn published<I: Io>(&self, io: &I, task: &Task) -> Result<Done, Error> {
        let pair = Pair::of(task);
        let of_target = pair.stat_target(io).await.map_err(Error::at(During::Publish))?;
        if stat_left(io, pair).await?.is_none() {
            return self.0.done_by(io, pair.target().path(), of_target.bytes).await;
        }
        let done = self.0.published(io, task).await?;
        // What the source was is known by the time that its result carries; without one the source stays.
        let preserves = self.0.options().preserve;
        let is_as_before = |now: &Stat| preserves && pair.is_found(now) && now.modified == of_target.modified;
        remove(io, pair, is_as_before).await?;
        Ok(done)
    }

    fn part_returned(&self, state: &Self::State) {
        if let Replaced::Inner(state, _) = state {
            self.0.part_returned(state);
        }
    }
}

/// The name itself must be the file, not a link to it.
fn regular(stat: Stat) -> Result<Stat, Error> {
    if stat.kind == FileKind::Regular { Ok(stat) } else { Err(Error::NotRegular) }
}

/// What is known of a source that may be gone.
async fn stat_left(io: &impl Io, pair: Pair<'_>) -> Result<Option<Stat>, Error> {
    match pair.stat_source(io).await {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::at(During::Remove)(error)),
    }
}

/// Removes a source that is what it was, from the directory that it was looked at in. One that is gone was removed by an
/// attempt whose worker died.
async fn remove(io: &impl Io, pair: Pair<'_>, is_as_before: impl Fn(&Stat) -> bool) -> Result<(), Error> {
    let directory = match io.directory(pair.source()).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        result => result.map_err(Error::at(During::Remove))?,
    };
    let name = pair.source().name();
    match io.stat_at(Some(&directory), name).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::at(During::Remove)(error)),
        Ok(now) if !is_as_before(&regular(now)?) => return Err(Error::SourceChanged),
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

    async fn done_by<I: Io>(&self, _: &I, target: &Path, bytes: u64) -> Result<Done, Error> {
        let plain_bytes = crate::inspect_file(target)?.plain_bytes;
        Ok(Done::File { plain_bytes, sealed_bytes: bytes, remarks: Remarks::default() })
    }
}

impl Replaceable for OpenJob {
    fn options(&self) -> &FileOptions {
        &self.options
    }

    fn options_mut(&mut self) -> &mut FileOptions {
        &mut self.options
    }

    /// The length of the header is lost with the source, and not counted.
    async fn done_by<I: Io>(&self, _: &I, _: &Path, bytes: u64) -> Result<Done, Error> {
        let sealed_bytes = Layout::of_plain(bytes).sealed_bytes();
        Ok(Done::File { plain_bytes: bytes, sealed_bytes, remarks: Remarks::default() })
    }
}
