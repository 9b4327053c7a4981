//! Runs a job on an engine and reports it.
//!
//! Owns: what surrounds a run: signals, the progress line, the resources that it used.
//! Does not own: what is reported ([`crate::report::reporter`]), the engine.

use haul_engine::{Event, Source, Workers};
use haul_io::Cancel;

use super::engine_choice::EngineChoice;
use super::options::RunOptions;
use super::signals::SignalWatch;
use crate::report::describe::{Reportable, Setting};
use crate::report::exit::{Exit, Problem};
use crate::report::progress::Counts;
use crate::report::reporter::Reporter;
use crate::report::stats::Usage;
use crate::report::voice::Voice;

/// Everything but the work: the engine, the options, where messages go.
pub(crate) struct RunContext<'a> {
    pub(crate) choice: &'a EngineChoice,
    pub(crate) options: &'a RunOptions,
    pub(crate) voice: &'a Voice,
}

impl RunContext<'_> {
    /// Runs `job` over `source` and reports it. Calls `on_failed` with each task that failed or was cancelled.
    ///
    /// # Errors
    /// If the run can't be started. Failed tasks are part of the exit code.
    pub(crate) fn run_reporting<J: Reportable>(
        &self,
        job: &J,
        source: impl Source<J::Task>,
        mut on_failed: impl FnMut(&J::Task),
    ) -> Result<Exit, Problem> {
        let cancel = Cancel::new()?;
        let config = self.choice.config(cancel.clone());
        let workers = Workers::default();
        let watch = SignalWatch::with_workers(cancel.clone(), workers.clone())?;
        let counts = Counts::with_bytes(config.progress.clone());
        if self.options.progress {
            self.voice.begin_progress(counts.line());
        }
        let mut reporter = Reporter::new(self.options.report, self.voice);
        let before = Usage::now();
        let setting = Setting { config, workers };
        let report = job.run(source, &setting, |event| {
            if let Event::Stalled(stall) = event {
                reporter.stalled(stall);
            }
            if let Event::Settled(settled) = event {
                watch.look();
                counts.count_task(settled.outcome.is_ok());
                if settled.outcome.is_err() {
                    on_failed(&settled.task);
                }
                reporter.settle(settled);
                if reporter.wants_to_give_up() && !cancel.is_triggered() {
                    reporter.give_up();
                    cancel.trigger();
                }
            }
        });
        drop(watch);
        self.voice.end_progress();
        let usage = Usage::now().since(&before);
        Ok(reporter.end::<J>(&report, self.choice.engine, &self.choice.reason, &usage))
    }
}
