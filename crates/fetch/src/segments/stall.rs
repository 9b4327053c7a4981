//! When to give up on a segment connection that has stalled or is much slower than others.
//!
//! The lane then closes it and requests the missing bytes on another connection; that of a lane that has finished is in
//! the pool. So no lane waits for a slow one, every byte has one writer at a time, and bytes that arrive late are never
//! read.
//!
//! Two pure state machines: the current time is an argument.
//!
//! Owns: when a connection is given up, and that this doesn't go on for ever.
//! Does not own: the clock, the connections ([`crate::segments::lane`]), the speed of other lanes
//! ([`crate::segments::spans`]).

use std::time::Duration;

use crate::Segments;

/// A connection is too slow if its rate is below this fraction of the fastest other lane's: one quarter.
const SLOW_FRACTION: u64 = 4;

/// When a lane may give up its connection.
#[derive(Debug)]
pub(crate) struct StallPolicy {
    window: Duration,
    piece_bytes_min: u64,
    /// Bytes fetched since a connection was given up; `None` if none ever was.
    since: Option<u64>,
}

/// The speed of one connection, measured over a window of time.
#[derive(Debug)]
pub(crate) struct SpeedWindow {
    window: Duration,
    begun: Duration,
    bytes: u64,
}

impl StallPolicy {
    /// With `read_timeout` as the upper limit of the window.
    pub(crate) fn new(segments: &Segments, read_timeout: Duration) -> Self {
        let window = segments.stall_timeout.min(read_timeout);
        Self { window, piece_bytes_min: segments.piece_bytes_min, since: None }
    }

    /// How long the next connection may stall or be slow. `None` if it must not be given up: the previous one was, and
    /// hardly any byte has arrived since, so that the cause is the server or the network.
    pub(crate) fn window(&self) -> Option<Duration> {
        self.since.is_none_or(|bytes| bytes >= self.piece_bytes_min).then_some(self.window)
    }

    /// Counts `bytes` that arrived.
    pub(crate) fn fetched(&mut self, bytes: u64) {
        self.since.iter_mut().for_each(|since| *since += bytes);
    }

    /// Records that a connection was given up.
    pub(crate) fn gave_up(&mut self) {
        self.since = Some(0);
    }
}

impl SpeedWindow {
    /// A window that begins at `now`, with the body of a response.
    pub(crate) fn new(window: Duration, now: Duration) -> Self {
        Self { window, begun: now, bytes: 0 }
    }

    /// Counts `bytes` that arrived until `now`. Returns whether, over a whole window, their rate was much lower than
    /// that of the `others`, in bytes per second.
    pub(crate) fn is_slow(
        &mut self,
        now: Duration,
        bytes: usize,
        others: impl FnOnce() -> Option<u64>,
    ) -> bool {
        self.bytes += bytes as u64;
        let took = now.saturating_sub(self.begun);
        if took < self.window {
            return false;
        }
        let rate = rate(self.bytes, took);
        (self.begun, self.bytes) = (now, 0);
        others().is_some_and(|others| rate < others / SLOW_FRACTION)
    }
}

/// Bytes per second.
pub(crate) fn rate(bytes: u64, took: Duration) -> u64 {
    // The conversion from float saturates, also if no time has passed.
    (bytes as f64 / took.as_secs_f64()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn another_connection_is_given_up_only_after_a_piece() {
        let segments = Segments { piece_bytes_min: 100, stall_timeout: seconds(5), ..Segments::default() };
        let mut policy = StallPolicy::new(&segments, seconds(30));
        assert_eq!(policy.window(), Some(seconds(5)));
        policy.fetched(1);
        assert_eq!(policy.window(), Some(seconds(5)));
        policy.gave_up();
        assert_eq!(policy.window(), None);
        policy.fetched(99);
        assert_eq!(policy.window(), None);
        policy.fetched(1);
        assert_eq!(policy.window(), Some(seconds(5)));
        assert_eq!(
            StallPolicy::new(&segments, seconds(3)).window(),
            Some(seconds(3)),
            "never longer than the read timeout"
        );
    }

    #[test]
    fn slow_means_much_slower_than_others_over_a_whole_window() {
        let mut window = SpeedWindow::new(seconds(5), seconds(100));
        assert!(!window.is_slow(seconds(104), 0, || unreachable!("the window isn't over")));
        assert!(!window.is_slow(seconds(105), 124, || None), "no other lane has finished");
        assert!(!window.is_slow(seconds(109), 1, || unreachable!("another window has begun")));
        assert!(
            window.is_slow(seconds(110), 123, || Some(100)),
            "124 bytes in 5 s are fewer than 25 a second"
        );
        assert!(!window.is_slow(seconds(115), 125, || Some(100)), "as many aren't");
        assert_eq!((rate(10, seconds(2)), rate(1, seconds(0)), rate(0, seconds(1))), (5, u64::MAX, 0));
        assert_eq!(rate(0, seconds(0)), 0);
    }
}
