//! What follows a comparison while it goes on: the progress, and the trace if there is one.
//!
//! Owns: announcing each run, its place in the trace.
//! Does not own: the form of either ([`crate::report::progress`], [`crate::report::trace`]).

use std::path::Path;
use std::time::Instant;

use haul_engine::Trace;

use crate::report::exit::Problem;
use crate::report::progress::{Progress, ProgressEvent};
use crate::report::trace::TraceFile;

/// The row of the trace that has the runs.
const RUNS: &str = "runs";

/// Follows a comparison.
pub(super) struct Watch {
    progress: Progress,
    trace: Option<TraceFile>,
}

impl Watch {
    pub(super) fn start(progress: &Progress, trace: Option<&Path>) -> Result<Self, Problem> {
        Ok(Self { progress: progress.clone(), trace: trace.map(TraceFile::create).transpose()? })
    }

    /// Announces the number of runs.
    pub(super) fn expect(&self, runs: usize) {
        self.progress.tell(ProgressEvent::Total(runs as u64));
    }

    /// Carries out one run.
    pub(super) fn run<T, E>(&self, name: &str, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.progress.tell(ProgressEvent::Stage(name.to_owned()));
        let began = Instant::now();
        let result = run()?;
        if let Some(trace) = &self.trace {
            trace.add_span(RUNS, name, began);
        }
        self.progress.tell(ProgressEvent::Ended { succeeded: true, length: None, bytes: 0 });
        Ok(result)
    }

    /// An observer of a run of `engine` that starts now.
    pub(super) fn observer(&self, engine: &str) -> Option<Trace> {
        self.trace.as_ref().map(|trace| trace.observer(engine))
    }

    /// Completes the trace.
    pub(super) fn finish(self) -> Result<(), Problem> {
        self.trace.map_or(Ok(()), TraceFile::finish)
    }
}
