//! Runs jobs from a source: the same job serially, on many threads, in many processes or on io_uring, with one stream
//! of events.
//!
//! Owns: the order of work, splitting a task into parts and joining them, exactly one report per task, cancellation,
//! measuring where the time goes, the report.
//! Does not own: what a job does (this crate knows no protocol and no format), printing, signals.

#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("haul-engine works on Linux only");

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod choice;
mod config;
mod event;
mod execute;
mod job;
mod processes;
mod room;
mod run;
mod serial;
mod shortage;
mod stall;
mod supervisor;
mod threads;
pub mod wire;

pub use choice::tuner::Change;
pub use choice::{Engine, ParseEngineError};
pub use config::Config;
pub use event::{Event, Fallback, Report, Settled};
pub use haul_io::{Cancel, Io};
pub use job::contract::{Failure, Job, Outcome, Step, TaskId};
pub use job::phases::{Phases, Spread, Spreads};
pub use job::piece::{Piece, PieceKind, Trace, TraceRow};
pub use job::portable::{Portable, Wire, WorkerCommand};
pub use job::source::{Again, Next, Source};
pub use job::waker::{SourceWaker, thread_waker};
pub use processes::handles::Workers;
pub use processes::worker::{WorkError, work};
pub use run::{run, run_portable};
pub use shortage::Shortage;
pub use stall::{Stall, StalledWorker};
pub use threads::thread_pool::{Closing, ThreadPool};
