//! What limits a run, in one word, from the measured phases of its tasks.
//!
//! The word names the largest phase of the time that tasks spend on a worker. The queue doesn't count: an engine takes
//! tasks ahead of its workers, so waiting there follows from whatever keeps the workers busy.
//!
//! Owns: the word and its explanation.
//! Does not own: measuring phases (the engine does).

use std::time::Duration;

use haul_engine::Phases;

/// The phase in which workers spend most of their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bottleneck {
    Device,
    Executor,
    Compute,
}

impl Bottleneck {
    /// The largest phase and its share of the time on a worker; `None` if no time was measured.
    pub(super) fn of(phases: &Phases) -> Option<(Self, f64)> {
        let candidates = [
            (Self::Device, phases.device),
            (Self::Executor, phases.executor),
            (Self::Compute, phases.compute),
        ];
        let sum: Duration = candidates.iter().map(|(_, time)| *time).sum();
        let (largest, time) = candidates.into_iter().max_by_key(|(_, time)| *time)?;
        (!sum.is_zero()).then(|| (largest, time.as_secs_f64() / sum.as_secs_f64()))
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Executor => "executor",
            Self::Compute => "compute",
        }
    }

    /// What the worker does in this phase.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::Device => "operations of the kernel, a disk or a server take that time",
            Self::Executor => "operations are complete and wait for the ring's thread to resume their tasks",
            Self::Compute => "the job itself computes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_phase_on_a_worker_is_the_bottleneck() {
        let phases = |queue, device, executor, compute| {
            let [queue, device, executor, compute] =
                [queue, device, executor, compute].map(Duration::from_millis);
            Phases { queue, device, executor, compute }
        };
        for (phases, expected) in [
            (phases(900, 6, 1, 3), Some((Bottleneck::Device, 0.6))),
            (phases(0, 1, 8, 1), Some((Bottleneck::Executor, 0.8))),
            (phases(5, 1, 0, 3), Some((Bottleneck::Compute, 0.75))),
            (phases(5, 0, 0, 0), None),
        ] {
            assert_eq!(Bottleneck::of(&phases), expected, "{phases:?}");
        }
    }
}
