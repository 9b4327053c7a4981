//! What is told of a run: three consumers of its events (messages, JSON lines, the exit code) and the progress line.
//!
//! Owns: running a job and telling of it.
//! Does not own: words about a particular job ([`Told`] supplies them).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use haul_engine::{Config, Event, Failure, Job, Report, Settled, Source};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::args::{CommonArgs, ProgressArg};
use crate::exit::{Exit, Problem};
use crate::plan::{self, Chosen};
use crate::signals::Watch;
use crate::stats::{self, Usage};
use crate::voice::{Voice, counted, human_bytes, is_on_terminal, quoted};

/// A job that can be told of.
pub(crate) trait Told:
    Job<Task: Subject, Output: Success<Self::Task>, Error: Explained> + Sized
{
    /// What is done, after "cannot": "fetch", "seal".
    const VERB: &'static str;
    /// What was done, as in "12 tasks sealed".
    const DONE: &'static str;

    /// Does every task: [`haul_engine::run`], or for a job that other processes can do, [`haul_engine::run_portable`].
    fn run(
        &self,
        source: impl Source<Self::Task>,
        config: &Config,
        on_event: impl FnMut(&Event<Self>),
    ) -> Report;
}

/// A task that can be named.
pub(crate) trait Subject {
    /// What the task is about, as the user wrote it.
    fn subject(&self) -> String;
}

/// An output that can be told of.
pub(crate) trait Success<T> {
    /// In words, after the subject; `None` for one that is not worth a line even with `-v`.
    fn words(&self, task: &T) -> Option<String>;
    /// What the user should know of in any case.
    fn remark(&self) -> Option<String>;
    /// More members of the JSON object.
    fn members(&self, task: &T) -> Map<String, Value>;
    /// Whether the result was up to date, so that nothing was done.
    fn is_unchanged(&self) -> bool {
        false
    }
}

/// A failure that can be told of.
pub(crate) trait Explained: std::error::Error {
    /// What it says to a script.
    fn exit(&self) -> Exit;
    /// What may help.
    fn hint(&self) -> Option<&'static str>;
    /// Whether it is only that nobody reads the result any more: a broken pipe ends the run, quietly.
    fn is_unread(&self) -> bool {
        false
    }
    /// More members of the JSON object.
    fn members(&self) -> Map<String, Value> {
        Map::new()
    }
}

/// Runs `job` over `source`, tells of it, and says how the program ends.
pub(crate) fn run_and_tell<J: Told>(
    job: &J,
    source: impl Source<J::Task>,
    chosen: &Chosen,
    args: &CommonArgs,
    voice: &Voice,
) -> Result<Exit, Problem> {
    run_and_tell_also(job, source, chosen, args, voice, |_| {})
}

/// As [`run_and_tell`], and calls `on_failed` with each task that was not done.
pub(crate) fn run_and_tell_also<J: Told>(
    job: &J,
    source: impl Source<J::Task>,
    chosen: &Chosen,
    args: &CommonArgs,
    voice: &Voice,
    mut on_failed: impl FnMut(&J::Task),
) -> Result<Exit, Problem> {
    let cancel = plan::cancel()?;
    let config = chosen.config(cancel.clone());
    let watch = Watch::start(cancel.clone())?;
    let counts = Counts { bytes: config.progress.clone(), ..Counts::default() };
    if wants_progress(args.progress) {
        voice.begin_progress(progress_line(&counts));
    }
    let mut teller = Teller::new(args, voice);
    let before = Usage::now();
    let report = job.run(source, &config, |event| {
        if let Event::Settled(settled) = event {
            counts.count(settled);
            if settled.outcome.is_err() {
                on_failed(&settled.task);
            }
            let failed = matches!(&settled.outcome, Err(failure) if !matches!(failure, Failure::Cancelled));
            teller.settled(settled);
            if !cancel.is_triggered() && (teller.unread || failed && args.fail_fast) {
                teller.gave_up = true;
                cancel.trigger();
            }
        }
    });
    drop(watch);
    voice.end_progress();
    let usage = Usage::now().since(&before);
    Ok(teller.end::<J>(&report, chosen, &usage))
}

/// What the progress line shows.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    succeeded: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    pub(crate) bytes: Arc<AtomicU64>,
}

impl Counts {
    fn count<J: Job>(&self, settled: &Settled<J>) {
        let counter = if settled.outcome.is_ok() { &self.succeeded } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) fn wants_progress(mode: ProgressArg) -> bool {
    match mode {
        ProgressArg::Auto => is_on_terminal(),
        ProgressArg::Always => true,
        ProgressArg::Never => false,
    }
}

/// How often the progress line is drawn anew.
const REDRAW: Duration = Duration::from_millis(200);

pub(crate) fn progress_line(counts: &Counts) -> ProgressBar {
    let counts = counts.clone();
    let style =
        ProgressStyle::with_template("{elapsed} {counts}").expect("a constant template that is valid");
    let style = style.with_key("counts", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let bytes = counts.bytes.load(Ordering::Relaxed);
        let per_second = bytes as f64 / state.elapsed().as_secs_f64().max(0.001);
        let (done, failed) =
            (counts.succeeded.load(Ordering::Relaxed), counts.failed.load(Ordering::Relaxed));
        let (bytes, per_second) = (human_bytes(bytes), human_bytes(per_second as u64));
        let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
        let _ = write!(out, "{done} done{failed}, {bytes}, {per_second}/s");
    });
    let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    line.set_style(style);
    line.enable_steady_tick(REDRAW);
    line
}

/// Turns events into words and the exit code.
struct Teller<'a> {
    args: &'a CommonArgs,
    voice: &'a Voice,
    exit: Exit,
    /// Results that were up to date.
    unchanged: u64,
    /// The last hint that was given; the same one is not given for every task.
    hinted: Option<&'static str>,
    /// The run was cut short by the program itself, not by a signal.
    gave_up: bool,
    /// Nobody reads the events any more: a broken pipe ends the run, quietly.
    unread: bool,
}

impl<'a> Teller<'a> {
    fn new(args: &'a CommonArgs, voice: &'a Voice) -> Self {
        let (exit, unchanged, hinted) = (Exit::Success, 0, None);
        Self { args, voice, exit, unchanged, hinted, gave_up: false, unread: false }
    }

    fn settled<J: Told>(&mut self, settled: &Settled<J>) {
        let subject = settled.task.subject();
        match &settled.outcome {
            Ok(output) => {
                self.unchanged += u64::from(output.is_unchanged());
                if let Some(remark) = output.remark() {
                    self.voice.note(format!("{} {remark}", quoted(&subject)));
                } else if let Some(words) = output.words(&settled.task) {
                    self.voice.detail(format!("{} {words}", quoted(&subject)));
                }
            }
            Err(failure) => self.failed::<J>(&subject, failure),
        }
        if self.args.json {
            self.unread |= !self.voice.data(event_of(settled, subject));
        }
    }

    fn failed<J: Told>(&mut self, subject: &str, failure: &Failure<J::Error>) {
        let (exit, message, hint) = explain::<J>(failure);
        self.exit = self.exit.max(exit);
        let unread = matches!(failure, Failure::Job(error) if error.is_unread());
        self.unread |= unread;
        if !matches!(failure, Failure::Cancelled) && !unread {
            self.voice.error(format!("cannot {} {}: {message}", J::VERB, quoted(subject)));
        }
        if let Some(hint) = hint.filter(|hint| self.hinted != Some(hint)) {
            self.voice.hint(hint);
            self.hinted = Some(hint);
        }
    }

    fn end<J: Told>(self, report: &Report, chosen: &Chosen, usage: &Usage) -> Exit {
        let exit = match report.cancelled && !self.gave_up {
            true => Exit::Interrupted,
            false => self.exit,
        };
        if self.unread {
            return exit;
        }
        let seconds = report.wall.as_secs_f64();
        let done = report.succeeded - self.unchanged;
        let mut text = format!("{} {}", counted(done, "task", "tasks"), J::DONE);
        if self.unchanged > 0 {
            text += &format!(", {} unchanged", self.unchanged);
        }
        if report.failed > 0 {
            text += &format!(", {} failed", report.failed);
        }
        let cut = match report.cancelled {
            true if self.gave_up => "given up: ",
            true => "interrupted: ",
            false => "",
        };
        let bytes = human_bytes(report.bytes);
        let engine = report.engine.unwrap_or(chosen.engine);
        let reason = match &report.fallback {
            None => chosen.reason.clone(),
            Some(fallback) => format!("instead of {}: {}", fallback.asked, fallback.reason),
        };
        // One task that succeeded needs no summary.
        if report.succeeded + report.failed > 1 || report.cancelled {
            self.voice.note(format!("{cut}{text}, {bytes} in {seconds:.2} s, {engine} ({reason})"));
        }
        if self.args.stats {
            self.voice.talk(&stats::table(report, usage));
        }
        if self.args.json {
            self.voice.data(json!({
                "event": "report",
                "engine": engine.to_string(),
                "engine_reason": reason,
                "succeeded": report.succeeded,
                "failed": report.failed,
                "unchanged": self.unchanged,
                "cancelled_tasks": report.cancelled_tasks,
                "interrupted": report.cancelled && !self.gave_up,
                "bytes": report.bytes,
                "wall_s": seconds,
                "cpu_s": usage.cpu().as_secs_f64(),
                "user_s": usage.user.as_secs_f64(),
                "system_s": usage.system.as_secs_f64(),
                "context_switches": usage.waits + usage.preemptions,
                "exit": exit as u8,
            }));
        }
        exit
    }
}

/// The JSON object of a task's end.
fn event_of<J: Told>(settled: &Settled<J>, subject: String) -> Value {
    let phases = &settled.phases;
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let mut event = match &settled.outcome {
        Ok(output) => output.members(&settled.task),
        Err(failure) => failure_members::<J>(failure),
    };
    event.extend([
        ("event".to_owned(), if settled.outcome.is_ok() { "done" } else { "failed" }.into()),
        ("task".to_owned(), settled.id.0.into()),
        ("subject".to_owned(), subject.into()),
        ("queue_us".to_owned(), micros(phases.queue).into()),
        ("device_us".to_owned(), micros(phases.device).into()),
        ("executor_us".to_owned(), micros(phases.executor).into()),
        ("compute_us".to_owned(), micros(phases.compute).into()),
    ]);
    Value::Object(event)
}

fn failure_members<J: Told>(failure: &Failure<J::Error>) -> Map<String, Value> {
    let mut members = match failure {
        Failure::Job(error) => error.members(),
        _ => Map::new(),
    };
    members.insert("error".to_owned(), explain::<J>(failure).1.into());
    members
}

fn explain<J: Told>(failure: &Failure<J::Error>) -> (Exit, String, Option<&'static str>) {
    match failure {
        Failure::Job(error) => (error.exit(), error.to_string(), error.hint()),
        Failure::Cancelled => (Exit::Failed, "interrupted".to_owned(), None),
        Failure::Panicked(message) => (Exit::Failed, format!("internal error: {message}"), None),
        Failure::WorkersDied { count } => {
            (Exit::Failed, format!("{count} worker processes died over it"), None)
        }
        Failure::NoWorker => (Exit::Failed, "the worker processes die".to_owned(), None),
        _ => (Exit::Failed, "the task failed".to_owned(), None),
    }
}
