//! A whole transfer: redirects, conditions, ranges, until the body has arrived.
//!
//! Owns: what a client shares among its transfers, and the order of steps of one.
//! Does not own: the steps themselves.

use std::time::Duration;

use haul_http1::{Framing, ResponseHead};
use haul_io::Io;
use http::header::{Entry, RANGE, SET_COOKIE};
use http::{HeaderMap, StatusCode};

use crate::coding::Decoding;
use crate::condition::Judgement;
use crate::connection::Connection;
use crate::exchange::{Answered, Clock};
use crate::landing::Landing;
use crate::pace::Throttle;
use crate::pool::Pool;
use crate::receive::{check_announced, receive_body};
use crate::resume::{Ask, Verdict};
use crate::segmented::Opened;
use crate::sink::Sink;
use crate::tls::TlsSettings;
use crate::trace::Trace;
use crate::{Config, Error, Expected, Request, Response, redirect, retry};

/// What all transfers of a client share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) pool: Pool,
    pub(crate) tls: TlsSettings,
    throttle: Throttle,
}

/// Bodies that nobody wants are read up to this many bytes to keep the connection; beyond it a new one is cheaper.
const DRAIN_BYTES_MAX: u64 = 64 * 1024;

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        let tls = TlsSettings::new(config.trust.clone(), config.client_identity.clone());
        let pool = Pool::new(config.idle_connections_max);
        let throttle = Throttle::new(config.rate_max);
        Self { config, pool, tls, throttle }
    }

    /// The limits of a request on which so much time was spent already.
    pub(crate) fn clock(&self, io: &impl Io, spent: Duration) -> Clock<'_> {
        Clock::start(io, &self.config, &self.throttle, spent)
    }

    /// Fetches `request` into `sink`, in one attempt. Nothing is left in the sink's place on failure.
    pub(crate) async fn transfer(
        &self,
        io: &impl Io,
        request: &Request,
        sink: Sink,
    ) -> Result<Response, Error> {
        let clock = self.clock(io, Duration::ZERO);
        let mut landing = Landing::new(sink, Expected::default());
        match self.attempt(io, request, &mut landing, clock, &mut Trace::default()).await {
            Ok(Attempted::Opened(_)) => unreachable!("nobody said that this may be divided"),
            Ok(Attempted::Response(response)) => {
                let mut response = *response;
                (response.body, _) = landing.complete(io).await?;
                Ok(response)
            }
            Err(error) => {
                landing.abandon(io).await;
                Err(error)
            }
        }
    }

    /// One attempt at `request` and what it is redirected to.
    pub(crate) async fn attempt(
        &self,
        io: &impl Io,
        request: &Request,
        landing: &mut Landing,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<Attempted, Error> {
        let mut next = None;
        for redirect_count in 0..=self.config.redirects_max {
            let request = next.as_ref().unwrap_or(request);
            trace.redirect_count = redirect_count;
            match self.one(io, request, landing, clock, trace).await? {
                One::Response(response) => return Ok(Attempted::Response(Box::new(response))),
                One::Opened(opened) => return Ok(Attempted::Opened(opened)),
                One::Redirect(request) => next = Some(request),
            }
        }
        Err(Error::TooManyRedirects)
    }

    /// What one URL has: all of it, or what is missing in `landing`.
    async fn one(
        &self,
        io: &impl Io,
        request: &Request,
        landing: &mut Landing,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<One, Error> {
        let ranged = request.headers.contains_key(RANGE);
        let goes_on = request.may_come_in_parts();
        let mut ask = if goes_on && landing.start().is_some() { Ask::IfRange } else { Ask::Whole };
        loop {
            let start = landing.start();
            let asked = ask.of(request, start.as_ref());
            let (connection, answered) = match self.changed(io, &asked, landing, clock, trace).await? {
                Asked::Changed(connection, answered) => (connection, answered),
                Asked::Unchanged(response) => return Ok(One::Response(response)),
            };
            trace.host_pause = retry::host_pause(answered.head.status, &answered.head.headers, &self.config);
            let next = self.redirected(request, &answered.head)?;
            if next.is_some() || self.has_failed(ask, answered.head.status) {
                let status = answered.head.status;
                self.drain(io, request, connection, answered, clock).await;
                return next.map(One::Redirect).ok_or(Error::Status(status));
            }
            let decoding = if ranged { None } else { self.decoding(&answered.head)? };
            let verdict = ask.judge(start.as_ref(), &answered.head, ranged)?;
            match verdict.without_coded_parts(decoding.is_some()) {
                Verdict::TakeWhole => {
                    if landing.bytes() > 0 {
                        landing.start_over(io).await?;
                    }
                    let head = &answered.head;
                    expect_whole(io, landing, head, decoding.is_some()).await?;
                    landing.announce(|| response(request, head.clone(), trace));
                    let whole = || landing.divided(head, || response(request, head.clone(), trace));
                    if let Some(whole) = (goes_on && decoding.is_none()).then(whole).flatten() {
                        check_announced(head, landing, clock)?;
                        let request = request.clone();
                        return Ok(One::Opened(Box::new(Opened { request, whole, connection, answered })));
                    }
                    let exchange = (connection, answered, decoding);
                    let response = self.receive(io, request, exchange, landing, clock, trace).await?;
                    return Ok(One::Response(response));
                }
                Verdict::TakePart { bytes, total } => {
                    let part = (connection, answered, bytes, total);
                    match self.receive_part(io, request, part, landing, clock, trace).await? {
                        Some(response) => return Ok(One::Response(response)),
                        None => ask = Ask::IfRange,
                    }
                }
                Verdict::Complete => {
                    landing.expect_nothing();
                    let response = response(request, answered.head.clone(), trace);
                    self.drain(io, request, connection, answered, clock).await;
                    return Ok(One::Response(Response { body_bytes: landing.bytes(), ..response }));
                }
                Verdict::AskPlain => ask = Ask::PlainRange,
                Verdict::AskLastByte => {
                    self.drain(io, request, connection, answered, clock).await;
                    ask = Ask::LastByte;
                }
                Verdict::StartOver => {
                    landing.start_over(io).await?;
                    ask = Ask::Whole;
                }
            }
        }
    }

    /// The answer to `request`, unless what `landing` knows to be there is what the server has.
    async fn changed(
        &self,
        io: &impl Io,
        request: &Request,
        landing: &mut Landing,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<Asked, Error> {
        if let Some((condition, bytes)) = landing.condition(&request.url) {
            let conditional = condition.of_request(request);
            let (connection, answered) = self.answered(io, &conditional, clock, trace).await?;
            let judgement = condition.judge(&answered.head, bytes);
            if judgement == Judgement::Changed {
                return Ok(Asked::Changed(connection, answered));
            }
            let unchanged = response(request, answered.head.clone(), trace);
            self.drain(io, request, connection, answered, clock).await;
            if judgement == Judgement::Unchanged {
                landing.rest_unchanged();
                return Ok(Asked::Unchanged(unchanged));
            }
            landing.drop_condition();
        }
        let (connection, answered) = self.answered(io, request, clock, trace).await?;
        Ok(Asked::Changed(connection, answered))
    }

    /// The head of what `request` leads to after redirects; its body is not wanted.
    pub(crate) async fn look(
        &self,
        io: &impl Io,
        request: &Request,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<(ResponseHead, Response), Error> {
        let mut request = request.clone();
        for redirect_count in 0..=self.config.redirects_max {
            trace.redirect_count = redirect_count;
            let (connection, answered) = self.answered(io, &request, clock, trace).await?;
            let head = answered.head.clone();
            trace.host_pause = retry::host_pause(head.status, &head.headers, &self.config);
            self.drain(io, &request, connection, answered, clock).await;
            match self.redirected(&request, &head)? {
                Some(next) => request = next,
                None if self.has_failed(Ask::PlainRange, head.status) => {
                    return Err(Error::Status(head.status));
                }
                None => {
                    let response = response(&request, head.clone(), trace);
                    return Ok((head, response));
                }
            }
        }
        Err(Error::TooManyRedirects)
    }

    fn redirected(&self, request: &Request, head: &ResponseHead) -> Result<Option<Request>, Error> {
        redirect::follow(request, head.status, &head.headers, self.config.allow_downgrade)
    }

    fn has_failed(&self, ask: Ask, status: StatusCode) -> bool {
        let says_of_range = ask != Ask::Whole && status == StatusCode::RANGE_NOT_SATISFIABLE;
        let has_failed = match self.config.sync {
            // Whatever else it brings is not what a file should be replaced by.
            true => !status.is_success(),
            false => self.config.fail_on_status && status.as_u16() >= 400,
        };
        has_failed && !says_of_range
    }

    /// What undoes the content codings of a response, where they are to be undone and it has any.
    fn decoding(&self, head: &ResponseHead) -> Result<Option<Decoding>, Error> {
        match self.config.compressed && head.framing != Framing::None {
            true => Ok(Decoding::of(&head.headers, self.config.decoded_ratio_max)?),
            false => Ok(None),
        }
    }

    /// Receives a body.
    async fn receive(
        &self,
        io: &impl Io,
        request: &Request,
        (mut connection, answered, decoding): (Connection, Answered, Option<Decoding>),
        landing: &mut Landing,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<Response, Error> {
        let answered_at = io.now();
        let received = receive_body(io, &mut connection, answered, decoding, landing, clock).await;
        trace.times.body += io.now() - answered_at;
        let received = received?;
        let trailers = received.body.trailers().cloned().unwrap_or_default();
        self.keep(request, connection, &received);
        landing.end_content()?;
        let body_bytes = landing.bytes();
        Ok(Response { trailers, body_bytes, ..response(request, received.head, trace) })
    }

    /// Receives a part of so many bytes, of a whole of so many, behind what is there; its response, if nothing is missing now.
    async fn receive_part(
        &self,
        io: &impl Io,
        request: &Request,
        (connection, answered, bytes, total): (Connection, Answered, u64, Option<u64>),
        landing: &mut Landing,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<Option<Response>, Error> {
        let all = landing.bytes() + bytes;
        landing.expect_part(&answered.head.headers, total)?;
        let exchange = (connection, answered, None);
        let response = self.receive(io, request, exchange, landing, clock, trace).await?;
        check_part(io, landing, all).await?;
        Ok(landing.has_all().then_some(response))
    }

    /// Reads a body that nobody wants; if it can't be had cheaply, the connection goes.
    pub(crate) async fn drain(
        &self,
        io: &impl Io,
        request: &Request,
        mut connection: Connection,
        answered: Answered,
        clock: Clock<'_>,
    ) {
        let mut nowhere = Landing::new(Sink::discard(DRAIN_BYTES_MAX), Expected::default());
        if let Ok(received) = receive_body(io, &mut connection, answered, None, &mut nowhere, clock).await {
            self.keep(request, connection, &received);
        }
    }
}

/// Makes `landing` ready for the whole that comes behind `head`.
async fn expect_whole(
    io: &impl Io,
    landing: &mut Landing,
    head: &ResponseHead,
    decoded: bool,
) -> Result<(), Error> {
    landing.name(io, &head.headers).await?;
    match decoded {
        true => landing.expect_decoded(&head.headers),
        false => landing.expect_whole(&head.headers, length(head)),
    }
}

/// That a part was as long as the server said.
async fn check_part(io: &impl Io, landing: &mut Landing, bytes: u64) -> Result<(), Error> {
    if landing.bytes() == bytes {
        return Ok(());
    }
    landing.start_over(io).await?;
    Err(Error::UnaskedPart)
}

fn length(head: &ResponseHead) -> Option<u64> {
    match head.framing {
        Framing::Length(bytes) => Some(bytes),
        _ => None,
    }
}

fn response(request: &Request, head: ResponseHead, trace: &Trace) -> Response {
    let (url, mut headers) = (request.url.clone(), head.headers);
    if let Entry::Occupied(mut set_cookie) = headers.entry(SET_COOKIE) {
        set_cookie.iter_mut().for_each(|field| field.set_sensitive(true));
    }
    let (status, trailers, body) = (head.status, HeaderMap::new(), Vec::new());
    Response { status, headers, trailers, url, body, body_bytes: 0, redirect_count: trace.redirect_count }
}

/// What an attempt came to.
pub(crate) enum Attempted {
    Response(Box<Response>),
    /// A response whose body may be fetched in segments.
    Opened(Box<Opened>),
}

/// What one request came to.
enum One {
    Response(Response),
    Opened(Box<Opened>),
    Redirect(Request),
}

/// What a request for what may be there already came to.
enum Asked {
    Changed(Connection, Answered),
    Unchanged(Response),
}
