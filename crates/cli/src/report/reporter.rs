//! Reports a run of tasks: turns its events into messages, JSON lines and the exit code.
//!
//! Owns: the order and the form of what is reported, when a run is to be given up.
//! Does not own: running ([`crate::run::reporting`]), words about a particular job ([`super::describe`]).

use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;

use haul_engine::{Engine, Failure, Report, Settled, Stall, StalledWorker};
use haul_io::Shortfalls;
use serde_json::{Map, Value, json};

use super::describe::{DescribeFailure, DescribeOutput, Reportable, Subject};
use super::exit::Exit;
use super::record::{RunRecord, TaskRecord};
use super::shortfalls;
use super::stats::{self, Usage};
use super::text::{counted, human_bytes, name_members, quoted};
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
    /// Tasks whose result was up to date.
    unchanged: u64,
    /// Tasks that were left alone on purpose.
    skipped: u64,
    /// The last hint. The same hint isn't repeated for every task.
    last_hint: Option<&'static str>,
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
            unchanged: 0,
            skipped: 0,
            last_hint: None,
            shortfalls: Shortfalls::default(),
            gave_up: false,
            unread: false,
            failed_fast: false,
        }
    }

    /// Reports the end of a task.
    pub(crate) fn settle<J: Reportable>(&mut self, settled: &Settled<J>) {
        let subject = settled.task.subject();
        match &settled.outcome {
            Ok(output) => {
                self.skipped += u64::from(output.is_skipped());
                self.unchanged += u64::from(output.is_unchanged());
                shortfalls::warn(self.voice, &mut self.shortfalls, output.shortfalls());
                if let Some(remark) = output.remark() {
                    self.voice.note(format!("{} {remark}", quoted(&subject)));
                } else if let Some(detail) = output.detail(&settled.task) {
                    self.voice.detail(format!("{} {detail}", quoted(&subject)));
                }
            }
            Err(failure) => {
                self.failed_fast |= self.options.fail_fast && !matches!(failure, Failure::Cancelled);
                self.fail::<J>(&subject, failure);
            }
        }
        if self.options.json {
            self.unread |= !self.voice.data(record_of(settled, subject.into_owned()).into_json());
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

    fn fail<J: Reportable>(&mut self, subject: &OsStr, failure: &Failure<J::Error>) {
        let Explanation { exit, message, hint } = explain::<J>(failure);
        self.exit = self.exit.max(exit);
        let unread = matches!(failure, Failure::Job(error) if error.is_unread());
        self.unread |= unread;
        if !matches!(failure, Failure::Cancelled) && !unread {
            self.voice.error(format!("cannot {} {}: {message}", J::VERB, quoted(subject)));
        }
        if let Some(hint) = hint.filter(|hint| self.last_hint != Some(hint)) {
            self.voice.hint(hint);
            self.last_hint = Some(hint);
        }
    }

    /// Reports the outcome of the run. `chosen` and `reason` are the engine that was chosen and why.
    pub(crate) fn end<J: Reportable>(
        self,
        report: &Report,
        chosen: Engine,
        reason: &str,
        usage: &Usage,
    ) -> Exit {
        let is_interrupted = report.cancelled && !self.gave_up;
        let is_empty = J::NEEDS_TASKS && report.succeeded + report.failed + report.cancelled_tasks == 0;
        let exit = match self.exit {
            _ if is_interrupted => Exit::Interrupted,
            exit if is_empty => exit.max(Exit::Failed),
            exit => exit,
        };
        if self.unread {
            return exit;
        }
        let engine = report.engine.unwrap_or(chosen).to_string();
        let fallback = report
            .fallback
            .as_ref()
            .map(|fallback| format!("instead of {}: {}", fallback.asked, fallback.reason));
        let reason = fallback.as_deref().unwrap_or(reason);
        let shortages: String = report.shortages.iter().map(|shortage| format!("; {shortage}")).collect();
        // A single task that succeeded needs no summary.
        if report.succeeded + report.failed > 1 || report.cancelled {
            self.voice.note(format!("{}, {engine} ({reason}{shortages})", self.summary::<J>(report)));
        }
        if self.options.stats {
            self.voice.talk(&stats::table(report, usage, self.options.cores));
        }
        if self.options.json {
            let record = RunRecord {
                engine,
                engine_reason: reason,
                shortages: &report.shortages,
                succeeded: report.succeeded - self.skipped,
                failed: report.failed,
                unchanged: self.unchanged,
                skipped: self.skipped,
                cancelled_tasks: report.cancelled_tasks,
                interrupted: is_interrupted,
                bytes: report.bytes,
                wall: report.wall,
                usage: *usage,
                exit,
            };
            self.voice.data(record.to_json());
        }
        exit
    }

    fn summary<J: Reportable>(&self, report: &Report) -> String {
        let done = report.succeeded - self.unchanged - self.skipped;
        let end = match (report.cancelled, self.gave_up) {
            (true, true) => "given up: ",
            (true, false) => "interrupted: ",
            (false, _) => "",
        };
        let mut text = format!("{end}{} {}", counted(done, "task", "tasks"), J::DONE);
        if self.unchanged > 0 {
            text += &format!(", {} unchanged", self.unchanged);
        }
        if self.skipped > 0 {
            text += &format!(", {} skipped", self.skipped);
        }
        if report.failed > 0 {
            text += &format!(", {} failed", report.failed);
        }
        text + &format!(", {} in {:.2} s", human_bytes(report.bytes), report.wall.as_secs_f64())
    }
}

fn record_of<J: Reportable>(settled: &Settled<J>, subject: OsString) -> TaskRecord {
    let members = match &settled.outcome {
        Ok(output) => output.members(&settled.task),
        Err(failure) => failure_members::<J>(failure),
    };
    let succeeded = settled.outcome.is_ok();
    TaskRecord { id: settled.id.0, subject, succeeded, phases: Some(settled.phases), members }
}

fn failure_members<J: Reportable>(failure: &Failure<J::Error>) -> Map<String, Value> {
    let mut members = match failure {
        Failure::Job(error) => error.members(),
        _ => Map::new(),
    };
    members.insert("error".to_owned(), explain::<J>(failure).message.into());
    members
}

struct Explanation {
    exit: Exit,
    message: String,
    hint: Option<&'static str>,
}

fn explain<J: Reportable>(failure: &Failure<J::Error>) -> Explanation {
    let failed = |message: String| Explanation { exit: Exit::Failed, message, hint: None };
    match failure {
        Failure::Job(error) => {
            Explanation { exit: error.exit(), message: error.to_string(), hint: error.hint() }
        }
        Failure::Cancelled => failed("interrupted".to_owned()),
        Failure::Panicked(message) => failed(format!("internal error: {message}")),
        Failure::WorkersDied { count } => failed(format!("{count} worker processes died over it")),
        Failure::NoWorker => failed("all worker processes died".to_owned()),
        _ => failed("the task failed".to_owned()),
    }
}
