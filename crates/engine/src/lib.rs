//! Runs jobs from a source: the same job serially or on many workers, with one stream of events.
//!
//! Owns: the order of work, splitting a task into parts and joining them, exactly one report per task,
//! cancellation, the phases of time, the report.
//! Does not own: what a job does (it knows no protocol and no format), printing, signals.

mod choice;
mod crew;
mod event;
mod execute;
mod job;
mod phases;
mod run;
mod supervisor;

pub use choice::{Engine, ParseEngineError};
pub use crew::{Closing, Crew};
pub use event::{Event, Outcome, Report, Settled, TaskId};
pub use job::{Failure, Job, Step};
pub use phases::{Phases, Spread, Spreads};
pub use run::{Config, Next, Source, run};
