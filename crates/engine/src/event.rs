//! The output of a run: events, and the report as a fold over them.
//!
//! Owns: the closed list of events; counting.
//! Does not own: showing them.

use std::sync::Arc;
use std::time::Duration;

use crate::choice::Engine;
use crate::choice::tuner::Change;
use crate::job::contract::{Failure, Job, Outcome, TaskId};
use crate::job::phases::{Phases, Spreads};
use crate::shortage::Shortage;
use crate::stall::Stall;

/// Something that happened in a run. Events arrive in order.
#[non_exhaustive]
pub enum Event<J: Job> {
    /// The run has started. The first event.
    Started {
        /// The engine that runs it.
        engine: Engine,
        /// Set if it is not the configured engine.
        fallback: Option<Fallback>,
    },
    /// A task has ended. Exactly one such event for each task that was taken from the source.
    Settled(Settled<J>),
    /// A worker has made no progress with a task for [`Config::stalled_after`](crate::Config). At most a few such
    /// events for each run; none of the serial engine, whose only thread is the one that calls back.
    Stalled(Stall<J>),
    /// The run has ended. The last event.
    Ended {
        /// Wall-clock time since the start of the run.
        wall: Duration,
        /// Whether the run was cancelled.
        cancelled: bool,
        /// The distributions of the times of all pieces of work.
        spreads: Box<Spreads>,
        /// What the system refused the run, which went on without it.
        shortages: Vec<Shortage>,
        /// Changes to engines that turned out faster.
        changes: Vec<Change>,
    },
}

/// The system has refused the configured engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The configured engine.
    pub asked: Engine,
    /// Why it is unavailable, as a fragment.
    pub reason: String,
}

/// The end of one task.
pub struct Settled<J: Job> {
    /// The task's number.
    pub id: TaskId,
    /// The task itself.
    pub task: Arc<J::Task>,
    /// How it ended.
    pub outcome: Outcome<J>,
    /// Its times, summed over its parts and attempts.
    pub phases: Phases,
    /// Payload bytes, as the job reported them.
    pub bytes: u64,
}

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The engine that began to run the tasks; `None` before the first event.
    pub engine: Option<Engine>,
    /// Set if it is not the configured engine.
    pub fallback: Option<Fallback>,
    /// Number of tasks that succeeded.
    pub succeeded: u64,
    /// Number of tasks that failed, without the cancelled ones.
    pub failed: u64,
    /// Number of tasks that ended because the run was cancelled.
    pub cancelled_tasks: u64,
    /// How often a worker was reported to make no progress with a task.
    pub stalls: u64,
    /// Payload bytes of the tasks that succeeded.
    pub bytes: u64,
    /// Wall-clock time from start to end.
    pub wall: Duration,
    /// Whether the run was cancelled.
    pub cancelled: bool,
    /// The distributions of the times of all pieces of work.
    pub spreads: Spreads,
    /// What the system refused the run, which went on without it.
    pub shortages: Vec<Shortage>,
    /// Changes to engines that turned out faster, in their order: see [`Config::adapts`](crate::Config).
    pub changes: Vec<Change>,
}

impl Report {
    /// Adds one event.
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
            Event::Stalled(_) => self.stalls += 1,
            Event::Ended { wall, cancelled, spreads, shortages, changes } => {
                self.wall = *wall;
                self.cancelled = *cancelled;
                self.spreads = Spreads::clone(spreads);
                self.shortages.clone_from(shortages);
                self.changes.clone_from(changes);
            }
        }
    }
}
