//! A whole transfer: connections, replays, redirects, until the body has arrived.
//!
//! Owns: what a client shares among its transfers, and the order of steps of one.
//! Does not own: the steps themselves.

use std::time::Duration;

use haul_http1::{AfterResponse, Authority, Framing, Replay};
use haul_io::Io;

use crate::connection::{Connection, Origin};
use crate::exchange::{Answered, Clock, ask, receive_body};
use crate::pool::Pool;
use crate::sink::Sink;
use crate::tls::TlsSettings;
use crate::trace::Trace;
use crate::{Config, Error, Phase, Request, Response, redirect, retry};

/// What all transfers of a client share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pool: Pool,
    tls: TlsSettings,
}

/// Bodies that nobody wants are read up to this many bytes to keep the connection; beyond it a new one is cheaper.
const DRAIN_BYTES_MAX: u64 = 64 * 1024;

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        let (pool, tls) = (Pool::new(config.idle_connections_max), TlsSettings::new(config.trust.clone()));
        Self { config, pool, tls }
    }

    /// Fetches `request` into `sink`, in one attempt. Nothing is left in the sink's place on failure.
    pub(crate) async fn transfer(
        &self,
        io: &impl Io,
        request: &Request,
        sink: Sink,
    ) -> Result<Response, Error> {
        let clock = Clock::start(io, &self.config, Duration::ZERO);
        let mut sink = sink;
        match self.attempt(io, request, &mut sink, clock, &mut Trace::default()).await {
            Ok(mut response) => {
                response.body = sink.complete(io).await?;
                Ok(response)
            }
            Err(error) => {
                sink.abandon(io).await;
                Err(error)
            }
        }
    }

    /// One attempt at `request` and what it is redirected to.
    pub(crate) async fn attempt(
        &self,
        io: &impl Io,
        request: &Request,
        sink: &mut Sink,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<Response, Error> {
        let mut next = None;
        for redirect_count in 0..=self.config.redirects_max {
            let request = next.as_ref().unwrap_or(request);
            match self.one(io, request, sink, clock, trace).await? {
                One::Response(mut response) => {
                    response.redirect_count = redirect_count;
                    return Ok(response);
                }
                One::Redirect(request) => next = Some(request),
            }
        }
        Err(Error::TooManyRedirects)
    }

    /// One request to one URL.
    async fn one(
        &self,
        io: &impl Io,
        request: &Request,
        sink: &mut Sink,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<One, Error> {
        let (mut connection, answered) = self.answered(io, request, clock, trace).await?;
        let status = answered.head.status;
        trace.host_pause = retry::host_pause(status, &answered.head.headers, &self.config);
        let next = redirect::follow(request, status, &answered.head.headers, self.config.allow_downgrade)?;
        let failed = self.config.fail_on_status && status.as_u16() >= 400;
        if next.is_some() || failed {
            let mut nowhere = Sink::discard(DRAIN_BYTES_MAX);
            // The body was not wanted; if it can't be had cheaply, the connection goes.
            if let Ok(received) = receive_body(io, &mut connection, answered, &mut nowhere, clock).await {
                self.keep(request, connection, received);
            }
            return next.map(One::Redirect).ok_or(Error::Status(status));
        }
        let url = request.url.clone();
        let answered_at = io.now();
        let received = receive_body(io, &mut connection, answered, sink, clock).await;
        trace.times.body += io.now() - answered_at;
        let received = received?;
        let body_bytes = received.1.received_bytes();
        let headers = received.0.headers.clone();
        self.keep(request, connection, received);
        let response = Response { status, headers, url, body: Vec::new(), body_bytes, redirect_count: 0 };
        Ok(One::Response(response))
    }

    /// A connection on which `request` was answered. A reused connection that turns out to be dead is replaced, once, as
    /// RFC 9112 section 9.3.1 allows.
    async fn answered(
        &self,
        io: &impl Io,
        request: &Request,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<(Connection, Answered), Error> {
        let origin = Origin::of(&request.url);
        let port_default = if origin.tls { 443 } else { 80 };
        let authority = Authority::new(&origin.host, origin.port, port_default)?;
        let mut replay_count = 0;
        loop {
            let mut connection = self.connection(io, request, &origin, clock, trace).await?;
            let asked_at = io.now();
            let answered = ask(io, &mut connection, request, &authority, clock).await;
            trace.times.head += io.now() - asked_at;
            let no_head = match answered {
                Ok(answered) if answered.head.framing == Framing::Tunnel => {
                    return Err(Error::Url { reason: "tunnels can't be fetched".to_owned() });
                }
                Ok(answered) => return Ok((connection, answered)),
                Err(no_head) => no_head,
            };
            let replay = Replay {
                method: &request.method,
                connection_reused: connection.exchange_count > 0,
                response_bytes: no_head.response_bytes,
                replay_count,
            };
            let broken = matches!(&no_head.error, Error::Transport(_))
                || matches!(&no_head.error, Error::Protocol(error) if error.is_truncation());
            if !broken || !replay.is_allowed() {
                return Err(no_head.error);
            }
            replay_count += 1;
        }
    }

    async fn connection(
        &self,
        io: &impl Io,
        request: &Request,
        origin: &Origin,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<Connection, Error> {
        while let Some(mut connection) = self.pool.take(origin) {
            // RFC 9112 section 9.2: bytes that nobody asked for belong to no response.
            if connection.is_quiet(io).await {
                return Ok(connection);
            }
        }
        let timeout = clock.step(io, self.config.connect_timeout)?;
        let opened = Connection::open(io, &request.url, &self.tls, timeout, &mut trace.times).await;
        opened.map_err(|error| match clock.judge(io, error) {
            Error::Timeout(Phase::Transfer) => Error::Timeout(Phase::Connect),
            error => error,
        })
    }

    /// Keeps the connection for another request if the exchange left it fit for one.
    fn keep(
        &self,
        request: &Request,
        mut connection: Connection,
        (response, body, leftover_bytes): (haul_http1::ResponseHead, haul_http1::Body, usize),
    ) {
        let request_headers = &request.headers;
        let after = AfterResponse {
            request_headers,
            request_sent: true,
            response: &response,
            body: &body,
            leftover_bytes,
        };
        if after.must_close().is_none() {
            connection.exchange_count += 1;
            self.pool.put(Origin::of(&request.url), connection);
        }
    }
}

/// What one request came to.
enum One {
    Response(Response),
    Redirect(Request),
}
