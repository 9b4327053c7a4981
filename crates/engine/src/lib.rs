//! Runs jobs from a source: the same job serially, on many threads, in many processes or on io_uring, with one stream of
//! events.
//!
//! Owns: the order of work, splitting a task into parts and joining them, exactly one report per task,
//! cancellation, the phases of time, the report.
//! Does not own: what a job does (it knows no protocol and no format), printing, signals.

mod choice;
mod config;
mod desk;
mod event;
mod execute;
mod job;
mod note;
mod order;
mod phases;
mod pool;
mod portable;
mod processes;
mod rings;
mod run;
mod serial;
mod source;
mod supervisor;
mod thread_pool;
mod threads;
pub mod wire;
mod worker;

pub use choice::{Engine, ParseEngineError};
pub use config::Config;
pub use event::{Event, Fallback, Outcome, Report, Settled, TaskId};
pub use job::{Failure, Job, Step};
pub use phases::{Phases, Spread, Spreads};
pub use portable::{Portable, Wire, WorkerCommand};
pub use run::{run, run_portable};
pub use source::{Again, Next, Source};
pub use thread_pool::{Closing, ThreadPool};
pub use worker::{WorkError, work};
