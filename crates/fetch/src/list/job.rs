//! Fetching as a job, for whole lists through an engine.
//!
//! Owns: one attempt at a task, and whether the task starts again.
//! Does not own: lists, the names of results, waiting between attempts ([`crate::list::source`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use haul_engine::{Job, Step};
use haul_io::Io;
use haul_pack::Ticket;

use crate::body::download::{Download, NothingNew};
use crate::kept::claims::Claims;
use crate::list::directories::Directories;
use crate::list::joining::Joining;
use crate::list::open_files::OpenFilePermits;
use crate::list::prepare::{Prepared, RunState, prepare};
use crate::list::progress::Progress;
use crate::list::retry::Failure;
use crate::list::task::Completed;
use crate::packs::held::HeldResult;
use crate::route::origin::Origin;
use crate::segments::host_permits::HostPermit;
use crate::segments::lane::Lane;
use crate::segments::segmented::{Segmented, Split, TaskPermits, split, splittable};
use crate::transfer::attempt::Attempt;
use crate::transfer::fetch::{Begun, Hop};
use crate::transfer::shared::Shared;
use crate::transfer::trace::BodySeen;
use crate::uploads::tools::Uploads;
use crate::{Config, Destination, Error, Failed, FetchTask, Fetched, Request, Response, Times};

/// Fetches the URL of each task into its destination. After a transient failure the task goes back to the source
/// ([`Step::Again`]), at most [`Config::retries`] times, and pauses before the next one: in a
/// [`HostSource`](crate::HostSource), or on a worker if the source is any other. A job is for one run: each name of a
/// result belongs to the first task that wants it.
pub struct FetchJob {
    shared: Shared,
    open_files: OpenFilePermits,
    /// The names of results: each belongs to the first task that wants it.
    claims: Claims,
    /// The directories of results.
    directories: Directories,
    /// What is under way to other places than files.
    uploads: Uploads,
}

/// How far an attempt came.
enum Arrived {
    Whole(Box<Response>),
    Split(Box<Split>),
    /// At a redirect to another host.
    Elsewhere(Box<Hop>),
}

impl FetchJob {
    /// A job whose tasks share connections and settings.
    pub fn new(config: Config) -> Self {
        Self::of(Shared::new(config))
    }

    /// A job whose tasks share what `shared` has.
    pub(crate) fn of(shared: Shared) -> Self {
        Self {
            shared,
            open_files: OpenFilePermits::default(),
            claims: Claims::default(),
            directories: Directories::default(),
            uploads: Uploads::default(),
        }
    }

    /// Gives `names` to no file, as the caller itself uses files there.
    pub fn reserving(self, names: &[PathBuf]) -> Self {
        names.iter().for_each(|name| self.claims.reserve(name));
        self
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    async fn attempt<I: Io>(
        &self,
        attempt: &mut Attempt<'_, I>,
        task: &FetchTask,
        progress: &mut Progress,
    ) -> Result<Step<Segmented, Completed>, Error> {
        let request = task.request.as_ref().map_err(|reason| Error::Task { reason: reason.clone() })?;
        let started = attempt.io.now();
        progress.open_file = None;
        progress.starts_again = false;
        let hop = progress.hop.take();
        let (at, redirect_count) =
            hop.as_ref().map_or((request, 0), |hop| (&hop.request, hop.redirect_count));
        let permits = TaskPermits { _host: self.host_permit(at, usize::MAX) };
        let paused = progress.paused.take();
        self.claim_name(attempt.io, task, progress).await?;
        if let Some(paused) = paused {
            let file = Segmented::resume(request, *paused, permits);
            return Ok(self.split(file.after(progress.spent, attempt.trace.times)));
        }
        let prepared = match progress.download.take() {
            Some(download) => Ok(Prepared::Download(download)),
            None => {
                let run =
                    RunState { claims: &self.claims, directories: &self.directories, uploads: &self.uploads };
                prepare(&run, attempt, task, request, hop.as_deref()).await
            }
        };
        let (error, download) = match prepared {
            Err(error) => (error, None),
            Ok(Prepared::Skipped(response, path)) => {
                let completed = Completed::of(*response, Some(path));
                return Ok(Step::Done(Completed { skipped: true, ..completed }));
            }
            Ok(Prepared::Elsewhere(hop)) => {
                progress.spent += attempt.io.now() - started;
                return self.go_on_elsewhere(attempt, hop, None, progress).await;
            }
            Ok(Prepared::Download(mut download)) => {
                let begun = attempt.begin(at, redirect_count, &mut download).await;
                match self.fetch(attempt, begun, &mut download, progress.is_unsplit).await {
                    Err(error) => (error, Some(download)),
                    Ok(Arrived::Elsewhere(hop)) => {
                        progress.spent += attempt.io.now() - started;
                        return self.go_on_elsewhere(attempt, hop, Some(download), progress).await;
                    }
                    Ok(Arrived::Split(split)) => {
                        progress.spent += attempt.io.now() - started;
                        let segments = &self.shared.config.segments;
                        let file = Segmented::begin(segments, *split, download, permits);
                        return Ok(self.split(file.after(progress.spent, attempt.trace.times)));
                    }
                    Ok(Arrived::Whole(response)) => {
                        let completed = complete(attempt.io, download, *response).await;
                        if let (Err(Error::Exists), Destination::File(publish)) =
                            (&completed, &task.destination)
                        {
                            self.directories.forget(&publish.path);
                        }
                        let (completed, ticket) = completed?;
                        return Ok(ended(completed, ticket, attempt.trace.times, progress));
                    }
                }
            }
        };
        progress.spent += attempt.io.now() - started;
        self.failed(attempt, request, progress, error, download).await
    }

    /// Ends a failed attempt: the task starts again later, or has failed.
    async fn failed<I: Io>(
        &self,
        attempt: &mut Attempt<'_, I>,
        request: &Request,
        progress: &mut Progress,
        error: Error,
        download: Option<Box<Download>>,
    ) -> Result<Step<Segmented, Completed>, Error> {
        progress.advice.host_pause = attempt.trace.host_pause.clone();
        let failure = Failure::of(attempt.io, &self.shared.config, request, &error, progress);
        let config = &self.shared.config;
        let Some(pause) = failure.pause(config, config.retries) else {
            if Box::pin(self.give_up(attempt.io, download, &error)).await {
                progress.body_seen = BodySeen::Kept;
            }
            return Err(error);
        };
        let retry = failure.retry(&self.shared.config, request, progress, pause);
        if !Box::pin(self.pause(attempt.io, download, progress)).await {
            return Err(error);
        }
        progress.retry = Some(Box::new(retry));
        progress.spent += pause;
        progress.advice.pause = pause;
        Ok(Step::Again)
    }

    /// Receives what has `begun` into `download`, up to the body of a file that can be split.
    async fn fetch<I: Io>(
        &self,
        attempt: &mut Attempt<'_, I>,
        begun: Result<Begun<'_>, Error>,
        download: &mut Download,
        is_unsplit: bool,
    ) -> Result<Arrived, Error> {
        let body = match begun? {
            Begun::Complete(response) => return Ok(Arrived::Whole(Box::new(response))),
            Begun::Elsewhere(hop) => return Ok(Arrived::Elsewhere(Box::new(hop))),
            Begun::Body(body) => body,
        };
        if !self.shared.config.resume
            && !is_unsplit
            && let Some(whole) = splittable(attempt, &body, download)?
        {
            let split = Box::pin(split(attempt, body, whole, download)).await?;
            return Ok(Arrived::Split(Box::new(split)));
        }
        Ok(Arrived::Whole(Box::new(attempt.receive_whole(body, download).await?)))
    }

    /// Ends a task whose result is a member of a shard.
    async fn end_held(
        &self,
        io: &impl Io,
        task: &FetchTask,
        mut progress: Progress,
    ) -> Result<Fetched, Failed> {
        let (attempts, mut times) = (progress.attempts, Times::default());
        let ended = match (&mut progress.held, &task.destination) {
            (Some(held), Destination::Pack(to)) => {
                times = held.times;
                held.settle(io, to).await.map(|packed| Completed::packed(packed, to))
            }
            _ => Err(Error::Cancelled),
        };
        task.put_progress(progress);
        match ended {
            Ok(completed) => Ok(completed.fetched(&self.shared.config, attempts, times)),
            Err(error) => Err(Failed { error, attempts, times }),
        }
    }

    /// Claims the name of the result for the task. The first attempt does, for all.
    async fn claim_name(&self, io: &impl Io, task: &FetchTask, progress: &mut Progress) -> Result<(), Error> {
        if progress.has_name || task.is_repeated {
            return Ok(());
        }
        match &task.destination {
            Destination::File(publish) => self.claims.claim(io, &publish.path).await?,
            Destination::Upload(to) => self.claims.claim_exactly(Path::new(&to.name))?,
            Destination::Pack(to) => self.claims.claim_exactly(&to.name)?,
            _ => return Ok(()),
        }
        progress.has_name = true;
        Ok(())
    }

    /// A permit for a connection to the host of `request`, if these are counted and fewer than `max` are in use.
    fn host_permit(&self, request: &Request, max: usize) -> Option<HostPermit> {
        let is_counted = self.shared.config.segments.count_max > 1;
        if is_counted { self.shared.host_permits.take(Origin::of(&request.url), max) } else { None }
    }

    /// The task continues in segments.
    fn split(&self, file: Segmented) -> Step<Segmented, Completed> {
        let parts = file.lane_count(&self.shared.config.segments);
        Step::Split { state: Arc::new(file), parts }
    }

    /// Prepares `download` for a pause. Returns false if there can't be another attempt; nothing is left of the
    /// download then.
    async fn pause(&self, io: &impl Io, download: Option<Box<Download>>, progress: &mut Progress) -> bool {
        let Some(mut download) = download else { return true };
        if !download.pause(io).await {
            download.abandon(io).await;
            return false;
        }
        if download.holds_file() {
            progress.open_file = self.open_files.take();
            if progress.open_file.is_none() {
                return download.start_over(io).await.is_ok();
            }
        }
        progress.download = Some(download);
        true
    }

    /// Leaves the task, and keeps its `download`, until it is the other host's turn, which is subject to limits and
    /// pauses of its own.
    async fn go_on_elsewhere<I: Io>(
        &self,
        attempt: &Attempt<'_, I>,
        hop: Box<Hop>,
        download: Option<Box<Download>>,
        progress: &mut Progress,
    ) -> Result<Step<Segmented, Completed>, Error> {
        progress.times = Some(Box::new(attempt.trace.times));
        progress.hop = Some(hop);
        progress.advice.pause = Duration::ZERO;
        let Some(download) = download else { return Ok(Step::Again) };
        if download.prefix().is_none() {
            progress.download = Some(download);
            return Ok(Step::Again);
        }
        // What is kept on disk is locked and open.
        let changed = || Error::write(std::io::Error::other("the partial file could not be kept"));
        if self.pause(attempt.io, Some(download), progress).await { Ok(Step::Again) } else { Err(changed()) }
    }

    /// Ends `download` after the last attempt. Its bytes are kept for a later run if that was asked for and they may be
    /// right. Returns whether they are.
    async fn give_up(&self, io: &impl Io, download: Option<Box<Download>>, error: &Error) -> bool {
        let Some(mut download) = download else { return false };
        let is_wrong = matches!(
            error,
            Error::Checksum { .. } | Error::Size { .. } | Error::TooLarge { .. } | Error::PassedOn
        );
        if self.shared.config.resume && !is_wrong {
            return download.keep(io).await;
        }
        download.abandon(io).await;
        false
    }
}

impl Job for FetchJob {
    type Task = FetchTask;
    type State = Segmented;
    type Output = Fetched;
    type Error = Failed;

    async fn start<I: Io>(&self, io: &I, task: &FetchTask) -> Result<Step<Segmented, Fetched>, Failed> {
        let mut progress = task.take_progress();
        if progress.held.is_some() {
            return Box::pin(self.end_held(io, task, progress)).await.map(Step::Done);
        }
        let pause = std::mem::take(&mut progress.advice.pause);
        if !pause.is_zero() {
            // If the run is cancelled meanwhile, the attempt is, and ends what earlier ones left.
            let _ = io.sleep(pause).await;
        }
        progress.attempts += u32::from(progress.hop.is_none());
        let attempts = progress.attempts;
        let mut attempt = Attempt::start(io, &self.shared, task.request.as_ref().ok(), progress.spent);
        attempt.trace.body_seen = progress.body_seen;
        attempt.trace.times = progress.times.take().map(|times| *times).unwrap_or_default();
        attempt.may_retry = attempts <= self.shared.config.retries
            && task.request.as_ref().is_ok_and(|request| request.method.is_idempotent());
        let result = self.attempt(&mut attempt, task, &mut progress).await;
        progress.advice.host_pause = attempt.trace.host_pause;
        progress.advice.requests = attempt.trace.requests;
        progress.body_seen = progress.body_seen.max(attempt.trace.body_seen);
        task.put_progress(progress);
        let times = attempt.trace.times;
        match result {
            Ok(Step::Done(completed)) => {
                Ok(Step::Done(completed.fetched(&self.shared.config, attempts, times)))
            }
            Ok(Step::Again) => Ok(Step::Again),
            Ok(Step::Split { state, parts }) => Ok(Step::Split { state, parts }),
            Err(error) => Err(Failed { error, attempts, times }),
        }
    }

    /// Runs one lane. Its errors are judged when the file is finished.
    async fn part<I: Io>(
        &self,
        io: &I,
        task: &FetchTask,
        state: &Segmented,
        index: u64,
    ) -> Result<(), Failed> {
        let Ok(request) = &task.request else { return Ok(()) };
        // The first lane uses the permit of the task itself.
        if index == 0 {
            let first = state.take_first();
            Box::pin(Lane::new(io, &self.shared, state, None).run(first)).await;
        } else if let Some(permit) = self.host_permit(request, self.shared.config.segments.per_host_max) {
            Box::pin(Lane::new(io, &self.shared, state, Some(permit)).run(None)).await;
        }
        Ok(())
    }

    async fn finish<I: Io>(
        &self,
        io: &I,
        task: &FetchTask,
        state: &Segmented,
        succeeded: bool,
    ) -> Result<Fetched, Failed> {
        let (config, open_files) = (&self.shared.config, &self.open_files);
        Box::pin(Joining { io, config, open_files, file: state }.join(task, succeeded)).await
    }

    fn starts_again(&self, task: &FetchTask) -> bool {
        task.starts_again()
    }

    fn is_cancelled(failed: &Failed) -> bool {
        matches!(failed.error, Error::Cancelled)
    }
}

/// The step after a complete result. One that has a ticket waits for its shard.
fn ended(
    completed: Completed,
    ticket: Option<Ticket>,
    times: Times,
    progress: &mut Progress,
) -> Step<Segmented, Completed> {
    let Some(ticket) = ticket else { return Step::Done(completed) };
    let Completed { response, hash, .. } = completed;
    progress.held = Some(Box::new(HeldResult::new(ticket, response, hash, times)));
    Step::Again
}

/// Publishes `download`, unless there is nothing new. A result that was packed has a ticket: others come with it.
async fn complete(
    io: &impl Io,
    mut download: Box<Download>,
    response: Response,
) -> Result<(Completed, Option<Ticket>), Error> {
    let path = download.path();
    if let Some(reason) = download.nothing_new() {
        Box::pin(download.abandon(io)).await;
        let unchanged = reason == NothingNew::Unchanged;
        let path = path.filter(|_| unchanged);
        return Ok((Completed { unchanged, ..Completed::of(response, path) }, None));
    }
    let (skipped, restarted) = (download.compares(), download.had_unreadable_part());
    let mut complete = download.complete(io).await?;
    let ticket = complete.stored.ticket.take();
    Ok((Completed { skipped, restarted, ..Completed::published(response, path, complete) }, ticket))
}
