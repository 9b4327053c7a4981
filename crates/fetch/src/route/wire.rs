//! A byte stream in both directions: a socket, or TLS over another wire.
//!
//! Owns: sending and receiving, as a trait; how long either may take.
//! Does not own: TLS ([`crate::route::tls`]), the choice of the peer ([`crate::route::connection`]).

use std::io;
use std::time::Duration;

use haul_io::{Buf, Io, Socket};

/// How long to wait for the peer. Both limits hold for every layer: bytes of a TLS record that isn't complete count as
/// progress, but the deadline is that of the whole step, however many such bytes arrive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    /// Longest time without a byte.
    idle: Duration,
    /// When the step must be complete, by [`Io::now`].
    until: Duration,
}

/// Carries bytes in both directions, in order.
pub(crate) trait Wire {
    /// Sends all of `bytes`.
    async fn send(&mut self, io: &impl Io, bytes: Buf, wait: Wait) -> (io::Result<()>, Buf);

    /// Appends received bytes to `buf` and returns their number; 0 is the end of the stream. Bytes that have already
    /// arrived are received even if no time is left.
    async fn receive(&mut self, io: &impl Io, buf: Buf, wait: Wait) -> (io::Result<usize>, Buf);
}

impl Wait {
    /// Waits until `until`, but at most `idle` without a byte.
    pub(crate) fn new(idle: Duration, until: Duration) -> Self {
        Self { idle, until }
    }

    /// Waits until `until`.
    pub(crate) fn until(until: Duration) -> Self {
        Self { idle: Duration::MAX, until }
    }

    /// As `self`, but not beyond `until`.
    pub(crate) fn at_most_until(self, until: Duration) -> Self {
        Self { until: self.until.min(until), ..self }
    }

    /// How long to wait for the next byte.
    pub(crate) fn left(self, now: Duration) -> Duration {
        self.idle.min(self.until.saturating_sub(now))
    }

    /// # Errors
    /// `TimedOut` if the deadline has passed.
    pub(crate) fn check(self, now: Duration) -> io::Result<()> {
        if self.until <= now { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl Wire for Socket {
    async fn send(&mut self, io: &impl Io, mut bytes: Buf, wait: Wait) -> (io::Result<()>, Buf) {
        while !bytes.filled().is_empty() {
            let (sent, back) = io.send(self, bytes, wait.left(io.now())).await;
            bytes = back;
            match sent {
                Ok(count) => bytes.consume(count),
                Err(error) => return (Err(error), bytes),
            }
        }
        (Ok(()), bytes)
    }

    async fn receive(&mut self, io: &impl Io, buf: Buf, wait: Wait) -> (io::Result<usize>, Buf) {
        io.recv(self, buf, wait.left(io.now())).await
    }
}
