//! Happy Eyeballs: which address is tried next, and when.
//!
//! The first address has [`ATTEMPT_DELAY`] to itself; then the next one is tried too, and so on. A failed attempt
//! brings the next address forward if no other attempt is in progress. The first attempt to succeed wins, and the
//! caller drops the others. If all fail, the error is that of the attempt that failed last.
//!
//! Owns: the order of addresses, delays, the timeout, the final error.
//! Does not own: sockets, clocks and waiting; the caller reports what happened and passes the time in.
//!
//! Source: RFC 8305 (Happy Eyeballs), sections 4 (interleaving) and 5 (connection attempt delay).

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long one attempt runs alone before the next is started (RFC 8305 section 5 recommends 250 ms).
pub(crate) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// The state of a race between connection attempts.
pub(crate) struct Race {
    waiting: std::vec::IntoIter<SocketAddr>,
    in_progress: usize,
    /// When the next address is tried, even if an attempt is in progress.
    next_start: Instant,
    /// `None` if the timeout is too long for the clock.
    deadline: Option<Instant>,
    timed_out: bool,
    last_error: io::Error,
}

/// What the caller does next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Start an attempt, then ask again; report a failure by [`Race::failed`].
    Start(SocketAddr),
    /// Wait until an attempt ends ([`Race::failed`], or it has won) or until this moment ([`Race::waited`]); `None`
    /// sets no limit. The moment may have passed: attempts that have already ended still count.
    Wait { until: Option<Instant> },
    /// No attempt can win any more.
    Failed(io::Error),
}

impl Race {
    /// A race that starts at `now` and ends after `timeout`.
    pub(crate) fn new(addresses: &[SocketAddr], timeout: Duration, now: Instant) -> Self {
        Self {
            waiting: interleaved(addresses).into_iter(),
            in_progress: 0,
            next_start: now,
            deadline: now.checked_add(timeout),
            timed_out: false,
            last_error: io::Error::new(io::ErrorKind::InvalidInput, "no addresses to connect to"),
        }
    }

    /// The next step at `now`.
    pub(crate) fn next(&mut self, now: Instant) -> Step {
        if self.timed_out {
            return Step::Failed(io::ErrorKind::TimedOut.into());
        }
        if (self.in_progress == 0 || self.next_start <= now)
            && let Some(address) = self.waiting.next()
        {
            self.next_start = now + ATTEMPT_DELAY;
            self.in_progress += 1;
            return Step::Start(address);
        }
        if self.in_progress == 0 {
            return Step::Failed(std::mem::replace(&mut self.last_error, io::ErrorKind::TimedOut.into()));
        }
        let next_start = (self.waiting.len() > 0).then_some(self.next_start);
        Step::Wait { until: self.deadline.into_iter().chain(next_start).min() }
    }

    /// Reports that an attempt failed, at its start or later.
    pub(crate) fn failed(&mut self, error: io::Error) {
        self.in_progress -= 1;
        self.last_error = error;
    }

    /// Reports that a wait reached its moment and no attempt ended.
    pub(crate) fn waited(&mut self, now: Instant) {
        self.timed_out = self.deadline.is_some_and(|deadline| deadline <= now);
    }
}

/// The addresses with their families alternating, starting with the family of the first (RFC 8305 section 4).
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let (preferred, other): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv4() == first.is_ipv4());
    let mut other = other.into_iter();
    let mut mixed = Vec::with_capacity(addresses.len());
    for address in preferred {
        mixed.push(address);
        mixed.extend(other.next());
    }
    mixed.extend(other);
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn families_alternate() {
        let mixed = interleaved(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(addr));
        assert_eq!(mixed, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(addr));
        assert!(interleaved(&[]).is_empty());
    }

    /// What happens to a race before it is asked for a step.
    enum Event {
        Nothing,
        /// An attempt fails with this kind of error.
        Failed(io::ErrorKind),
        /// A wait ends without the end of an attempt.
        Waited,
    }

    use Event::{Failed, Nothing, Waited};
    use io::ErrorKind::{ConnectionRefused, HostUnreachable};

    const ONE: &str = "1.1.1.1:1";
    const TWO: &str = "[::2]:1";
    const THREE: &str = "3.3.3.3:1";

    /// Each row: milliseconds since the start, what happened, and the next step as text.
    #[track_caller]
    fn check(addresses: &[&str], timeout: Duration, rows: &[(u64, Event, &str)]) {
        let start = Instant::now();
        let addresses: Vec<_> = addresses.iter().map(|text| addr(text)).collect();
        let mut race = Race::new(&addresses, timeout, start);
        for (index, (millis, event, expected)) in rows.iter().enumerate() {
            let now = start + Duration::from_millis(*millis);
            match event {
                Nothing => {}
                Failed(kind) => race.failed((*kind).into()),
                Waited => race.waited(now),
            }
            let step = match race.next(now) {
                Step::Start(address) => format!("start {address}"),
                Step::Wait { until: None } => "wait".to_owned(),
                Step::Wait { until: Some(until) } => format!("wait {}", (until - start).as_millis()),
                Step::Failed(error) => format!("failed {:?}", error.kind()),
            };
            assert_eq!(step, *expected, "row {index}");
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn without_addresses_a_race_fails_at_once() {
        check(&[], SECOND, &[(0, Nothing, "failed InvalidInput")]);
    }

    #[test]
    fn each_address_has_a_head_start_and_the_last_has_until_the_deadline() {
        check(
            &[ONE, THREE, TWO],
            SECOND,
            &[
                (0, Nothing, "start 1.1.1.1:1"),
                (10, Nothing, "wait 250"),
                (249, Waited, "wait 250"),
                (250, Waited, "start [::2]:1"),
                (255, Nothing, "wait 500"),
                (500, Waited, "start 3.3.3.3:1"),
                (500, Nothing, "wait 1000"),
                (1000, Waited, "failed TimedOut"),
            ],
        );
    }

    #[test]
    fn a_failure_brings_the_next_address_forward_only_if_nothing_else_is_in_progress() {
        check(
            &[ONE, TWO, THREE],
            SECOND,
            &[
                (0, Nothing, "start 1.1.1.1:1"),
                (20, Failed(ConnectionRefused), "start [::2]:1"),
                (20, Nothing, "wait 270"),
                (270, Waited, "start 3.3.3.3:1"),
                (280, Failed(HostUnreachable), "wait 1000"),
                (290, Failed(ConnectionRefused), "failed ConnectionRefused"),
            ],
        );
    }

    #[test]
    fn the_error_is_that_of_the_last_failure() {
        check(
            &[ONE, TWO],
            SECOND,
            &[
                (0, Nothing, "start 1.1.1.1:1"),
                (0, Failed(ConnectionRefused), "start [::2]:1"),
                (0, Failed(HostUnreachable), "failed HostUnreachable"),
            ],
        );
    }

    #[test]
    fn attempts_that_ended_count_even_at_the_deadline() {
        check(
            &[ONE],
            Duration::ZERO,
            &[
                (0, Nothing, "start 1.1.1.1:1"),
                (5, Nothing, "wait 0"),
                (5, Failed(ConnectionRefused), "failed ConnectionRefused"),
            ],
        );
    }

    #[test]
    fn a_timeout_beyond_the_clock_sets_no_deadline() {
        check(
            &[ONE, TWO],
            Duration::MAX,
            &[
                (0, Nothing, "start 1.1.1.1:1"),
                (0, Nothing, "wait 250"),
                (250, Waited, "start [::2]:1"),
                (250, Nothing, "wait"),
            ],
        );
    }
}
