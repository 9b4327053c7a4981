//! One of the connections over which a file in segments arrives.
//!
//! A lane fetches one span after another until none is left.
//!
//! - If its connection fails, the lane ends, and the other lanes fetch its missing bytes. So a server that accepts
//!   fewer connections still delivers the whole file.
//! - If its connection stalls, the lane closes it and requests the missing bytes on another, if possible that of a lane
//!   that has finished.
//! - If a task needs its permit, the lane ends, provided that another lane will fetch its missing bytes.
//!
//! Owns: requesting spans, judging the responses.
//! Does not own: which span is next ([`crate::segments::spans`]), what a stall is ([`crate::segments::stall`]), retries
//! (`list::joining`).
//!
//! Source: RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range), 15.3.7 (206).

use std::sync::Arc;
use std::time::Duration;

use haul_io::Io;
use http::StatusCode;

use crate::body::receiver::Receiver;
use crate::route::host_pause::HostPause;
use crate::segments::host_permits::HostPermit;
use crate::segments::part::{PartEnd, PartReceiver};
use crate::segments::segmented::{First, Segmented};
use crate::segments::spans::{SpanClaim, lock};
use crate::segments::stall::{SpeedWindow, StallPolicy};
use crate::transfer::attempt::Attempt;
use crate::transfer::exchange::Answered;
use crate::transfer::retry_after::host_pause;
use crate::transfer::shared::Shared;
use crate::{Error, Phase, Request};

/// One lane at work.
pub(crate) struct Lane<'a, I> {
    attempt: Attempt<'a, I>,
    file: &'a Segmented,
    /// The permit for its connection; `None` if that is the task's own.
    permit: Option<Arc<HostPermit>>,
    started: Duration,
    stall: StallPolicy,
    /// Bytes fetched so far.
    bytes: u64,
}

impl<'a, I: Io> Lane<'a, I> {
    /// A lane that works on the task's own connection, or on one with `permit`.
    pub(crate) fn new(
        io: &'a I,
        shared: &'a Shared,
        file: &'a Segmented,
        permit: Option<HostPermit>,
    ) -> Self {
        let attempt = Attempt::start(io, shared, Some(&file.request), file.spent);
        let stall = StallPolicy::new(&shared.config.segments, shared.config.read_timeout);
        Self { attempt, file, permit: permit.map(Arc::new), started: io.now(), stall, bytes: 0 }
    }

    /// Fetches spans, beginning with the response `first` if there is one, and records in the file how it ended.
    pub(crate) async fn run(mut self, first: Option<First>) {
        lock(&self.file.spans).enter();
        let ended = self.spans(first).await;
        let mut notes = self.file.notes();
        notes.elapsed = notes.elapsed.max(self.attempt.io.now() - self.started);
        notes.host_pause = HostPause::longer(notes.host_pause.take(), self.attempt.trace.host_pause);
        notes.requests += self.attempt.trace.requests;
        drop(notes);
        if let Err(error) = ended {
            self.file.note(error);
            lock(&self.file.spans).leave();
        }
    }

    async fn spans(&mut self, mut first: Option<First>) -> Result<(), Error> {
        let file = self.file;
        loop {
            let may_give_up = self.stall.window().is_some();
            let fetched = match first.take() {
                Some(First { answered, claim }) => {
                    self.part(&file.request, answered, claim, file.whole.total).await
                }
                None if self.leaves() => return Ok(()),
                None => {
                    let took = self.attempt.io.now() - self.started;
                    match SpanClaim::take_or_finish(&file.spans, self.bytes, took) {
                        Some(claim) => self.span(claim).await,
                        None => return Ok(()),
                    }
                }
            };
            match fetched {
                Ok(PartEnd::Done) => {}
                Ok(PartEnd::Left) => return Ok(()),
                Ok(PartEnd::GivenUp) => self.stall.gave_up(),
                Err(Error::Timeout(Phase::Transfer)) if may_give_up => self.stall.gave_up(),
                Err(error) => return Err(error),
            }
        }
    }

    /// Requests the claimed span, and receives what comes.
    async fn span(&mut self, claim: SpanClaim) -> Result<PartEnd, Error> {
        let range = claim.left();
        if range.is_empty() {
            return Ok(PartEnd::Done);
        }
        let whole = &self.file.whole;
        let (request, answered) = self.ask(whole.ranged(&self.file.request, &range)).await?;
        let bytes = whole.part_bytes(&range, &answered.head)?;
        self.part(&request, answered, claim, bytes).await
    }

    /// The response to `request` for a part, and the request that was answered after redirects.
    async fn ask(&mut self, mut request: Request) -> Result<(Request, Answered), Error> {
        self.set_read_timeout();
        let attempt = &mut self.attempt;
        for _ in 0..=attempt.config().redirects_max_of(&request) {
            let answered = attempt.answered(&request).await?;
            let status = answered.head.status;
            attempt.trace.host_pause =
                host_pause(&request.url, status, &answered.head.headers, attempt.config());
            let next = attempt.redirected(&request, &answered.head)?;
            let concerns_range = status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE;
            if next.is_none() && concerns_range {
                return Ok((request, answered));
            }
            let Some(next) = next else { return Err(attempt.status_error(&request, answered).await) };
            attempt.drain(&request, answered).await;
            request = next;
        }
        Err(Error::TooManyRedirects)
    }

    /// Receives a response of `bytes` bytes, until it is complete or other lanes have the rest or are to fetch it.
    async fn part(
        &mut self,
        request: &Request,
        answered: Answered,
        claim: SpanClaim,
        bytes: u64,
    ) -> Result<PartEnd, Error> {
        self.set_read_timeout();
        let now = self.attempt.io.now();
        let mut receiver = PartReceiver::new(self.file.file.file.clone(), claim, bytes)
            .encoded(self.file.file.encoded.as_ref(), self.file.whole.total)
            .checked_by(&answered.head.headers)
            .with_speed(self.stall.window().map(|window| SpeedWindow::new(window, now)))
            .with_permit(self.permit.clone());
        let received = self.attempt.receive_body(answered, None, &mut receiver).await;
        self.bytes += receiver.bytes();
        self.stall.fetched(receiver.bytes());
        self.attempt.keep(request, received?);
        receiver.end(self.attempt.io).await?;
        receiver.part_end()
    }

    /// Whether the lane ends between two spans, as a task needs its permit.
    fn leaves(&self) -> bool {
        let is_wanted = self.permit.as_ref().is_some_and(|permit| permit.is_wanted());
        is_wanted && lock(&self.file.spans).leave_to_others()
    }

    /// Lets the next connection stall no longer than the policy allows.
    fn set_read_timeout(&mut self) {
        let read_timeout = self.attempt.config().read_timeout;
        self.attempt.clock.read_timeout = self.stall.window().unwrap_or(read_timeout);
    }
}
