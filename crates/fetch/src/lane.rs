//! One of the connections over which a file in segments arrives.
//!
//! A lane fetches one span after the other until there is none left. One whose connection fails is over, and the others take
//! what it leaves: a server that bears fewer connections than it is asked for still gives the whole.
//!
//! Owns: asking for a span, what an answer is worth.
//! Does not own: which span is next ([`crate::spans`]), further attempts ([`crate::joining`]).
//!
//! Source: RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range), 15.3.7 (206).

use std::ops::Range;

use haul_http1::{RangeAnswer, RequestedRange, ResponseHead};
use haul_io::Io;
use http::header::{IF_RANGE, RANGE};
use http::{HeaderValue, StatusCode};

use crate::connection::Connection;
use crate::exchange::{Answered, Clock};
use crate::landing::Landing;
use crate::part_sink::PartSink;
use crate::receive::receive_body;
use crate::segmented::{First, Segmented, Whole};
use crate::spans::Held;
use crate::trace::Trace;
use crate::transfer::Shared;
use crate::validator::Validators;
use crate::{Error, Request, redirect, retry};

impl Shared {
    /// Fetches spans of `file` over one connection at a time, the first lane what the response has that is open already; notes there how
    /// it ended.
    pub(crate) async fn lane(&self, io: &impl Io, file: &Segmented, index: u64) {
        let clock = self.clock(io, file.spent);
        let (started, mut trace) = (io.now(), Trace::default());
        let ended = self.spans(io, file, index, clock, &mut trace).await;
        let mut notes = file.notes();
        notes.elapsed = notes.elapsed.max(io.now() - started);
        notes.host_pause = notes.host_pause.max(trace.host_pause);
        drop(notes);
        if let Err(error) = ended {
            file.note(error);
        }
    }

    async fn spans(
        &self,
        io: &impl Io,
        file: &Segmented,
        index: u64,
        clock: Clock<'_>,
        trace: &mut Trace,
    ) -> Result<(), Error> {
        let first = if index == 0 { file.take_first() } else { None };
        let mut next = match first {
            Some(First { connection, answered, held }) => {
                let first = (&file.request, connection, answered);
                Some(self.part(io, file, first, (held, file.whole.total), clock).await?)
            }
            None => Held::take(&file.spans),
        };
        while let Some(mut held) = next {
            loop {
                let range = held.left();
                if range.is_empty() {
                    break;
                }
                let request = ranged(&file.request, &file.whole, &range);
                let (request, connection, answered) = self.ask_part(io, request, clock, trace).await?;
                let bytes = file.whole.part_bytes(&range, &answered.head)?;
                held = self.part(io, file, (&request, connection, answered), (held, bytes), clock).await?;
            }
            drop(held);
            next = Held::take(&file.spans);
        }
        Ok(())
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

    /// Receives a response of `bytes` bytes into its place, until it is over or others have taken over the rest.
    async fn part(
        &self,
        io: &impl Io,
        file: &Segmented,
        (request, mut connection, answered): (&Request, Connection, Answered),
        (held, bytes): (Held, u64),
        clock: Clock<'_>,
    ) -> Result<Held, Error> {
        let sink = PartSink::new(file.file.clone(), held, bytes);
        let mut landing = Landing::part(sink, &answered.head);
        let received = receive_body(io, &mut connection, answered, None, &mut landing, clock).await?;
        self.keep(request, connection, &received);
        landing.end_content()?;
        landing.end_part()
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
