//! A request without an engine: one attempt, or as many as it may take.
//!
//! Owns: the beginning and the end of its download, its turn at each host, pausing between attempts.
//! Does not own: which failures are retried ([`crate::list::retry`]).

use std::time::Duration;

use haul_io::{Blocking, Io, run_ready};

use crate::body::download::Download;
use crate::body::sink::Sink;
use crate::list::retry::Failure;
use crate::route::origin::Origin;
use crate::segments::host_permits::HostPermit;
use crate::transfer::attempt::Attempt;
use crate::transfer::fetch::{Begun, Hop};
use crate::transfer::retry_after::pause_of;
use crate::transfer::shared::Shared;
use crate::{Error, Expected, Phase, Request, Response};

/// How long to wait for a turn at a host before looking whether the request was cancelled.
const TURN_INTERVAL: Duration = Duration::from_millis(20);

/// One of the attempts at a request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Turn {
    /// The time that earlier attempts took.
    pub(crate) spent: Duration,
    /// Whether another may follow.
    pub(crate) may_retry: bool,
}

/// Fetches `request` into what `sink` makes for each attempt; as often as it may be tried. On failure nothing is left
/// in the place of the sink.
pub(crate) fn fetch(
    io: &Blocking,
    shared: &Shared,
    request: &Request,
    sink: impl Fn() -> Sink,
) -> Result<Response, Error> {
    let config = &shared.config;
    let retries = request.retry_count();
    let (mut attempts, mut spent) = (0, Duration::ZERO);
    loop {
        attempts += 1;
        let (started, may_retry) = (io.now(), attempts <= retries && request.method.is_idempotent());
        let turn = Turn { spent, may_retry };
        let error = match run_ready(fetch_once(io, shared, request, sink(), turn)) {
            Ok(response) => return Ok(response),
            Err(error) if attempts > retries => return Err(error),
            Err(error) => error,
        };
        spent += io.now() - started;
        let host_pause = pause_of(&error, config);
        let failure = Failure { spent, host_pause, ..Failure::new(io, config, request, &error, attempts) };
        let Some(pause) = failure.pause(config, retries) else {
            return Err(error);
        };
        run_ready(io.sleep(pause)).map_err(|error| Error::transport(error, Phase::Total))?;
        spent += pause;
    }
}

/// Fetches `request` into `sink`, in one attempt. On failure nothing is left in the place of the sink.
pub(crate) async fn fetch_once(
    io: &impl Io,
    shared: &Shared,
    request: &Request,
    sink: Sink,
    turn: Turn,
) -> Result<Response, Error> {
    let mut attempt = Attempt::start(io, shared, Some(request), turn.spent);
    attempt.may_retry = turn.may_retry;
    let mut download = Download::new(sink, Expected::default());
    match follow(&mut attempt, request, &mut download).await {
        Ok(response) if download.nothing_new().is_some() => {
            download.abandon(io).await;
            Ok(response)
        }
        Ok(response) => {
            let complete = download.complete(io).await?;
            Ok(Response { body: complete.stored.body, ..response })
        }
        Err(error) => {
            download.abandon(io).await;
            Err(error)
        }
    }
}

/// Fetches `request` into `download`, following redirects; at each host when it is its turn.
async fn follow<I: Io>(
    attempt: &mut Attempt<'_, I>,
    request: &Request,
    download: &mut Download,
) -> Result<Response, Error> {
    let mut hop: Option<Hop> = None;
    loop {
        let (request, redirect_count) =
            hop.as_ref().map_or((request, 0), |hop| (&hop.request, hop.redirect_count));
        let _permit = host_permit(attempt, request).await?;
        let next = match attempt.begin(request, redirect_count, download).await? {
            Begun::Complete(response) => return Ok(response),
            Begun::Body(body) => return attempt.receive_whole(body, download).await,
            Begun::Elsewhere(next) => next,
        };
        hop = Some(next);
    }
}

/// Waits until fewer than [`Config::per_host_max`](crate::Config::per_host_max) requests are with the host.
async fn host_permit<I: Io>(
    attempt: &Attempt<'_, I>,
    request: &Request,
) -> Result<Option<HostPermit>, Error> {
    let Some(max) = attempt.config().per_host_max else { return Ok(None) };
    let (permits, origin) = (&attempt.shared.host_permits, Origin::of(&request.url));
    loop {
        let timeout = attempt.limit(TURN_INTERVAL)?;
        if let Some(permit) = permits.wait(&origin, max.max(1), timeout) {
            return Ok(Some(permit));
        }
        // A sleep of no time fails if the request was cancelled.
        let slept = attempt.io.sleep(Duration::ZERO).await;
        slept.map_err(|error| Error::transport(error, Phase::Total))?;
    }
}
