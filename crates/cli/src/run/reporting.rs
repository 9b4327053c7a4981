//! Runs a job on an engine and reports it.
//!
//! Owns: what surrounds a run: signals, the progress, the resources that it used.
//! Does not own: what is reported ([`crate::report::reporter`]), the engine.

use haul_engine::{Config, Event, Report, Settled, Source, Workers};
use haul_io::Cancel;

use super::engine_choice::EngineChoice;
use super::options::RunOptions;
use super::signals::SignalWatch;
use crate::report::describe::{Reportable, Setting, Subject};
use crate::report::ending::{Ending, Rest};
use crate::report::exit::{Exit, Problem};
use crate::report::progress::{Counted, Progress, ProgressEvent};
use crate::report::reporter::Reporter;
use crate::report::stats::Usage;
use crate::report::trace::TraceFile;
use crate::report::voice::Voice;

/// Everything but the work: the engine, the options, where messages go.
pub(crate) struct RunContext<'a> {
    pub(crate) choice: &'a EngineChoice,
    pub(crate) options: &'a RunOptions,
    pub(crate) progress: Progress,
    pub(crate) voice: &'a Voice,
    /// Ends the run. Signals trigger it.
    pub(crate) cancel: Cancel,
}

/// What a run came to.
struct Ran<'a> {
    report: Report,
    reporter: Reporter<'a>,
    usage: Usage,
    traced: Result<(), Problem>,
}

impl RunContext<'_> {
    /// Runs `job` over `source` and reports it. Calls `on_settled` with each task that ended, and `on_undone` with each
    /// that failed or was cancelled. After a run that ended early, `rest` takes the tasks out of the source that were
    /// never begun, for `on_undone` too.
    ///
    /// # Errors
    /// If the run can't be started. Failed tasks are part of the exit code.
    pub(crate) fn run_reporting<J: Reportable, S: Source<J::Task>>(
        &self,
        job: &J,
        mut source: S,
        mut on_settled: impl FnMut(&Settled<J>),
        mut on_undone: impl FnMut(&J::Task),
        rest: impl FnOnce(&mut S, &mut dyn FnMut(&J::Task)) -> Rest,
    ) -> Result<Exit, Problem> {
        let ran = self.run_any(job, &mut source, &mut on_settled, &mut on_undone)?;
        let (has_found_all, retries) = self.progress.outcome();
        let rest = if !ran.report.cancelled {
            Rest::default()
        } else if has_found_all {
            Rest { is_all: true, ..rest(&mut source, &mut on_undone) }
        } else {
            rest(&mut source, &mut on_undone)
        };
        let ending = Ending {
            report: &ran.report,
            chosen: self.choice.engine,
            reason: &self.choice.reason,
            usage: &ran.usage,
            retries,
            rest,
        };
        let exit = ran.reporter.end::<J>(&ending);
        // The caller completes its other files, whatever became of the trace.
        Ok(ran.traced.map_or_else(|problem| exit.max(self.report(&problem)), |()| exit))
    }

    /// As [`RunContext::run_reporting`], up to the last task.
    fn run_any<J: Reportable>(
        &self,
        job: &J,
        source: &mut dyn Source<J::Task>,
        on_settled: &mut dyn FnMut(&Settled<J>),
        on_undone: &mut dyn FnMut(&J::Task),
    ) -> Result<Ran<'_>, Problem> {
        let cancel = self.cancel.clone();
        let config = self.choice.config(cancel.clone());
        let stalled_after = self.options.stalled_after.unwrap_or(config.stalled_after);
        let trace_file = self.options.trace.as_deref().map(TraceFile::create).transpose()?;
        let trace = trace_file.as_ref().map(|file| file.observer(""));
        let config = Config { progress: self.progress.bytes().clone(), stalled_after, trace, ..config };
        let workers = Workers::default();
        let watch = SignalWatch::with_workers(cancel.clone(), workers.clone())?;
        self.progress.set_in_flight_max(config.engine.in_flight_max());
        self.voice.begin_progress(&self.progress, self.options.progress);
        let mut counted = Counted::new(source, self.progress.clone());
        let mut reporter = Reporter::new(self.options.report, self.voice);
        let before = Usage::now();
        let setting = Setting { config, workers };
        let report = job.run(&mut counted, &setting, &mut |event| {
            if let Event::Stalled(stall) = event {
                reporter.stalled(stall);
            }
            if let Event::Settled(settled) = event {
                watch.look();
                if settled.task.is_file() {
                    let succeeded = settled.outcome.is_ok();
                    let (length, bytes) = (settled.task.bytes(), settled.bytes);
                    self.progress.tell(ProgressEvent::Ended { succeeded, length, bytes });
                }
                on_settled(settled);
                if settled.outcome.is_err() {
                    on_undone(&settled.task);
                }
                reporter.settle(job, settled);
                if reporter.wants_to_give_up() && !cancel.is_triggered() {
                    reporter.give_up();
                    cancel.trigger();
                }
            }
        });
        drop(watch);
        self.voice.end_progress();
        let usage = Usage::now().since(&before);
        let traced = trace_file.map_or(Ok(()), TraceFile::finish);
        Ok(Ran { report, reporter, usage, traced })
    }

    fn report(&self, problem: &Problem) -> Exit {
        self.voice.error(&problem.message);
        problem.exit
    }
}
