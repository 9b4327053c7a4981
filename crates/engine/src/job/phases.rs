//! The times of a task, by phase.
//!
//! Owns: the four phases and their distributions.
//! Does not own: measuring the times (the engines and `Io` do).

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The time of one task, in four phases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// From queuing to the start on a worker.
    pub queue: Duration,
    /// From the submission of operations to their completion.
    pub device: Duration,
    /// From the completion of operations to the resumption of the job.
    pub executor: Duration,
    /// The remaining time: computing.
    pub compute: Duration,
}

impl Phases {
    /// Adds the times of another piece of the same task.
    pub fn add(&mut self, other: &Phases) {
        self.queue += other.queue;
        self.device += other.device;
        self.executor += other.executor;
        self.compute += other.compute;
    }
}

/// The distribution of one phase over all pieces of work of a run. Precision: two significant digits.
#[derive(Clone, Debug)]
pub struct Spread(Histogram<u64>);

/// The longest time that a [`Spread`] distinguishes: an hour.
const LONGEST: Duration = Duration::from_secs(3_600);

impl Default for Spread {
    fn default() -> Self {
        let longest = LONGEST.as_nanos() as u64;
        Self(Histogram::new_with_max(longest, 2).expect("constant bounds that the histogram accepts"))
    }
}

impl Spread {
    /// Records one time; one of more than an hour counts as an hour.
    pub fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds the times of another distribution.
    pub fn merge(&mut self, other: &Spread) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// The number of times recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time at or below which the fraction `quantile` (0 to 1) of all times lies.
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(quantile))
    }

    /// The longest time.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }
}

/// The distributions of the four phases.
#[derive(Clone, Debug, Default)]
pub struct Spreads {
    /// See [`Phases::queue`].
    pub queue: Spread,
    /// See [`Phases::device`].
    pub device: Spread,
    /// See [`Phases::executor`].
    pub executor: Spread,
    /// See [`Phases::compute`].
    pub compute: Spread,
}

impl Spreads {
    /// Records the times of one piece of work.
    pub fn record(&mut self, phases: &Phases) {
        self.queue.record(phases.queue);
        self.device.record(phases.device);
        self.executor.record(phases.executor);
        self.compute.record(phases.compute);
    }

    /// Adds the times that another worker recorded.
    pub fn merge(&mut self, other: &Spreads) {
        self.queue.merge(&other.queue);
        self.device.merge(&other.device);
        self.executor.merge(&other.executor);
        self.compute.merge(&other.compute);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_merge_and_keep_two_digits() {
        let (mut a, mut b) = (Spread::default(), Spread::default());
        a.record(Duration::from_micros(100));
        b.record(Duration::from_micros(900));
        b.record(Duration::MAX);
        a.merge(&b);
        assert_eq!(a.count(), 3);
        let median = a.quantile(0.5).as_micros();
        assert!((891..=909).contains(&median), "{median}");
        assert!(a.max() >= LONGEST, "a time beyond the longest counts as the longest");
    }
}
