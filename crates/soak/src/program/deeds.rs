//! What is done to a running program, and when.
//!
//! Owns: the deeds, and choosing a few of them.
//! Does not own: doing them (see `run`).

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use crate::choice::Choice;

/// One deed at its moment.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    pub(crate) at: Duration,
    pub(crate) deed: Deed,
}

/// One disturbance of a run.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// A signal to the program alone.
    Signal(Signal),
    /// A signal to one of its workers, the number modulo their count.
    SignalWorker(usize, Signal),
    /// SIGCONT to the program and all its workers.
    ContinueAll,
    /// The power of the file system mounted here is cut.
    CutPower(PathBuf),
}

/// The kinds of disturbance that a run gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Harm {
    Nothing,
    Kill,
    KillWorkers,
    Stop,
    StopWorkers,
    Interrupt,
    Terminate,
    InterruptTwice,
}

impl Harm {
    pub(crate) const ALL: [Self; 8] = [
        Self::Nothing,
        Self::Kill,
        Self::KillWorkers,
        Self::Stop,
        Self::StopWorkers,
        Self::Interrupt,
        Self::Terminate,
        Self::InterruptTwice,
    ];

    /// The deeds of this harm, sorted by their moments.
    pub(crate) fn deeds(self, choice: &mut Choice) -> Vec<Timed> {
        let at = choice.moment();
        let one = |deed| vec![Timed { at, deed }];
        match self {
            Self::Nothing => Vec::new(),
            Self::Kill => one(Deed::Signal(Signal::KILL)),
            Self::Interrupt => one(Deed::Signal(Signal::INT)),
            Self::Terminate => one(Deed::Signal(Signal::TERM)),
            Self::InterruptTwice => {
                let again = Timed { at: at + choice.moment() / 4, deed: Deed::Signal(Signal::INT) };
                [one(Deed::Signal(Signal::INT)), vec![again]].concat()
            }
            Self::KillWorkers => {
                let kill = |choice: &mut Choice| Timed {
                    at: choice.moment(),
                    deed: Deed::SignalWorker(choice.below(64), Signal::KILL),
                };
                sorted((0..choice.within(1..=6)).map(|_| kill(choice)).collect())
            }
            Self::Stop => {
                let end = Timed { at: at + choice.moment(), deed: Deed::ContinueAll };
                [one(Deed::Signal(Signal::STOP)), vec![end]].concat()
            }
            Self::StopWorkers => {
                let mut deeds = Vec::new();
                for _ in 0..choice.within(1..=3) {
                    let at = choice.moment();
                    deeds.push(Timed { at, deed: Deed::SignalWorker(choice.below(64), Signal::STOP) });
                }
                let end = at + choice.moment() + Duration::from_millis(1_000);
                deeds.push(Timed { at: end, deed: Deed::ContinueAll });
                sorted(deeds)
            }
        }
    }
}

/// `deeds` in the order of their moments.
pub(crate) fn sorted(mut deeds: Vec<Timed>) -> Vec<Timed> {
    deeds.sort_by_key(|timed| timed.at);
    deeds
}
