//! How long a connection of a file in segments is borne that brings nothing, or much less than others brought.
//!
//! Whoever bears it no longer drops it and asks on another for what is missing: that of a lane that has nothing left to
//! do lies in the pool. So nobody need wait idly for others, every byte has one writer at a time, and what comes late
//! comes to nobody.
//!
//! Two pure state machines: time is an argument.
//!
//! Owns: when a connection is given up, and that this doesn't go on for ever.
//! Does not own: the clock, the connections ([`crate::segments::lane`]), what others brought
//! ([`crate::segments::spans`]).

use std::time::Duration;

use crate::Segments;

/// Less than this part of what the fastest of the others brought is much less.
const SLOW_PART: u64 = 4;

/// What one lane has borne.
#[derive(Debug)]
pub(crate) struct StallPolicy {
    window: Duration,
    piece_bytes_min: u64,
    /// Bytes fetched since a connection was given up; `None` where none ever was.
    since: Option<u64>,
}

/// How one connection fares.
#[derive(Debug)]
pub(crate) struct SpeedWindow {
    window: Duration,
    begun: Duration,
    bytes: u64,
}

impl StallPolicy {
    /// With connections that may be silent for `read_timeout` otherwise.
    pub(crate) fn new(segments: &Segments, read_timeout: Duration) -> Self {
        let window = segments.stall_timeout.min(read_timeout);
        Self { window, piece_bytes_min: segments.piece_bytes_min, since: None }
    }

    /// How long the next connection may be silent or slow; `None` if it isn't given up for that: the one before was,
    /// and hardly anything has come since. It is the server then, or the line.
    pub(crate) fn window(&self) -> Option<Duration> {
        self.since.is_none_or(|bytes| bytes >= self.piece_bytes_min).then_some(self.window)
    }

    /// So many bytes came.
    pub(crate) fn fetched(&mut self, bytes: u64) {
        self.since.iter_mut().for_each(|since| *since += bytes);
    }

    /// A connection was given up.
    pub(crate) fn gave_up(&mut self) {
        self.since = Some(0);
    }
}

impl SpeedWindow {
    /// Of a connection whose body begins `now`.
    pub(crate) fn new(window: Duration, now: Duration) -> Self {
        Self { window, begun: now, bytes: 0 }
    }

    /// Counts `bytes` that came until `now`. Whether, over a whole window, they were much less than the bytes a second
    /// that `others` brought.
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
        others().is_some_and(|others| rate < others / SLOW_PART)
    }
}

/// Bytes a second.
pub(crate) fn rate(bytes: u64, took: Duration) -> u64 {
    // Floats end at the largest whole number, also where no time has passed.
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
            "never beyond the other"
        );
    }

    #[test]
    fn slow_is_much_slower_than_others_over_a_whole_window() {
        let mut window = SpeedWindow::new(seconds(5), seconds(100));
        assert!(!window.is_slow(seconds(104), 0, || unreachable!("the window isn't over")));
        assert!(!window.is_slow(seconds(105), 124, || None), "nobody has nothing to do");
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
