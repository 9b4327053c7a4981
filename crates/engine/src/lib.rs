//! Runs jobs from a source: the same job serially, on many threads or on io_uring, with one stream of events.
//!
//! Owns: the order of work, splitting a task into parts and joining them, exactly one report per task,
//! cancellation, the phases of time, the report.
//! Does not own: what a job does (it knows no protocol and no format), printing, signals.

mod choice;
mod config;
mod crew;
mod desk;
mod event;
mod execute;
mod job;
mod phases;
mod rings;
mod run;
mod serial;
mod source;
mod supervisor;
mod threads;

pub use choice::{Engine, ParseEngineError};
pub use config::Config;
pub use crew::{Closing, Crew};
pub use event::{Event, Fallback, Outcome, Report, Settled, TaskId};
pub use job::{Failure, Job, Step};
pub use phases::{Phases, Spread, Spreads};
pub use run::run;
pub use source::{Again, Next, Source};
