//! One request and its response on one connection.
//!
//! Owns: sending the head, receiving head and body, time limits of the single steps.
//! Does not own: which connection, what follows from the response.

use std::time::Duration;

use haul_http1::{
    Authority, Body, BodyLength, BodyState, Exchange, Framing, Head, RequestHead, ResponseHead, Target,
};
use haul_io::{Buf, Io};
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderValue, USER_AGENT};

use crate::connection::Connection;
use crate::landing::Landing;
use crate::{Config, Error, Phase, Request};

/// Bytes that are received at a time; more than any head.
const INPUT_BYTES: usize = 128 * 1024;

/// The time limits of one request.
#[derive(Clone, Copy)]
pub(crate) struct Clock<'a> {
    pub(crate) config: &'a Config,
    /// When the whole request must be over, by [`Io::now`].
    pub(crate) total: Option<Duration>,
}

impl<'a> Clock<'a> {
    /// Starts for a request on which so much time was spent already.
    pub(crate) fn start(io: &impl Io, config: &'a Config, spent: Duration) -> Self {
        let left = config.total_timeout.map(|timeout| timeout.saturating_sub(spent));
        Self { config, total: left.map(|left| io.now() + left) }
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
    let bytes = encode(request, authority, clock.config).map_err(unanswered)?;
    let timeout = clock.step(io, clock.config.read_timeout).map_err(unanswered)?;
    let sent = connection.send(io, bytes, timeout).await;
    sent.map_err(|error| unanswered(clock.judge(io, Error::transport(error, Phase::Transfer))))?;
    receive_head(io, connection, request, clock).await
}

fn encode(request: &Request, authority: &Authority, config: &Config) -> Result<Vec<u8>, Error> {
    let mut headers = request.headers.clone();
    let agent = HeaderValue::from_str(&config.user_agent);
    let agent = agent.map_err(|_| Error::Url { reason: "the user agent can't be sent".to_owned() })?;
    headers.entry(USER_AGENT).or_insert(agent);
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
    let url = &request.url;
    let path_and_query = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let target = Target::Origin { path_and_query };
    let method = &request.method;
    let head = RequestHead { method, target, authority, headers: &headers, body: BodyLength::None };
    let mut bytes = Vec::with_capacity(512);
    head.encode(&mut bytes)?;
    Ok(bytes)
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
            Some(head) => return Ok(Answered { head, input }),
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

/// Receives the body into `landing`, behind what is there. Returns the decoder, which knows how it ended, and the count of bytes behind it.
pub(crate) async fn receive_body(
    io: &impl Io,
    connection: &mut Connection,
    answered: Answered,
    landing: &mut Landing,
    clock: Clock<'_>,
) -> Result<(ResponseHead, Body, usize), Error> {
    let Answered { head, mut input } = answered;
    let bytes_max = clock.config.body_bytes_max;
    if let Framing::Length(bytes) = head.framing {
        let bytes = landing.bytes().saturating_add(bytes);
        check_length(bytes, bytes_max)?;
        landing.check_room(bytes)?;
    }
    let mut body = Body::new(head.framing, &clock.config.limits);
    loop {
        let step = body.decode(input.filled())?;
        check_length(landing.bytes() + step.data.len() as u64, bytes_max)?;
        let trailing = step.consumed - step.data.end;
        input.consume(step.data.start);
        if !step.data.is_empty() {
            let (taken, back) = landing.take(io, input, step.data.len()).await;
            input = back;
            taken?;
            io.progress(step.data.len() as u64);
        }
        input.consume(trailing);
        match step.state {
            BodyState::Complete => break,
            BodyState::More => {}
            BodyState::NeedMore => {
                let (count, back) = receive_more(io, connection, input, clock).await?;
                input = back;
                if count == 0 {
                    body.finish(connection.ended_cleanly())?;
                    break;
                }
            }
        }
    }
    let leftover_bytes = input.filled().len();
    io.give_buf(input);
    Ok((head, body, leftover_bytes))
}

async fn receive_more(
    io: &impl Io,
    connection: &mut Connection,
    mut input: Buf,
    clock: Clock<'_>,
) -> Result<(usize, Buf), Error> {
    input.compact();
    let timeout = clock.step(io, clock.config.read_timeout)?;
    let (received, input) = connection.receive(io, input, timeout).await;
    let count = received.map_err(|error| clock.judge(io, Error::transport(error, Phase::Transfer)))?;
    Ok((count, input))
}

fn check_length(bytes: u64, bytes_max: Option<u64>) -> Result<(), Error> {
    match bytes_max {
        Some(bytes_max) if bytes > bytes_max => Err(Error::TooLarge { bytes_max }),
        _ => Ok(()),
    }
}
