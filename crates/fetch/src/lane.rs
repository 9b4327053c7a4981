//! One of the connections over which a file in segments arrives.
//!
//! A lane fetches one span after the other until there is none left. One whose connection fails is over, and the others take
//! what it leaves: a server that bears fewer connections than it is asked for still gives the whole. One whose connection only stalls
//! drops it and goes on over another, if possible that of a lane that is done. One whose seat a task needs leaves.
//!
//! Owns: asking for a span, what an answer is worth.
//! Does not own: which span is next ([`crate::spans`]), what is a stall ([`crate::patience`]), further attempts ([`crate::joining`]).
//!
//! Source: RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range), 15.3.7 (206).

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use haul_http1::{RangeAnswer, RequestedRange, ResponseHead};
use haul_io::Io;
use http::header::{IF_RANGE, RANGE};
use http::{HeaderValue, StatusCode};

use crate::connection::Connection;
use crate::crowd::Seat;
use crate::exchange::{Answered, Clock};
use crate::landing::Landing;
use crate::part_sink::{PartEnd, PartSink};
use crate::patience::{Patience, Watch};
use crate::receive::receive_body;
use crate::segmented::{First, Segmented, Whole};
use crate::spans::{Held, lock};
use crate::trace::Trace;
use crate::transfer::Shared;
use crate::validator::Validators;
use crate::{Error, Phase, Request, redirect, retry};

/// One lane at work.
struct Lane<'a> {
    file: &'a Segmented,
    /// Of the host, for as long as no task needs it; `None` for the task's own.
    seat: Option<Arc<Seat>>,
    started: Duration,
    clock: Clock<'a>,
    trace: Trace,
    patience: Patience,
    /// Bytes that it fetched.
    bytes: u64,
}

impl Shared {
    /// Fetches spans of `file` over one connection at a time, the first lane what the response has that is open already; notes there how
    /// it ended.
    pub(crate) async fn lane(&self, io: &impl Io, file: &Segmented, index: u64, seat: Option<Seat>) {
        let clock = self.clock(io, file.spent);
        let patience = Patience::new(&self.config.segments, self.config.read_timeout);
        let (seat, started, trace) = (seat.map(Arc::new), io.now(), Trace::default());
        let mut lane = Lane { file, seat, started, clock, trace, patience, bytes: 0 };
        let first = if index == 0 { file.take_first() } else { None };
        lock(&file.spans).enter();
        let ended = self.spans(io, &mut lane, first).await;
        let mut notes = file.notes();
        notes.elapsed = notes.elapsed.max(io.now() - started);
        notes.host_pause = notes.host_pause.max(lane.trace.host_pause);
        drop(notes);
        if let Err(error) = ended {
            file.note(error);
            lock(&file.spans).leave();
        }
    }

    async fn spans(&self, io: &impl Io, lane: &mut Lane<'_>, first: Option<First>) -> Result<(), Error> {
        let mut first = first;
        loop {
            let may_give_up = lane.patience.window().is_some();
            let fetched = match first.take() {
                Some(First { connection, answered, held }) => {
                    let first = (&lane.file.request, connection, answered);
                    self.part(io, lane, first, (held, lane.file.whole.total)).await
                }
                None if lane.leaves() => return Ok(()),
                None => {
                    let took = io.now() - lane.started;
                    match Held::take_or_rest(&lane.file.spans, lane.bytes, took) {
                        Some(held) => self.span(io, lane, held).await,
                        None => return Ok(()),
                    }
                }
            };
            match fetched {
                Ok(PartEnd::Done) => {}
                Ok(PartEnd::Left) => return Ok(()),
                Ok(PartEnd::GivenUp) => lane.patience.gave_up(),
                Err(Error::Timeout(Phase::Transfer)) if may_give_up => lane.patience.gave_up(),
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for what is `held`, and takes what comes.
    async fn span(&self, io: &impl Io, lane: &mut Lane<'_>, held: Held) -> Result<PartEnd, Error> {
        let range = held.left();
        if range.is_empty() {
            return Ok(PartEnd::Done);
        }
        let whole = &lane.file.whole;
        let request = ranged(&lane.file.request, whole, &range);
        let clock = lane.clock();
        let (request, connection, answered) = self.ask_part(io, request, clock, &mut lane.trace).await?;
        let bytes = whole.part_bytes(&range, &answered.head)?;
        self.part(io, lane, (&request, connection, answered), (held, bytes)).await
    }

    /// The answer to `request` for a part, after redirects.
    async fn ask_part(
        &self,
        io: &impl Io,
        mut request: Request,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<(Request, Connection, Answered), Error> {
        for _ in 0..=self.config.redirects_max {
            let (connection, answered) = self.answered(io, &request, clock, trace).await?;
            let (status, headers) = (answered.head.status, &answered.head.headers);
            trace.host_pause = retry::host_pause(status, headers, &self.config);
            let next = redirect::follow(&request, status, headers, self.config.allow_downgrade)?;
            let says_of_range = status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE;
            if next.is_none() && says_of_range {
                return Ok((request, connection, answered));
            }
            self.drain(io, &request, connection, answered, clock).await;
            request = next.ok_or(Error::Status(status))?;
        }
        Err(Error::TooManyRedirects)
    }

    /// Receives a response of `bytes` bytes into its place, until it is over, others have taken over the rest, or are to.
    async fn part(
        &self,
        io: &impl Io,
        lane: &mut Lane<'_>,
        (request, mut connection, answered): (&Request, Connection, Answered),
        (held, bytes): (Held, u64),
    ) -> Result<PartEnd, Error> {
        let watch = lane.patience.window().map(|window| Watch::new(window, io.now()));
        let sink = PartSink::new(lane.file.file.clone(), held, bytes, (watch, lane.seat.clone()));
        let mut landing = Landing::part(sink, &answered.head);
        let clock = lane.clock();
        let received = receive_body(io, &mut connection, answered, None, &mut landing, clock).await;
        lane.bytes += landing.bytes();
        lane.patience.fetched(landing.bytes());
        self.keep(request, connection, &received?);
        landing.end_content()?;
        landing.end_part()
    }
}

impl<'a> Lane<'a> {
    /// Whether it ends between two spans, as a task needs its seat.
    fn leaves(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.is_wanted()) && lock(&self.file.spans).leave_to_others()
    }

    /// The limits of the next connection.
    fn clock(&self) -> Clock<'a> {
        let read_timeout = self.patience.window().unwrap_or(self.clock.read_timeout);
        Clock { read_timeout, ..self.clock }
    }
}

/// `request` for these bytes, if the whole is still the same.
fn ranged(request: &Request, whole: &Whole, range: &Range<u64>) -> Request {
    let mut request = request.clone();
    let value = format!("bytes={}-{}", range.start, range.end - 1);
    request.headers.insert(RANGE, HeaderValue::try_from(value).expect("digits are text"));
    request.headers.insert(IF_RANGE, whole.validators.if_range().clone());
    request
}

impl Whole {
    /// How many bytes the answer to a request for `range` has; an error says that it isn't part of this. It must say so
    /// itself, by the very validator that was asked about: what is put together from parts has nothing else to vouch for it.
    fn part_bytes(&self, range: &Range<u64>, head: &ResponseHead) -> Result<u64, Error> {
        let asked = RequestedRange { first: range.start, last: Some(range.end - 1), total: Some(self.total) };
        match asked.check(head) {
            Ok(RangeAnswer::Part { first, last, total: Some(total) })
                if total == self.total
                    && self.is_same(head)
                    && !crate::segmented::is_coded(&head.headers) =>
            {
                Ok(last - first + 1)
            }
            _ => Err(Error::UnaskedPart),
        }
    }

    fn is_same(&self, head: &ResponseHead) -> bool {
        let of_part = Validators::of(&head.headers, Some(self.total));
        of_part.is_some_and(|of_part| of_part.if_range() == self.validators.if_range())
    }
}
