//! Fetching as a job, for whole lists through an engine.
//!
//! Owns: one attempt at a task, and whether there is another.
//! Does not own: lists, names of results, waiting between attempts.

use std::path::PathBuf;
use std::sync::Arc;

use haul_engine::{Job, Step};
use haul_io::{Existing, Io, Publish};

use crate::claims::{Claim, Claims};
use crate::crowd::{Crowd, Seat};
use crate::exchange::Clock;
use crate::file_sink::FileSink;
use crate::landing::Landing;
use crate::partial::Partial;
use crate::resting::Resting;
use crate::retry::Attempt;
use crate::route::Origin;
use crate::segmented::{Hold, Segmented};
use crate::sink::Sink;
use crate::sync::{Found, Sync};
use crate::task::Progress;
use crate::trace::Trace;
use crate::transfer::{Attempted, Shared};
use crate::{Checksum, Config, Destination, Error, Failed, FetchTask, Fetched, Request, Response, existing};

/// Fetches each task's URL into its destination. A task whose attempt failed and may fare better another time goes back to the
/// source ([`Step::Again`]), at most [`Config::retries`] times.
pub struct FetchJob {
    shared: Shared,
    pub(crate) resting: Resting,
    /// Connections in use, where files are fetched in segments.
    crowd: Crowd,
    /// Of files that keep up with their URLs: others are never replaced.
    claims: Claims,
}

impl FetchJob {
    /// A job whose tasks share connections and settings.
    pub fn new(config: Config) -> Self {
        Self {
            shared: Shared::new(config),
            resting: Resting::default(),
            crowd: Crowd::default(),
            claims: Claims::default(),
        }
    }

    async fn attempt(
        &self,
        io: &impl Io,
        task: &FetchTask,
        progress: &mut Progress,
        trace: &mut Trace,
    ) -> Result<Step<Segmented, Landed>, Error> {
        let request = task.request.as_ref().map_err(|reason| Error::Url { reason: reason.clone() })?;
        let started = io.now();
        let clock = self.shared.clock(io, progress.spent);
        progress.held = None;
        progress.begins_again = false;
        let seat = self.seat(request, usize::MAX);
        let paused = progress.paused.take();
        let Ok(claim) = self.claim(task) else {
            let landing = progress.landing.take().or(paused.map(|paused| paused.landing));
            self.give_up(io, landing, &Error::Exists).await;
            return Err(Error::Exists);
        };
        let hold = Hold { _seat: seat, _claim: claim };
        if let Some(paused) = paused {
            let resumed = Segmented::resume(io, request, *paused, (hold, progress.spent)).await;
            return self.split(io, resumed).await;
        }
        let beginning = match progress.landing.take() {
            Some(landing) => Ok(Beginning::Landing(landing)),
            None => {
                let mut beginning = self.landing(io, task, request, clock, trace).await;
                if let (Ok(Beginning::Landing(landing)), false) = (&mut beginning, self.shared.config.resume)
                {
                    landing.divides(Some(self.shared.config.segments));
                }
                beginning
            }
        };
        let (error, landing) = match beginning {
            Err(error) => (error, None),
            Ok(Beginning::Skipped(response, path)) => {
                return Ok(Step::Done(Landed { skipped: true, ..Landed::of(*response, Some(path), None) }));
            }
            Ok(Beginning::Landing(mut landing)) => {
                match self.shared.attempt(io, request, &mut landing, clock, trace).await {
                    Err(error) => (error, Some(landing)),
                    Ok(Attempted::Opened(opened)) => {
                        progress.spent += io.now() - started;
                        let before = (hold, progress.spent, trace.times);
                        let begun = Segmented::begin(io, &self.shared.config, *opened, landing, before).await;
                        return self.split(io, begun).await;
                    }
                    Ok(Attempted::Response(response)) => {
                        return Ok(Step::Done(Landed::complete(io, landing, *response).await?));
                    }
                }
            }
        };
        progress.spent += io.now() - started;
        let Some(rest) = self.rest(io, request, &error, progress, trace) else {
            self.give_up(io, landing, &error).await;
            return Err(error);
        };
        if !self.lay_down(io, landing, progress).await {
            return Err(error);
        }
        progress.spent += rest;
        progress.wish.rest = rest;
        Ok(Step::Again)
    }

    /// The result's name for this attempt, where it needs it for itself; an error where another has it.
    fn claim(&self, task: &FetchTask) -> Result<Option<Claim>, NameTaken> {
        match &task.destination {
            Destination::File(publish) if self.shared.config.sync => {
                self.claims.claim(&publish.path).map(Some).ok_or(NameTaken)
            }
            _ => Ok(None),
        }
    }

    /// A seat at the host of `request`, where that matters and fewer than `max` are taken.
    fn seat(&self, request: &Request, max: usize) -> Option<Seat> {
        let counts = self.shared.config.segments.count_max > 1;
        if counts { self.crowd.enter(Origin::of(&request.url), max) } else { None }
    }

    /// The task goes on in segments, if they could be `begun`.
    async fn split(
        &self,
        io: &impl Io,
        begun: Result<Segmented, (Error, Box<Landing>)>,
    ) -> Result<Step<Segmented, Landed>, Error> {
        match begun {
            Ok(state) => {
                let parts = state.lanes(&self.shared.config.segments);
                Ok(Step::Split { state: Arc::new(state), parts })
            }
            Err((error, landing)) => {
                landing.abandon(io).await;
                Err(error)
            }
        }
    }

    /// Makes `landing` ready for a pause. False if there can't be another attempt; nothing is left of it then.
    async fn lay_down(&self, io: &impl Io, landing: Option<Box<Landing>>, progress: &mut Progress) -> bool {
        let Some(mut landing) = landing else { return true };
        if !landing.rest(io).await {
            landing.abandon(io).await;
            return false;
        }
        if landing.holds_file() {
            progress.held = self.resting.hold();
            if progress.held.is_none() {
                return landing.start_over(io).await.is_ok();
            }
        }
        progress.landing = Some(landing);
        true
    }

    /// Where the body of `task` goes, with what an earlier run left of it.
    async fn landing(
        &self,
        io: &impl Io,
        task: &FetchTask,
        request: &Request,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<Beginning, Error> {
        let publish = match &task.destination {
            Destination::File(publish) => publish,
            Destination::Named(publish) => {
                let sink = Sink::file(FileSink::new(publish.clone(), None));
                let landing = Landing::new(sink, task.expected.clone()).named_by_server();
                return Ok(Beginning::Landing(Box::new(landing)));
            }
            Destination::Stream(file) => return Ok(Beginning::of(Sink::stream(file.clone()), task)),
            Destination::Discard => return Ok(Beginning::of(Sink::discard(u64::MAX), task)),
        };
        if self.shared.config.sync && request.may_come_in_parts() {
            return keep_up(io, task, request, publish).await;
        }
        let resumes = self.shared.config.resume && request.may_come_in_parts();
        if publish.existing == Existing::Refuse
            && let Ok(stat) = io.stat_at(None, &publish.path).await
        {
            if !resumes {
                return Err(Error::Exists);
            }
            let file = (publish.path.as_path(), &stat);
            let checking = existing::check(&self.shared, io, task, request, file, clock, trace);
            let response = Box::pin(checking).await?;
            // A run that was killed may have left the record of what it completed.
            Partial::of(&publish.path, &request.url).remove(io).await?;
            return Ok(Beginning::Skipped(Box::new(response), publish.path.clone()));
        }
        if !resumes {
            return Ok(Beginning::of(Sink::file(FileSink::new(publish.clone(), None)), task));
        }
        let partial = Partial::of(&publish.path, &request.url);
        match partial.find(io).await {
            None => Ok(Beginning::of(Sink::file(FileSink::new(publish.clone(), Some(partial))), task)),
            Some(start) => {
                let sink = Sink::file(FileSink::resumed(publish.clone(), partial, &start));
                let landing = Landing::resumed(io, sink, task.expected.clone(), start).await?;
                Ok(Beginning::Landing(Box::new(landing)))
            }
        }
    }

    /// The last attempt failed: leaves what a later run may go on from, if that was asked for and may be.
    async fn give_up(&self, io: &impl Io, landing: Option<Box<Landing>>, error: &Error) {
        let Some(landing) = landing else { return };
        let is_wrong = matches!(
            error,
            Error::Checksum { .. } | Error::Size { .. } | Error::TooLarge { .. } | Error::PassedOn
        );
        match self.shared.config.resume && !is_wrong {
            true => landing.keep(io).await,
            false => landing.abandon(io).await,
        }
    }

    pub(crate) fn rest(
        &self,
        io: &impl Io,
        request: &Request,
        error: &Error,
        progress: &Progress,
        trace: &Trace,
    ) -> Option<std::time::Duration> {
        let mut random = [0; 8];
        io.random(&mut random);
        let attempt = Attempt {
            method: &request.method,
            can_be_sent: request.body.can_be_sent(),
            error,
            attempts: progress.attempts,
            spent: progress.spent,
            host_pause: trace.host_pause,
            random: u64::from_ne_bytes(random),
        };
        attempt.rest(&self.shared.config)
    }
}

impl Job for FetchJob {
    type Task = FetchTask;
    type State = Segmented;
    type Output = Fetched;
    type Error = Failed;

    async fn start<I: Io>(&self, io: &I, task: &FetchTask) -> Result<Step<Segmented, Fetched>, Failed> {
        let mut progress = task.take_progress();
        progress.attempts += 1;
        let attempts = progress.attempts;
        let mut trace = Trace::default();
        let result = self.attempt(io, task, &mut progress, &mut trace).await;
        progress.wish.host_pause = trace.host_pause;
        task.put_progress(progress);
        let times = trace.times;
        match result {
            Ok(Step::Done(Landed { response, path, hash, skipped, unchanged })) => {
                Ok(Step::Done(Fetched { response, path, skipped, unchanged, hash, attempts, times }))
            }
            Ok(Step::Again) => Ok(Step::Again),
            Ok(Step::Split { state, parts }) => Ok(Step::Split { state, parts }),
            Err(error) => Err(Failed { error, attempts, times }),
        }
    }

    /// One of the connections. What goes wrong is judged at the end.
    async fn part<I: Io>(
        &self,
        io: &I,
        task: &FetchTask,
        state: &Segmented,
        index: u64,
    ) -> Result<(), Failed> {
        let Ok(request) = &task.request else { return Ok(()) };
        // The first has the seat of the task itself.
        let seat = match index {
            0 => None,
            _ => self.seat(request, self.shared.config.segments.per_host_max),
        };
        if index == 0 || seat.is_some() {
            self.shared.lane(io, state, index, seat).await;
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
        self.join(io, task, state, succeeded).await
    }

    fn starts_again(&self, task: &FetchTask) -> bool {
        task.begins_again()
    }

    fn is_cancelled(failed: &Failed) -> bool {
        matches!(failed.error, Error::Cancelled)
    }
}

/// Begins to bring the file of `task` up to what the server has.
async fn keep_up(
    io: &impl Io,
    task: &FetchTask,
    request: &Request,
    publish: &Publish,
) -> Result<Beginning, Error> {
    let Found { sync, mut condition } = Sync::begin(io, &publish.path, &request.url).await?;
    if let Some((_, bytes)) = condition {
        // What isn't what it must be is not kept because it is what the server had.
        match existing::is_expected(io, task, &publish.path, bytes).await {
            Ok(true) => {}
            Ok(false) => condition = None,
            Err(error) => return Err(error),
        }
    }
    let sink = Sink::file(FileSink::keeping_up(publish.clone(), sync));
    let landing = Landing::new(sink, task.expected.clone()).unless(condition);
    Ok(Beginning::Landing(Box::new(landing)))
}

/// Somebody else has the name.
struct NameTaken;

/// How an attempt begins.
enum Beginning {
    Landing(Box<Landing>),
    /// The file is there and complete.
    Skipped(Box<Response>, PathBuf),
}

impl Beginning {
    fn of(sink: Sink, task: &FetchTask) -> Self {
        Self::Landing(Box::new(Landing::new(sink, task.expected.clone())))
    }
}

/// What a task came to.
struct Landed {
    response: Response,
    path: Option<PathBuf>,
    hash: Option<Checksum>,
    skipped: bool,
    unchanged: bool,
}

impl Landed {
    /// All has arrived, or nothing needs to.
    async fn complete(io: &impl Io, landing: Box<Landing>, response: Response) -> Result<Self, Error> {
        let path = landing.path();
        if landing.is_unchanged() {
            landing.abandon(io).await;
            return Ok(Self { unchanged: true, ..Self::of(response, path, None) });
        }
        let (_, hash) = landing.complete(io).await?;
        Ok(Self::of(response, path, hash))
    }

    fn of(response: Response, path: Option<PathBuf>, hash: Option<Checksum>) -> Self {
        Self { response, path, hash, skipped: false, unchanged: false }
    }
}
