//! A minimal client: runs an exchange and its body over given pieces of input.
//!
//! Owns: the property that every test of responses requires: the outcome doesn't depend on how the input is split.
//! Does not own: cases.

use std::fmt;

use haul_http1::{Body, BodyState, Exchange, Framing, Head, Limits, ProtocolError, ResponseHead};
use http::{HeaderMap, Method};

/// How a response is read.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) method: Method,
    pub(crate) upgrade_allowed: bool,
    pub(crate) limits: Limits,
    /// The event after the input: `None` leaves the connection open, `Some(clean)` closes it.
    pub(crate) close: Option<bool>,
}

impl Reader {
    pub(crate) fn get() -> Self {
        Self::method(Method::GET)
    }

    pub(crate) fn method(method: Method) -> Self {
        Self { method, upgrade_allowed: false, limits: Limits::default(), close: None }
    }

    pub(crate) fn limits(limits: Limits) -> Self {
        Self { limits, ..Self::get() }
    }

    pub(crate) fn closing(mut self, clean: bool) -> Self {
        self.close = Some(clean);
        self
    }
}

/// Everything that a caller could observe.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) interim: Vec<u16>,
    pub(crate) response: Option<ResponseHead>,
    pub(crate) reason: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) complete: bool,
    pub(crate) leftover: Vec<u8>,
    pub(crate) error: Option<ProtocolError>,
}

/// One line, for tables: interim statuses, status, framing, body, completeness and leftover bytes; or the error.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for status in &self.interim {
            write!(f, "{status} ")?;
        }
        if let Some(response) = &self.response {
            write!(f, "{} ", response.status.as_u16())?;
            match response.framing {
                Framing::Length(bytes) => write!(f, "length={bytes}")?,
                other => write!(f, "{}", format!("{other:?}").to_lowercase())?,
            }
        }
        if !self.body.is_empty() {
            write!(f, " '{}'", self.body.escape_ascii())?;
        }
        match &self.error {
            Some(error) => write!(f, "{}{error:?}", if self.response.is_some() { " " } else { "" })?,
            None if self.complete => write!(f, " complete")?,
            None => write!(f, "{}open", if self.response.is_some() { " " } else { "" })?,
        }
        if !self.leftover.is_empty() {
            write!(f, " left '{}'", self.leftover.escape_ascii())?;
        }
        Ok(())
    }
}

/// Feeds `pieces` in order and returns the outcome.
pub(crate) fn read<'a>(reader: &Reader, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut exchange = Exchange::new(&reader.method, reader.limits);
    if reader.upgrade_allowed {
        exchange = exchange.allow_upgrade();
    }
    let mut outcome = Outcome::default();
    let mut unread = Vec::new();
    let mut body = None;
    let run = || -> Result<(), ProtocolError> {
        for piece in pieces {
            unread.extend_from_slice(piece);
            if body.is_none() {
                body = read_heads(&mut exchange, reader, &mut unread, &mut outcome)?;
            }
            if let Some(body) = &mut body {
                read_body(body, &mut unread, &mut outcome)?;
            }
        }
        match (&mut body, reader.close) {
            (None, Some(_)) => Err(exchange.closed(&unread)),
            (Some(body), Some(clean)) => body.finish(clean),
            (_, None) => Ok(()),
        }
    };
    outcome.error = run().err();
    if let Some(body) = &body {
        outcome.complete = body.is_complete();
        outcome.trailers = body.trailers().cloned();
        assert_eq!(body.received_bytes(), outcome.body.len() as u64);
        assert!(!(outcome.complete && outcome.error.is_some()), "complete and wrong at once");
    }
    if outcome.complete {
        outcome.leftover = unread;
    }
    outcome
}

fn read_heads(
    exchange: &mut Exchange,
    reader: &Reader,
    unread: &mut Vec<u8>,
    outcome: &mut Outcome,
) -> Result<Option<Body>, ProtocolError> {
    loop {
        match exchange.head(unread)? {
            Head::NeedMore => {
                assert!(
                    unread.len() < reader.limits.head_bytes_max,
                    "a buffer of head_bytes_max must be enough"
                );
                return Ok(None);
            }
            Head::Interim { status, len, .. } => {
                outcome.interim.push(status.as_u16());
                unread.drain(..len);
            }
            Head::Complete { response, reason, len } => {
                outcome.reason = unread[reason].to_vec();
                unread.drain(..len);
                let body = Body::new(response.framing, &reader.limits);
                outcome.response = Some(response);
                return Ok(Some(body));
            }
        }
    }
}

fn read_body(body: &mut Body, unread: &mut Vec<u8>, outcome: &mut Outcome) -> Result<(), ProtocolError> {
    loop {
        let known = body.run_bytes();
        let step = body.decode(unread)?;
        assert!(step.consumed <= unread.len() && step.data.end <= step.consumed, "a step beyond its input");
        if let Some(known) = known.filter(|known| *known > 0) {
            assert_eq!(step.data.len() as u64, known.min(unread.len() as u64), "run_bytes promised data");
        }
        outcome.body.extend_from_slice(&unread[step.data]);
        unread.drain(..step.consumed);
        match step.state {
            BodyState::Complete => return Ok(()),
            BodyState::NeedMore => return assert_empty(unread),
            BodyState::More => assert!(!unread.is_empty(), "more of nothing"),
        }
    }
}

fn assert_empty(unread: &[u8]) -> Result<(), ProtocolError> {
    assert!(unread.is_empty(), "the body wants more without having used what it has");
    Ok(())
}

/// Reads `input` at once, byte by byte, and split in two at every position, and requires the same outcome each time.
#[track_caller]
pub(crate) fn read_every_way(reader: &Reader, input: &[u8]) -> Outcome {
    let whole = read(reader, [input]);
    let expected = format!("{whole:?}");
    let bytewise = read(reader, input.chunks(1));
    assert_eq!(format!("{bytewise:?}"), expected, "byte by byte: {}", input.escape_ascii());
    for at in 0..=input.len() {
        let (left, right) = input.split_at(at);
        let split = read(reader, [left, right]);
        assert_eq!(format!("{split:?}"), expected, "split at {at}: {}", input.escape_ascii());
    }
    whole
}

/// Checks one line of a table against the displayed [`Outcome`], however the input is split.
#[track_caller]
pub(crate) fn check(reader: &Reader, input: impl AsRef<[u8]>, expected: &str) {
    let input = input.as_ref();
    let outcome = read_every_way(reader, input);
    assert_eq!(outcome.to_string(), expected, "{}", input.escape_ascii());
}
