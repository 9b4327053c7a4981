//! One request and the head of its response on one connection.
//!
//! Owns: receiving the head, also of an early answer; waiting for a go-ahead; time limits of the single steps.
//! Does not own: which connection, what follows from the response, sending ([`crate::send`]), bodies ([`crate::receive`]).

use std::time::Duration;

use haul_http1::{Authority, Exchange, Head, ResponseHead};
use haul_io::{Buf, Io};
use http::StatusCode;

use crate::connection::Connection;
use crate::pace::Throttle;
use crate::send::{Outgoing, Sent};
use crate::{Config, Error, Phase, Request};

/// Bytes that are received at a time; more than any head.
const INPUT_BYTES: usize = 128 * 1024;

/// The limits on time and speed of one request.
#[derive(Clone, Copy)]
pub(crate) struct Clock<'a> {
    pub(crate) config: &'a Config,
    pub(crate) throttle: &'a Throttle,
    /// Longest silence of a peer that owes bytes.
    pub(crate) read_timeout: Duration,
    /// When the whole request must be over, by [`Io::now`].
    pub(crate) total: Option<Duration>,
}

impl<'a> Clock<'a> {
    /// Starts for a request on which so much time was spent already.
    pub(crate) fn start(io: &impl Io, config: &'a Config, throttle: &'a Throttle, spent: Duration) -> Self {
        let left = config.total_timeout.map(|timeout| timeout.saturating_sub(spent));
        let total = left.map(|left| io.now() + left);
        Self { config, throttle, read_timeout: config.read_timeout, total }
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
    /// Whether the request said that its body waits for a go-ahead.
    pub(crate) waited: bool,
}

/// Sends `request` and receives the head of the response. If it `expects` a go-ahead for its body, that is waited for.
pub(crate) async fn ask(
    io: &impl Io,
    connection: &mut Connection,
    request: &Request,
    authority: &Authority,
    clock: Clock<'_>,
    expects: bool,
) -> Result<Answered, NoHead> {
    let unanswered = |error| NoHead { error, response_bytes: 0 };
    let outgoing = Outgoing::open(io, connection, request, authority, clock.config, expects).await;
    let mut outgoing = outgoing.map_err(unanswered)?;
    let mut incoming = Incoming::start(io, request, clock);
    let waited = outgoing.waits;
    if waited {
        match incoming.go_ahead(io, connection, &mut outgoing).await {
            Ok(None) => {}
            // RFC 9110 section 10.1.1: who has answered doesn't want the body.
            Ok(Some(head)) => {
                outgoing.put_back(request);
                return Ok(Answered { head, input: incoming.input, request_sent: false, waited });
            }
            Err(error) => {
                outgoing.put_back(request);
                return Err(NoHead { error, response_bytes: incoming.response_bytes });
            }
        }
    }
    let sent = outgoing.send(io, connection, clock).await;
    let sent = sent.map_err(|error| NoHead { error, response_bytes: incoming.response_bytes })?;
    let answered = incoming.head(io, connection).await;
    let Incoming { input, response_bytes, .. } = incoming;
    match (sent, answered) {
        (Sent::Whole, Ok(head)) => Ok(Answered { head, input, request_sent: true, waited }),
        (Sent::Whole, Err(error)) => Err(NoHead { error, response_bytes }),
        // RFC 9112 section 9.5: whoever stopped listening may have said why.
        (Sent::Partly(_), Ok(head)) => Ok(Answered { head, input, request_sent: false, waited }),
        (Sent::Partly(error), Err(_)) => Err(NoHead { error, response_bytes }),
    }
}

/// What comes back for one request, up to the final head.
struct Incoming<'a> {
    exchange: Exchange,
    clock: Clock<'a>,
    input: Buf,
    response_bytes: u64,
}

/// What the received bytes begin with.
enum Parsed {
    NeedMore,
    /// The go-ahead for a body.
    Continue,
    Final(ResponseHead),
}

impl<'a> Incoming<'a> {
    fn start(io: &impl Io, request: &Request, clock: Clock<'a>) -> Self {
        let limits = clock.config.limits;
        let input = io.take_buf(INPUT_BYTES.max(limits.head_bytes_max));
        Self { exchange: Exchange::new(&request.method, limits), clock, input, response_bytes: 0 }
    }

    /// Sends the head of `outgoing` and waits for what the server says to it: the final head, or nothing if the body should go
    /// out. A server that is silent for long may never have heard of expectations.
    async fn go_ahead(
        &mut self,
        io: &impl Io,
        connection: &mut Connection,
        outgoing: &mut Outgoing,
    ) -> Result<Option<ResponseHead>, Error> {
        outgoing.send_head(io, connection, self.clock).await?;
        let deadline = io.now() + self.clock.config.expect_timeout;
        loop {
            match self.parse()? {
                Parsed::Continue => return Ok(None),
                Parsed::Final(head) => return Ok(Some(head)),
                Parsed::NeedMore => {}
            }
            let left = deadline.saturating_sub(io.now());
            if left.is_zero() {
                return Ok(None);
            }
            match self.receive(io, connection, left).await {
                Err(Error::Timeout(Phase::Transfer)) => return Ok(None),
                received => received?,
            }
        }
    }

    /// The final head.
    async fn head(&mut self, io: &impl Io, connection: &mut Connection) -> Result<ResponseHead, Error> {
        let config = self.clock.config;
        let deadline = io.now() + config.head_timeout;
        loop {
            match self.parse()? {
                Parsed::Final(head) => return Ok(head),
                Parsed::Continue => {}
                Parsed::NeedMore => {
                    let left = deadline.saturating_sub(io.now()).min(self.clock.read_timeout);
                    self.receive(io, connection, left).await?;
                }
            }
        }
    }

    /// Receives something; an end is an error.
    async fn receive(
        &mut self,
        io: &impl Io,
        connection: &mut Connection,
        timeout: Duration,
    ) -> Result<(), Error> {
        let timeout = self.clock.step(io, timeout)?;
        self.input.compact();
        let input = std::mem::replace(&mut self.input, Vec::new().into());
        let (received, input) = connection.receive(io, input, timeout).await;
        self.input = input;
        let judged = |error| self.clock.judge(io, Error::transport(error, Phase::Transfer));
        match received.map_err(judged)? {
            0 => Err(self.exchange.closed(self.input.filled()).into()),
            count => {
                self.response_bytes += count as u64;
                Ok(())
            }
        }
    }

    /// Interim heads but the go-ahead are dropped.
    fn parse(&mut self) -> Result<Parsed, Error> {
        loop {
            match self.exchange.head(self.input.filled())? {
                Head::NeedMore => return Ok(Parsed::NeedMore),
                Head::Interim { status, len, .. } => {
                    self.input.consume(len);
                    if status == StatusCode::CONTINUE {
                        return Ok(Parsed::Continue);
                    }
                }
                Head::Complete { response, len, .. } => {
                    self.input.consume(len);
                    return Ok(Parsed::Final(response));
                }
            }
        }
    }
}
