//! One request and the head of its response on one connection.
//!
//! Owns: receiving the head, also of an early answer; time limits of the single steps.
//! Does not own: which connection, what follows from the response, sending ([`crate::send`]), bodies ([`crate::receive`]).

use std::time::Duration;

use haul_http1::{Authority, Exchange, Head, ResponseHead};
use haul_io::{Buf, Io};

use crate::connection::Connection;
use crate::pace::Throttle;
use crate::send::{Sent, send};
use crate::{Config, Error, Phase, Request};

/// Bytes that are received at a time; more than any head.
const INPUT_BYTES: usize = 128 * 1024;

/// The limits on time and speed of one request.
#[derive(Clone, Copy)]
pub(crate) struct Clock<'a> {
    pub(crate) config: &'a Config,
    pub(crate) throttle: &'a Throttle,
    /// When the whole request must be over, by [`Io::now`].
    pub(crate) total: Option<Duration>,
}

impl<'a> Clock<'a> {
    /// Starts for a request on which so much time was spent already.
    pub(crate) fn start(io: &impl Io, config: &'a Config, throttle: &'a Throttle, spent: Duration) -> Self {
        let left = config.total_timeout.map(|timeout| timeout.saturating_sub(spent));
        Self { config, throttle, total: left.map(|left| io.now() + left) }
    }

    /// `timeout`, or what is left of the whole if that is less.
    pub(crate) fn step(&self, io: &impl Io, timeout: Duration) -> Result<Duration, Error> {
        match self.total.map(|total| total.saturating_sub(io.now())) {
            Some(Duration::ZERO) => Err(Error::Timeout(Phase::Total)),
            Some(left) => Ok(left.min(timeout)),
            None => Ok(timeout),
        }
    }

    /// `error`, unless it is the whole that took too long.
    pub(crate) fn judge(&self, io: &impl Io, error: Error) -> Error {
        match error {
            Error::Timeout(_) if self.total.is_some_and(|total| total <= io.now()) => {
                Error::Timeout(Phase::Total)
            }
            error => error,
        }
    }
}

/// Why there is no head, and how much of one had arrived.
pub(crate) struct NoHead {
    pub(crate) error: Error,
    pub(crate) response_bytes: u64,
}

/// A response whose body has not been read.
pub(crate) struct Answered {
    pub(crate) head: ResponseHead,
    /// What was received behind the head.
    pub(crate) input: Buf,
    /// Whether all of the request was sent before.
    pub(crate) request_sent: bool,
}

/// Sends `request` and receives the head of the response.
pub(crate) async fn ask(
    io: &impl Io,
    connection: &mut Connection,
    request: &Request,
    authority: &Authority,
    clock: Clock<'_>,
) -> Result<Answered, NoHead> {
    let unanswered = |error| NoHead { error, response_bytes: 0 };
    match send(io, connection, request, authority, clock).await.map_err(unanswered)? {
        Sent::Whole => receive_head(io, connection, request, clock).await,
        // RFC 9112 section 9.5: whoever stopped listening may have said why.
        Sent::Partly(error) => match receive_head(io, connection, request, clock).await {
            Ok(answered) => Ok(Answered { request_sent: false, ..answered }),
            Err(NoHead { response_bytes, .. }) => Err(NoHead { error, response_bytes }),
        },
    }
}

async fn receive_head(
    io: &impl Io,
    connection: &mut Connection,
    request: &Request,
    clock: Clock<'_>,
) -> Result<Answered, NoHead> {
    let deadline = io.now() + clock.config.head_timeout;
    let mut exchange = Exchange::new(&request.method, clock.config.limits);
    let mut input = io.take_buf(INPUT_BYTES.max(clock.config.limits.head_bytes_max));
    let mut response_bytes = 0;
    loop {
        let left = deadline.saturating_sub(io.now()).min(clock.config.read_timeout);
        let timeout = clock.step(io, left).map_err(|error| NoHead { error, response_bytes })?;
        let (received, back) = connection.receive(io, input, timeout).await;
        input = back;
        let judge = |error| clock.judge(io, Error::transport(error, Phase::Transfer));
        let count = received.map_err(|error| NoHead { error: judge(error), response_bytes })?;
        if count == 0 {
            let error = exchange.closed(input.filled()).into();
            return Err(NoHead { error, response_bytes });
        }
        response_bytes += count as u64;
        let parsed = parse_head(&mut exchange, &mut input);
        match parsed.map_err(|error| NoHead { error, response_bytes })? {
            Some(head) => return Ok(Answered { head, input, request_sent: true }),
            None => input.compact(),
        }
    }
}

/// The final head, once it is there; interim ones are dropped.
fn parse_head(exchange: &mut Exchange, input: &mut Buf) -> Result<Option<ResponseHead>, Error> {
    loop {
        match exchange.head(input.filled())? {
            Head::NeedMore => return Ok(None),
            Head::Interim { len, .. } => input.consume(len),
            Head::Complete { response, len, .. } => {
                input.consume(len);
                return Ok(Some(response));
            }
        }
    }
}
