//! The speed of transfers: an upper limit on all of them together, a lower limit on each.
//!
//! Owns: the shares of a limited rate, the measurement of slowness.
//! Does not own: receiving ([`crate::transfer::receive`]), the clock: each transfer uses that of its own worker.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::Error;

/// Divides a limited rate equally among the active transfers. Each keeps to its share by its own clock; no common clock
/// is needed.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// Bytes per second, over all transfers.
    rate_max: Option<u64>,
    active: AtomicUsize,
}

/// The share that one transfer has of a limited rate. It is returned when this is dropped.
#[derive(Debug)]
pub(crate) struct Share<'a> {
    throttle: &'a Throttle,
    /// When the next byte may be received.
    next: Duration,
}

/// Measures how slowly one body arrives. Only time spent waiting for the server counts.
#[derive(Debug)]
pub(crate) struct Slowness {
    /// Bytes per second, and the time over which they are measured.
    limit: Option<(u64, Duration)>,
    waited: Duration,
    bytes: u64,
}

impl Throttle {
    pub(crate) fn new(rate_max: Option<u64>) -> Self {
        Self { rate_max, active: AtomicUsize::new(0) }
    }

    /// A share, from `now` on.
    pub(crate) fn share(&self, now: Duration) -> Share<'_> {
        self.active.fetch_add(1, Ordering::Relaxed);
        Share { throttle: self, next: now }
    }
}

impl Share<'_> {
    /// How long to pause at `now`, after `bytes` were received.
    pub(crate) fn pause(&mut self, now: Duration, bytes: usize) -> Duration {
        let Some(rate_max) = self.throttle.rate_max else { return Duration::ZERO };
        let transfers = self.throttle.active.load(Ordering::Relaxed).max(1);
        let seconds = bytes as f64 * transfers as f64 / rate_max.max(1) as f64;
        self.next = self.next.max(now) + Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4);
        self.next - now
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.throttle.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slowness {
    /// Fewer than `rate_min` bytes per second over `window` are an error.
    pub(crate) fn new(rate_min: Option<u64>, window: Duration) -> Self {
        let limit = rate_min.map(|rate_min| (rate_min, window));
        Self { limit, waited: Duration::ZERO, bytes: 0 }
    }

    /// How long to wait for bytes before [`Slowness::measure`] must be called again.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.limit.map(|(_, window)| window.saturating_sub(self.waited))
    }

    /// Counts `bytes` that arrived within `waited`.
    pub(crate) fn measure(&mut self, waited: Duration, bytes: usize) -> Result<(), Error> {
        let Some((rate_min, window)) = self.limit else { return Ok(()) };
        self.waited += waited;
        self.bytes += bytes as u64;
        if self.waited < window {
            return Ok(());
        }
        if (self.bytes as f64) < rate_min as f64 * self.waited.as_secs_f64() {
            return Err(Error::TooSlow { rate_min });
        }
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_rate_is_shared_by_those_under_way() {
        let throttle = Throttle::new(Some(1_000));
        let mut one = throttle.share(seconds(5));
        assert_eq!(one.pause(seconds(5), 2_000), seconds(2));
        assert_eq!(one.pause(seconds(7), 1_000), seconds(1), "the time that was paused is not owed");
        let mut other = throttle.share(seconds(7));
        assert_eq!(other.pause(seconds(7), 1_000), seconds(2));
        assert_eq!(one.pause(seconds(8), 1_000), seconds(2));
        drop(other);
        assert_eq!(one.pause(seconds(20), 1_000), seconds(1), "what was not taken is not saved up");
        assert_eq!(one.pause(seconds(20), 1_000), seconds(2), "what was taken too early is waited for");
        let unlimited = Throttle::default();
        assert_eq!(unlimited.share(seconds(1)).pause(seconds(1), usize::MAX), seconds(0));
    }

    #[test]
    fn slowness_is_measured_over_whole_windows_of_waiting() {
        let mut slowness = Slowness::new(Some(100), seconds(30));
        assert_eq!(slowness.time_left(), Some(seconds(30)));
        slowness.measure(seconds(29), 1).unwrap();
        assert_eq!(slowness.time_left(), Some(seconds(1)));
        slowness.measure(seconds(1), 2_999).unwrap();
        assert_eq!(slowness.time_left(), Some(seconds(30)), "a window that was fast enough is over");
        slowness.measure(seconds(0), 1_000_000).unwrap();
        slowness.measure(seconds(30), 0).unwrap();
        let too_slow = slowness.measure(seconds(30), 2_999);
        assert!(matches!(too_slow, Err(Error::TooSlow { rate_min: 100 })));
        let mut unmeasured = Slowness::new(None, seconds(30));
        assert_eq!(unmeasured.time_left(), None);
        unmeasured.measure(seconds(1_000), 0).unwrap();
    }
}
