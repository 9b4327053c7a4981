//! Fetching as a job, for whole lists through an engine.
//!
//! Owns: one attempt at a task, and whether there is another.
//! Does not own: lists, names of results, waiting between attempts.

use std::convert::Infallible;

use haul_engine::{Job, Step};
use haul_io::{Existing, Io, Publish};

use crate::exchange::Clock;
use crate::retry::Attempt;
use crate::sink::Sink;
use crate::task::{Progress, Wish};
use crate::trace::Trace;
use crate::transfer::Shared;
use crate::{Config, Error, Failed, FetchTask, Fetched, Place, Request, Response};

/// Fetches each task's URL into its place. A task whose attempt failed and may fare better another time goes back to the
/// source ([`Step::Again`]), at most [`Config::retries`] times.
pub struct FetchJob {
    shared: Shared,
}

impl FetchJob {
    /// A job whose tasks share connections and settings.
    pub fn new(config: Config) -> Self {
        Self { shared: Shared::new(config) }
    }

    async fn attempt(
        &self,
        io: &impl Io,
        task: &FetchTask,
        progress: &mut Progress,
        trace: &mut Trace,
    ) -> Result<Step<Infallible, Response>, Error> {
        let request = task.request.as_ref().map_err(|reason| Error::Url { reason: reason.clone() })?;
        let mut sink = sink(io, &task.place).await?;
        let started = io.now();
        let clock = Clock::start(io, &self.shared.config, progress.spent);
        let error = match self.shared.attempt(io, request, &mut sink, clock, trace).await {
            Ok(mut response) => {
                response.body = sink.complete(io).await?;
                return Ok(Step::Done(response));
            }
            Err(error) => error,
        };
        progress.spent += io.now() - started;
        let starts_over = sink.can_start_over();
        sink.abandon(io).await;
        match self.rest(io, request, &error, progress, trace) {
            Some(rest) if starts_over => {
                progress.spent += rest;
                progress.wish = Wish { rest, host_pause: trace.host_pause };
                Ok(Step::Again)
            }
            _ => Err(error),
        }
    }

    fn rest(
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
    /// Transfers aren't split.
    type State = Infallible;
    type Output = Fetched;
    type Error = Failed;

    async fn start<I: Io>(&self, io: &I, task: &FetchTask) -> Result<Step<Infallible, Fetched>, Failed> {
        let mut progress = task.take_progress();
        progress.attempts += 1;
        let attempts = progress.attempts;
        let mut trace = Trace::default();
        let result = self.attempt(io, task, &mut progress, &mut trace).await;
        progress.wish.host_pause = trace.host_pause;
        task.put_progress(progress);
        let times = trace.times;
        match result {
            Ok(Step::Done(response)) => {
                let path = match &task.place {
                    Place::File(publish) => Some(publish.path.clone()),
                    Place::Stream(_) | Place::Discard => None,
                };
                Ok(Step::Done(Fetched { response, path, attempts, times }))
            }
            Ok(Step::Again) => Ok(Step::Again),
            Ok(Step::Split { state, .. }) => match state {},
            Err(error) => Err(Failed { error, attempts, times }),
        }
    }

    async fn part<I: Io>(&self, _: &I, _: &FetchTask, state: &Infallible, _: u64) -> Result<(), Failed> {
        match *state {}
    }

    async fn finish<I: Io>(
        &self,
        _: &I,
        _: &FetchTask,
        state: &Infallible,
        _: bool,
    ) -> Result<Fetched, Failed> {
        match *state {}
    }

    fn is_cancelled(failed: &Failed) -> bool {
        matches!(failed.error, Error::Cancelled)
    }
}

async fn sink(io: &impl Io, place: &Place) -> Result<Sink, Error> {
    match place {
        Place::File(publish) => {
            check_free(io, publish).await?;
            Ok(Sink::file(publish.clone()))
        }
        Place::Stream(file) => Ok(Sink::stream(file.clone())),
        Place::Discard => Ok(Sink::discard(u64::MAX)),
    }
}

/// Fails before anything is fetched where the result would be refused in the end.
async fn check_free(io: &impl Io, publish: &Publish) -> Result<(), Error> {
    match publish.existing {
        Existing::Refuse if io.stat_at(None, &publish.path).await.is_ok() => Err(Error::Exists),
        _ => Ok(()),
    }
}
