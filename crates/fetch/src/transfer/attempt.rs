//! The context of one attempt at a request.
//!
//! The steps of an attempt are methods of [`Attempt`], each group in its own file of this room: choosing a connection
//! ([`crate::transfer::answered`]), the exchange of heads ([`crate::transfer::exchange`]), bodies
//! ([`crate::transfer::send`], [`crate::transfer::receive`]), and their order ([`crate::transfer::fetch`]).
//!
//! Owns: what every step needs: I/O, shared state, time limits, the trace.
//! Does not own: the request and its response, which travel from step to step.

use std::time::Duration;

use haul_io::Io;

use crate::route::wire::Wait;
use crate::transfer::clock::Clock;
use crate::transfer::shared::Shared;
use crate::transfer::trace::{BodySeen, Trace};
use crate::{Config, Error, Observer, Request, TransferEvent};

pub(crate) struct Attempt<'a, I> {
    pub(crate) io: &'a I,
    pub(crate) shared: &'a Shared,
    pub(crate) clock: Clock,
    pub(crate) trace: Trace,
    /// The request's own observer.
    observer: Option<&'a Observer>,
    /// Whether another attempt may follow this one, so that a transient status isn't the result.
    pub(crate) may_retry: bool,
}

impl<'a, I: Io> Attempt<'a, I> {
    /// Starts now, for `request`, which took the time `spent` in earlier attempts.
    pub(crate) fn start(
        io: &'a I,
        shared: &'a Shared,
        request: Option<&'a Request>,
        spent: Duration,
    ) -> Self {
        let timeout =
            request.map_or(shared.config.total_timeout, |request| shared.config.total_timeout_of(request));
        let clock = Clock::start(shared.config.read_timeout, timeout, io.now(), spent);
        let observer = request.and_then(Request::observer_of);
        Self { io, shared, clock, observer, trace: Trace::default(), may_retry: false }
    }

    pub(crate) fn config(&self) -> &'a Config {
        &self.shared.config
    }

    /// `timeout`, or the time left for the whole request if that is less.
    pub(crate) fn limit(&self, timeout: Duration) -> Result<Duration, Error> {
        self.clock.limit(self.io.now(), timeout)
    }

    /// Waits for the peer: at most `idle` without a byte, and until the end of the whole request.
    pub(crate) fn wait(&self, idle: Duration) -> Result<Wait, Error> {
        self.clock.wait(self.io.now(), idle)
    }

    /// Tells the observer how many bytes of the body come, when that is first known of the task.
    pub(crate) fn announce(&mut self, bytes: Option<u64>) {
        let seen = if bytes.is_some() { BodySeen::Length } else { BodySeen::Some };
        let is_news = self.trace.body_seen < seen;
        self.trace.body_seen = self.trace.body_seen.max(seen);
        let Some(bytes) = bytes.filter(|_| is_news) else { return };
        self.tell(&TransferEvent::Expected { bytes });
    }

    /// Tells the observers of the client and of the request.
    pub(crate) fn tell(&self, event: &TransferEvent) {
        self.config().observer.tell(event);
        self.observer.into_iter().for_each(|observer| observer.tell(event));
    }

    /// `error` of a step, or that of the whole request if that timed out.
    pub(crate) fn judge(&self, error: Error) -> Error {
        self.clock.judge(self.io.now(), error)
    }
}
