//! Finds a better engine while a long run goes on, by trying others for a moment.
//!
//! A run is divided into shifts. After a first one, shifts of the present engine and of another take turns; where the
//! other does more than both shifts around it, it becomes the present one. A long shift follows, then the search begins
//! again. Between two shifts no task is begun until those that were begun have ended.
//!
//! Owns: which engine works next and for how long, judging what was measured.
//! Does not own: measuring, running ([`crate::run`]).

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::choice::Engine;

/// How long another engine is tried, and the present one before and after it.
pub(crate) const TRIAL: Duration = Duration::from_secs(1);
/// The first shift, in trials. A run that is over by then is too short to gain anything.
const FIRST_TRIALS: u32 = 3;
/// How long the best engine works until others are tried again, in trials. After each search that found no better one,
/// twice as long.
const LONG_TRIALS: u32 = 60;
const LONG_TRIALS_MAX: u32 = 16 * 60;
/// Another engine replaces the present one if it does this much more: less may be chance.
const GAIN_MIN: f64 = 1.1;
/// Threads that are tried at most.
const THREADS_MAX: usize = 64;

/// A change to an engine that turned out faster.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The engine before.
    pub from: Engine,
    /// The engine from then on.
    pub to: Engine,
    /// When it was changed, from the start of the run.
    pub after: Duration,
    /// How many times as much the new engine did in the same time: at least 1.1.
    pub gain: f64,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, after, gain } = self;
        write!(f, "{to} instead of {from} after {:.0} s, {gain:.1} times as fast", after.as_secs_f64())
    }
}

/// Chooses engines by what they did.
pub(crate) struct Tuner {
    present: Engine,
    /// The number of cores, each of which would have a ring.
    cores: NonZeroUsize,
    /// Engines that are to be tried.
    others: VecDeque<Engine>,
    state: State,
    /// The length of a trial.
    trial: Duration,
    /// The next long shift, in trials.
    long_trials: u32,
    has_changed: bool,
}

/// What is being measured.
enum State {
    First,
    /// The present engine, before a trial.
    Before,
    /// Another engine; what the present one did before.
    Trial {
        before: f64,
    },
    /// The present engine again, after a trial of `other`.
    After {
        before: f64,
        trial: f64,
        other: Engine,
    },
    Long,
}

impl Tuner {
    pub(crate) fn new(present: Engine, cores: NonZeroUsize, trial: Duration) -> Self {
        let (others, state, long_trials) = (VecDeque::new(), State::First, LONG_TRIALS);
        Self { present, cores, others, state, trial, long_trials, has_changed: false }
    }

    /// The engine of the next shift, and its length.
    pub(crate) fn shift(&self) -> (Engine, Duration) {
        match self.state {
            State::First => (self.present, FIRST_TRIALS * self.trial),
            State::Before | State::After { .. } => (self.present, self.trial),
            State::Trial { .. } => (self.others.front().copied().unwrap_or(self.present), self.trial),
            State::Long => (self.present, self.long_trials * self.trial),
        }
    }

    /// Takes what the last shift did in a second. Returns the gain and the engine before, if it made the run change.
    pub(crate) fn did(&mut self, rate: f64) -> Option<(Engine, f64)> {
        match self.state {
            State::First | State::Long => {
                self.others = neighbours(self.present, self.cores).into();
                self.has_changed = false;
                self.state = if self.others.is_empty() { State::Long } else { State::Before };
                None
            }
            State::Before => {
                self.state = State::Trial { before: rate };
                None
            }
            State::Trial { before } => {
                let other = self.others.pop_front().unwrap_or(self.present);
                self.state = State::After { before, trial: rate, other };
                None
            }
            State::After { before, trial, other } => self.judge(before.max(rate), trial, other, rate),
        }
    }

    fn judge(&mut self, own: f64, trial: f64, other: Engine, latest: f64) -> Option<(Engine, f64)> {
        let gain = if own > 0.0 { trial / own } else { 0.0 };
        let change = (gain >= GAIN_MIN).then_some((self.present, gain));
        if change.is_some() {
            self.present = other;
            self.has_changed = true;
        }
        self.state = match (self.others.is_empty(), change) {
            (false, None) => State::Trial { before: latest },
            (false, Some(_)) => State::Before,
            (true, _) => {
                let doubled = (2 * self.long_trials).min(LONG_TRIALS_MAX);
                self.long_trials = if self.has_changed { LONG_TRIALS } else { doubled };
                State::Long
            }
        };
        change
    }
}

/// The engines to try instead of `engine`: fewer and more workers, a ring or threads.
fn neighbours(engine: Engine, cores: NonZeroUsize) -> Vec<Engine> {
    let threads = |count: usize| NonZeroUsize::new(count.min(THREADS_MAX)).map(Engine::Threads);
    let ring = |depth: usize| NonZeroUsize::new(depth).map(|depth| Engine::Uring { rings: cores, depth });
    let others = match engine {
        Engine::Serial => vec![threads(2), threads(4)],
        Engine::Threads(count) => {
            let few = if count.get() == 1 { None } else { threads(count.get() / 2) };
            vec![threads(2 * count.get()), few, ring(Engine::DEPTH_DEFAULT.get())]
        }
        Engine::Uring { depth, .. } => {
            vec![threads(8 * cores.get()), threads(cores.get()), ring(depth.get() / 4)]
        }
        Engine::Processes(_) | Engine::Hybrid { .. } => Vec::new(),
    };
    others.into_iter().flatten().filter(|other| *other != engine).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    /// Runs for `seconds`, in which each engine does as much a second as `speed` says. Returns the changes.
    fn changes(first: Engine, seconds: u64, mut speed: impl FnMut(Engine) -> f64) -> Vec<(Engine, u64)> {
        let mut tuner = Tuner::new(first, number(2), TRIAL);
        let (mut at, mut changes) = (0, Vec::new());
        while at < seconds {
            let (engine, length) = tuner.shift();
            at += length.as_secs();
            if let Some((from, gain)) = tuner.did(speed(engine)) {
                assert!(gain >= 1.1 && from != tuner.present);
                changes.push((tuner.present, at));
            }
        }
        changes
    }

    #[test]
    fn a_run_changes_to_what_is_faster_and_stays_there() {
        let (two, four, eight) = (number(2), number(4), number(8));
        let threads_help = |engine: Engine| match engine {
            Engine::Threads(count) => count.get().min(8) as f64,
            _ => 1.0,
        };
        let found = changes(Engine::Threads(two), 600, threads_help);
        let engines: Vec<_> = found.iter().map(|(engine, _)| *engine).collect();
        assert_eq!(engines, [Engine::Threads(four), Engine::Threads(eight)]);
        assert!(found[0].1 < 10 && found[1].1 < 90, "{found:?}");
        let ring = Engine::Uring { rings: two, depth: Engine::DEPTH_DEFAULT };
        let ring_helps = |engine: Engine| if engine == ring { 5.0 } else { 1.0 };
        assert_eq!(changes(Engine::Threads(two), 600, ring_helps), [(ring, 10)]);
        let threads_are_better =
            |engine: Engine| if engine == Engine::Threads(number(16)) { 2.0 } else { 1.0 };
        assert_eq!(changes(ring, 600, threads_are_better), [(Engine::Threads(number(16)), 6)]);
        assert_eq!(changes(Engine::Serial, 60, |engine| engine.in_flight_max() as f64).len(), 2);
    }

    #[test]
    fn what_may_be_chance_changes_nothing() {
        // The load changes by itself, in steps and steadily.
        let mut step = 0;
        let steps = |_| {
            step += 1;
            1.0 + f64::from(step / 4 % 2)
        };
        assert_eq!(changes(Engine::Threads(number(2)), 60, steps), []);
        let mut rising = 1.0;
        assert_eq!(
            changes(Engine::Threads(number(2)), 600, |_| {
                rising *= 1.05;
                rising
            }),
            []
        );
        let slightly = |engine: Engine| if engine == Engine::Threads(number(4)) { 1.09 } else { 1.0 };
        assert_eq!(changes(Engine::Threads(number(2)), 600, slightly), []);
        assert_eq!(changes(Engine::Threads(number(2)), 600, |_| 0.0), []);
    }

    #[test]
    fn trials_take_little_of_a_long_run() {
        let mut tuner = Tuner::new(Engine::Threads(number(2)), number(2), TRIAL);
        let (mut all, mut others) = (Duration::ZERO, Duration::ZERO);
        while all < Duration::from_secs(3_600) {
            let (engine, length) = tuner.shift();
            all += length;
            others += if engine == tuner.present { Duration::ZERO } else { length };
            tuner.did(1.0);
        }
        assert!(others.as_secs() <= 20, "{others:?} of an hour");
        for engine in
            [Engine::Processes(number(2)), Engine::Hybrid { processes: number(2), threads: number(2) }]
        {
            assert!(neighbours(engine, number(2)).is_empty());
        }
        assert_eq!(neighbours(Engine::Threads(number(64)), number(2)).len(), 2);
    }
}
