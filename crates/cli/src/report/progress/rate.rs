//! The current speed: over the last seconds, not since the start.
//!
//! Owns: the window.
//! Does not own: the clock, units.

use std::collections::VecDeque;
use std::time::Duration;

/// The length of the window.
const WINDOW: Duration = Duration::from_secs(5);
/// Nothing is said of a shorter time.
const WINDOW_MIN: Duration = Duration::from_millis(400);

/// What was done at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) at: Duration,
    pub(super) bytes: u64,
    pub(super) files: u64,
}

/// Samples of the last seconds. Bounded by the length of the window and the interval of redraws.
#[derive(Debug, Default)]
pub(super) struct Window(VecDeque<Sample>);

impl Window {
    pub(super) fn add(&mut self, sample: Sample) {
        self.0.push_back(sample);
        // One sample at or before the start of the window stays, so that the window is always full.
        while self.0.get(1).is_some_and(|second| second.at + WINDOW <= sample.at) {
            self.0.pop_front();
        }
    }

    /// Bytes per second; `None` in the first moments.
    pub(super) fn bytes_per_second(&self) -> Option<f64> {
        self.per_second(|sample| sample.bytes)
    }

    /// Files per second; `None` in the first moments.
    pub(super) fn files_per_second(&self) -> Option<f64> {
        self.per_second(|sample| sample.files)
    }

    fn per_second(&self, of: impl Fn(&Sample) -> u64) -> Option<f64> {
        let (first, last) = (self.0.front()?, self.0.back()?);
        let time = last.at.saturating_sub(first.at);
        let more = of(last).saturating_sub(of(first));
        (time >= WINDOW_MIN).then(|| more as f64 / time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_seconds_count() {
        let mut window = Window::default();
        let mut rates = Vec::new();
        // 100 bytes a second for 20 seconds, then a tenth of it, then nothing.
        let mut bytes = 0;
        for tick in 0..300_u64 {
            let more = if tick < 100 {
                20
            } else if tick < 200 {
                2
            } else {
                0
            };
            window.add(Sample { at: Duration::from_millis(200 * tick), bytes, files: tick });
            bytes += more;
            rates.push(window.bytes_per_second().map(|rate| rate.round() as u64));
        }
        assert_eq!(&rates[..3], [None, None, Some(100)]);
        assert_eq!((rates[90], rates[130], rates[199], rates[230]), (Some(100), Some(10), Some(10), Some(0)));
        assert_eq!(window.files_per_second(), Some(5.0));
        assert!(window.0.len() <= 27, "{}", window.0.len());
    }
}
