//! Reports a run of tasks: turns its events into messages, JSON lines and the exit code.
//!
//! Owns: the order and the form of what is reported, when a run is to be given up.
//! Does not own: running ([`crate::run::reporting`]), words about a particular job ([`super::describe`]).

use std::borrow::Cow;
use std::ffi::OsString;
use std::num::NonZeroUsize;

use haul_engine::{Failure, Phases, Settled, Stall, StalledWorker};
use haul_io::Shortfalls;
use serde_json::{Map, Value, json};

use super::describe::{DescribeFailure, DescribeOutput, Reportable, Subject};
use super::ending::{Counts, Ending, Groups};
use super::exit::Exit;
use super::record::{self, FailureRecord, RunRecord, TaskRecord};
use super::shortfalls;
use super::stats;
use super::text::{name_members, quoted};
use super::voice::Voice;

/// What is reported of a run, apart from messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReportOptions {
    /// Print where the time went.
    pub(crate) stats: bool,
    /// Print JSON lines.
    pub(crate) json: bool,
    /// Give up at the first failed task.
    pub(crate) fail_fast: bool,
    /// The number of cores that `stats` relates processor time to.
    pub(crate) cores: NonZeroUsize,
}

/// Reports one run.
pub(crate) struct Reporter<'a> {
    options: ReportOptions,
    voice: &'a Voice,
    exit: Exit,
    counts: Counts,
    /// The line about the file that succeeded first, in case it is the only one.
    only: Option<String>,
    /// Equal failures, which aren't all reported one by one.
    groups: Groups,
    /// The last hint. The same hint isn't repeated for every task.
    last_hint: Option<Cow<'static, str>>,
    /// What was said about file systems.
    shortfalls: Shortfalls,
    /// The program itself ended the run early, not a signal.
    gave_up: bool,
    /// The reader of stdout closed its pipe. This ends the run without a message.
    unread: bool,
    failed_fast: bool,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(options: ReportOptions, voice: &'a Voice) -> Self {
        Self {
            options,
            voice,
            exit: Exit::Success,
            counts: Counts::default(),
            only: None,
            groups: Groups::default(),
            last_hint: None,
            shortfalls: Shortfalls::default(),
            gave_up: false,
            unread: false,
            failed_fast: false,
        }
    }

    /// Reports the end of a task.
    pub(crate) fn settle<J: Reportable>(&mut self, job: &J, settled: &Settled<J>) {
        let subject = settled.task.subject();
        match &settled.outcome {
            Ok(output) => {
                self.counts.skipped += u64::from(output.is_skipped());
                self.counts.unchanged += u64::from(output.is_unchanged());
                if settled.task.is_file() {
                    self.counts.succeeded += 1;
                    if self.counts.succeeded == 1 {
                        let detail = output.detail_of_only(&settled.task);
                        self.only = detail.map(|detail| format!("{} {detail}", quoted(&subject)));
                    }
                }
                shortfalls::warn(self.voice, &mut self.shortfalls, output.shortfalls());
                if let Some(remark) = output.remark() {
                    self.voice.note(format!("{} {remark}", quoted(&subject)));
                } else if self.voice.tells_details()
                    && let Some(detail) = output.detail(&settled.task)
                {
                    self.voice.detail(format!("{} {detail}", quoted(&subject)));
                }
            }
            Err(failure) => {
                if matches!(failure, Failure::Cancelled) {
                    let phases = &settled.phases;
                    let has_worked = *phases != Phases { queue: phases.queue, ..Phases::default() };
                    let was_begun = settled.task.was_begun().unwrap_or(has_worked);
                    self.counts.cancel(was_begun, settled.task.is_kept());
                }
                self.failed_fast |= self.options.fail_fast && !matches!(failure, Failure::Cancelled);
                self.fail(job, settled, failure);
            }
        }
        if self.options.json {
            self.unread |= !self.voice.data(record_of(job, settled, subject.into_owned()).into_json());
        }
    }

    /// Reports that a worker makes no progress.
    pub(crate) fn stalled<J: Reportable>(&mut self, stall: &Stall<J>) {
        let (subject, time) = (stall.task.subject(), stall.time.as_secs());
        self.voice.warning(format!(
            "{} has made no progress with {} for {time} s",
            stall.worker,
            quoted(&subject)
        ));
        if self.options.json {
            let (kind, number) = match stall.worker {
                StalledWorker::Process(pid) => ("process", pid),
                StalledWorker::Thread(tid) => ("thread", tid),
            };
            let mut event = json!({ "event": "stalled", "task": stall.id.0, kind: number, "seconds": time });
            if let Value::Object(members) = &mut event {
                members.extend(name_members("subject", &subject));
            }
            self.unread |= !self.voice.data(event);
        }
    }

    /// Whether the run should end early. The caller cancels it.
    pub(crate) fn wants_to_give_up(&self) -> bool {
        self.unread || self.failed_fast
    }

    /// Notes that the program, not a signal, cancels the run.
    pub(crate) fn give_up(&mut self) {
        self.gave_up = true;
    }

    fn fail<J: Reportable>(&mut self, job: &J, settled: &Settled<J>, failure: &Failure<J::Error>) {
        let Explanation { exit, group, message, hint, .. } = explain(job, &settled.task, failure);
        if !matches!(failure, Failure::Cancelled) {
            self.exit = self.exit.max(exit);
        }
        let unread = matches!(failure, Failure::Job(error) if error.is_unread());
        self.unread |= unread;
        if !matches!(failure, Failure::Cancelled) && !unread {
            if !self.groups.is_news(&group) && !self.voice.tells_details() {
                return;
            }
            let subject = settled.task.subject();
            self.voice.error(format!("cannot {} {}: {message}", J::VERB, quoted(&subject)));
        }
        if let Some(hint) = hint.filter(|hint| self.last_hint.as_ref() != Some(hint)) {
            self.voice.hint(&hint);
            self.last_hint = Some(hint);
        }
    }

    /// Reports the outcome of the run.
    pub(crate) fn end<J: Reportable>(self, ending: &Ending<'_>) -> Exit {
        let report = ending.report;
        let is_interrupted = report.cancelled && !self.gave_up;
        let is_empty = J::NEEDS_TASKS && report.succeeded + report.failed + report.cancelled_tasks == 0;
        let exit = match self.exit {
            _ if is_interrupted => Exit::Interrupted,
            // Without that, the tasks weren't this program's any more.
            exit if is_empty || report.cancelled && report.cancelled_tasks > 0 => exit.max(Exit::Failed),
            exit => exit,
        };
        if self.unread {
            return exit;
        }
        if !self.voice.tells_details() {
            self.groups.others().for_each(|(message, count)| {
                self.voice.error(format!("cannot {} {count} others: {message}", J::VERB));
            });
        }
        self.say_end::<J>(ending);
        if self.options.stats {
            self.voice.talk(&stats::table(report, ending.usage, self.options.cores));
        }
        if self.options.json {
            let record = RunRecord {
                engine: ending.engine(),
                engine_reason: &ending.engine_reason(),
                shortages: &report.shortages,
                changes: &report.changes,
                succeeded: report.succeeded - self.counts.skipped,
                failed: report.failed,
                unchanged: self.counts.unchanged,
                skipped: self.counts.skipped,
                cancelled_tasks: report.cancelled_tasks,
                interrupted: is_interrupted,
                bytes: report.bytes,
                wall: report.wall,
                usage: *ending.usage,
                exit,
            };
            self.voice.data(record.to_json());
        }
        exit
    }

    /// One file: where it went. Several, or an early end: what became of them.
    fn say_end<J: Reportable>(&self, ending: &Ending<'_>) {
        let (report, tells_details) = (ending.report, self.voice.tells_details());
        if J::WARNS_WITHOUT_TASKS && report.succeeded + report.failed == 0 && !report.cancelled {
            self.voice.warning(format!("there is nothing to {}", J::VERB));
        }
        let files = self.counts.succeeded + report.failed;
        // An engine that isn't the one that was chosen, or that lacks something, is worth knowing in any case.
        let is_as_chosen = report.fallback.is_none() && report.shortages.is_empty();
        if report.cancelled || files > 1 || (files > 0 && (tells_details || !is_as_chosen)) {
            let end = match (report.cancelled, self.gave_up) {
                (true, true) => "given up: ",
                (true, false) => "interrupted: ",
                (false, _) => "",
            };
            let engine = if is_as_chosen && !tells_details { String::new() } else { ending.about_engine() };
            self.voice.note(format!("{end}{}{engine}", self.counts.summary(J::DONE, ending)));
        } else if let (Some(only), 1) = (&self.only, files) {
            self.voice.note(format!("{only}{}", ending.time_and_rate()));
        }
    }
}

fn record_of<J: Reportable>(job: &J, settled: &Settled<J>, subject: OsString) -> TaskRecord {
    let members = match &settled.outcome {
        Ok(output) => output.members(&settled.task),
        Err(failure) => failure_members(job, &settled.task, failure),
    };
    let succeeded = settled.outcome.is_ok();
    TaskRecord { id: settled.id.0, subject, succeeded, phases: Some(settled.phases), members }
}

fn failure_members<J: Reportable>(
    job: &J,
    task: &J::Task,
    failure: &Failure<J::Error>,
) -> Map<String, Value> {
    let mut members = match failure {
        Failure::Job(error) => error.members(),
        _ => Map::new(),
    };
    let Explanation { exit, kind, message, hint, .. } = explain(job, task, failure);
    let target = task.target();
    record::add_failure(&mut members, &FailureRecord { kind, message, hint: hint.as_deref(), target, exit });
    members
}

struct Explanation {
    exit: Exit,
    kind: &'static str,
    /// The failure without names: equal failures are grouped by it.
    group: String,
    message: String,
    hint: Option<Cow<'static, str>>,
}

/// Why a task failed.
pub(crate) fn message<J: Reportable>(job: &J, task: &J::Task, failure: &Failure<J::Error>) -> String {
    explain(job, task, failure).message
}

fn explain<J: Reportable>(job: &J, task: &J::Task, failure: &Failure<J::Error>) -> Explanation {
    let failed = |kind, message: String| Explanation {
        exit: Exit::Failed,
        kind,
        group: message.clone(),
        message,
        hint: None,
    };
    match failure {
        Failure::Job(error) => Explanation {
            exit: error.exit(),
            kind: error.kind(),
            group: error.to_string(),
            message: job.message(task, error),
            hint: job.hint(task, error),
        },
        Failure::Cancelled => failed("interrupted", "interrupted".to_owned()),
        Failure::Panicked(message) => failed("internal", format!("internal error: {message}")),
        Failure::WorkersDied { count } => {
            failed("worker_died", format!("{count} worker processes died over it"))
        }
        Failure::NoWorker => failed("worker_died", "all worker processes died".to_owned()),
        _ => failed("other", "the task failed".to_owned()),
    }
}
