//! What leaves a run: events, and the report as a fold over them.
//!
//! Owns: the closed list of events; counting.
//! Does not own: showing them.

use std::sync::Arc;
use std::time::Duration;

use crate::choice::Engine;
use crate::job::contract::{Failure, Job, Outcome, TaskId};
use crate::job::phases::{Phases, Spreads};

/// One thing that happened in a run, in order.
pub enum Event<J: Job> {
    /// The run begins; the first event.
    Started {
        /// The engine that runs it.
        engine: Engine,
        /// Why it isn't the one that was asked for.
        fallback: Option<Fallback>,
    },
    /// A task ended: exactly one for each task that the source gave.
    Settled(Settled<J>),
    /// The run is over; the last event.
    Ended {
        /// From the first event to this one.
        wall: Duration,
        /// Whether it was cut short.
        cancelled: bool,
        /// How the time of the tasks was spent.
        spreads: Box<Spreads>,
    },
}

/// An engine that the system refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The engine that was asked for.
    pub asked: Engine,
    /// Why it isn't to be had.
    pub reason: String,
}

/// The end of one task.
pub struct Settled<J: Job> {
    /// Its number.
    pub id: TaskId,
    /// The task itself.
    pub task: Arc<J::Task>,
    /// What came of it.
    pub outcome: Outcome<J>,
    /// Where its time went, summed over its parts.
    pub phases: Phases,
    /// Payload bytes, as the job reported them.
    pub bytes: u64,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The engine that ran it.
    pub engine: Option<Engine>,
    /// Why it isn't the one that was asked for.
    pub fallback: Option<Fallback>,
    /// Tasks that succeeded.
    pub succeeded: u64,
    /// Tasks that failed, those cut short by cancellation not included.
    pub failed: u64,
    /// Tasks cut short by cancellation.
    pub cancelled_tasks: u64,
    /// Payload bytes of the tasks that succeeded.
    pub bytes: u64,
    /// From start to end.
    pub wall: Duration,
    /// Whether the run was cut short.
    pub cancelled: bool,
    /// How the time of the tasks was spent.
    pub spreads: Spreads,
}

impl Report {
    /// Takes one more event into account.
    pub fn record<J: Job>(&mut self, event: &Event<J>) {
        match event {
            Event::Started { engine, fallback } => {
                self.engine = Some(*engine);
                self.fallback = fallback.clone();
            }
            Event::Settled(settled) => match &settled.outcome {
                Ok(_) => {
                    self.succeeded += 1;
                    self.bytes += settled.bytes;
                }
                Err(Failure::Cancelled) => self.cancelled_tasks += 1,
                Err(_) => self.failed += 1,
            },
            Event::Ended { wall, cancelled, spreads } => {
                self.wall = *wall;
                self.cancelled = *cancelled;
                self.spreads = Spreads::clone(spreads);
            }
        }
    }
}
