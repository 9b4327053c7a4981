//! Runs one stream of `haul seal`, `haul open` or `haul verify`: stdin, stdout, pipes and devices.
//!
//! Owns: which engines and reports a stream can have, running it, reporting it.
//! Does not own: the work ([`haul_seal::seal_stream`], [`haul_seal::open_stream`]), the ends ([`opened`]).

pub(super) mod opened;

use std::io::{ErrorKind, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use haul_engine::Engine;
use haul_io::{Cancel, Existing, Shortfalls};
use haul_seal::{During, Error, FileOptions, Plugins, StreamOptions, Streamed, into_file};
use serde_json::{Map, Value};

use self::opened::{SourceChanged, StreamSource, open_input, open_output};
use super::describe::failures;
use super::endpoints::{Endpoints, Output};
use crate::report::describe::DescribeFailure;
use crate::report::dry_run::DryRun;
use crate::report::exit::{Exit, Problem};
use crate::report::progress::{Progress, ProgressEvent, ProgressForm};
use crate::report::record::{self, FailureRecord, RunRecord, TaskRecord};
use crate::report::shortfalls;
use crate::report::stats::Usage;
use crate::report::text::{human_bytes, name_members, quoted};
use crate::report::text_only::{NotText, binary_on_terminal};
use crate::report::voice::Voice;
use crate::run::options::RunOptions;
use crate::run::signals::SignalWatch;
use crate::stores::objects::{self, Publishing};

/// Checks that the options fit a stream.
pub(super) fn check(endpoints: &Endpoints, run: &RunOptions) -> Result<(), Problem> {
    if run.report.json && endpoints.output == Output::Stdout {
        return Err(
            Problem::usage("--json needs stdout, which already carries the data").hint("name a file with -o")
        );
    }
    if run.trace.is_some() {
        return Err(Problem::usage("--trace shows tasks, and a stream has none").hint("name files"));
    }
    worker_count(run).map(drop)
}

/// The number of threads that was asked for; `None` is `auto`.
fn worker_count(run: &RunOptions) -> Result<Option<NonZeroUsize>, Problem> {
    match run.engine {
        None => Ok(None),
        Some(Engine::Serial) => Ok(Some(NonZeroUsize::MIN)),
        Some(Engine::Threads(count)) => Ok(Some(count)),
        Some(other) => Err(Problem::usage(format!("the engine {other} can't run streams"))
            .hint("streams run on auto, serial and threads=N")),
    }
}

/// A stream from end to end.
pub(super) struct Stream<'a> {
    pub(super) verb: &'static str,
    pub(super) endpoints: Endpoints,
    pub(super) options: FileOptions,
    pub(super) run: &'a RunOptions,
    pub(super) stdout_is_terminal: bool,
    /// What to do instead of writing binary data to a terminal.
    pub(super) binary_hint: &'static str,
    pub(super) voice: &'a Voice,
}

/// The end of a stream.
struct Ended {
    result: Result<Streamed, Error>,
    workers: NonZeroUsize,
    wall: Duration,
    usage: Usage,
}

impl Ended {
    /// Seconds, and bytes per second.
    fn time_and_rate(&self, streamed: &Streamed) -> (f64, String) {
        let seconds = self.wall.as_secs_f64();
        (seconds, human_bytes((streamed.plain_bytes as f64 / seconds.max(1e-6)) as u64))
    }
}

/// What is known of the source.
struct About {
    bytes: Option<u64>,
    /// Of an object: when what it was made from was last modified.
    modified: Option<(i64, u32)>,
}

impl Stream<'_> {
    pub(super) fn is_output_terminal(&self) -> bool {
        opened::is_terminal(&self.endpoints.output, self.stdout_is_terminal)
    }

    /// Prints what would be done.
    pub(super) fn print(&self) -> Exit {
        let mut dry_run = DryRun::new(self.verb, self.run.report.json, self.voice);
        let subject = self.endpoints.input.subject();
        dry_run.plan(&self.endpoints.to_string(), subject, self.endpoints.output.path());
        dry_run.end()
    }

    /// Opens both ends, runs `work` between them and reports the result.
    pub(super) fn run(
        &self,
        plugins: Arc<Plugins>,
        work: impl FnOnce(StreamSource, Box<dyn Write + Send>, StreamOptions) -> Result<Streamed, Error>,
    ) -> Result<Exit, Problem> {
        let cancel = Cancel::new()?;
        // Opening a pipe for writing waits for its reader. Until then, a signal ends the program at once.
        let special = open_output(&self.endpoints.output, &cancel);
        let watch = SignalWatch::start(cancel.clone())?;
        let progress = Progress::start();
        let form = if self.is_output_terminal() { ProgressForm::Hidden } else { self.run.progress };
        self.voice.begin_progress(&progress, form);
        let (started, before) = (Instant::now(), Usage::now());
        let mut options = StreamOptions::new(cancel.clone());
        options.workers = worker_count(self.run)?.unwrap_or(options.workers);
        options.plugins = Some(plugins);
        let workers = options.workers;
        let result = special.and_then(|special| {
            let source =
                open_input(&self.endpoints.input, &self.run.stores, &cancel, progress.bytes().clone())?;
            let name = Some(self.endpoints.input.short_name());
            progress.tell(ProgressEvent::Total(1));
            progress.tell(ProgressEvent::Found { name, bytes: source.length() });
            let about = About { bytes: source.length(), modified: source.object().and(source.modified()) };
            let result = self.write(special, &about, &cancel, |sink| work(source, sink, options));
            result.map_err(
                |error| if SourceChanged::is_cause_of(&error) { Error::SourceChanged } else { error },
            )
        });
        drop(watch);
        self.voice.end_progress();
        let usage = Usage::now().since(&before);
        self.report(&Ended { result, workers, wall: started.elapsed(), usage })
    }

    fn write(
        &self,
        special: Option<Box<dyn Write + Send>>,
        about: &About,
        cancel: &Cancel,
        work: impl FnOnce(Box<dyn Write + Send>) -> Result<Streamed, Error>,
    ) -> Result<Streamed, Error> {
        match (&self.endpoints.output, special) {
            (Output::File(path), _) => {
                let modified = about.modified.filter(|_| self.options.preserve);
                let written =
                    into_file(path, modified, &self.options, cancel, |writer| work(Box::new(writer)));
                written.map(|(streamed, published)| {
                    shortfalls::warn(self.voice, &mut Shortfalls::default(), published.shortfalls);
                    streamed
                })
            }
            (Output::Special(path), _) if objects::is_object(path) => {
                let replace = self.options.existing != Existing::Refuse;
                let source_bytes = about.bytes;
                let how = Publishing { path, stores: &self.run.stores, replace, source_bytes };
                objects::into_object(&how, cancel, work)
            }
            (_, Some(special)) => work(special),
            (_, None) => work(Box::new(std::io::sink())),
        }
    }

    fn report(&self, ended: &Ended) -> Result<Exit, Problem> {
        let exit = match &ended.result {
            Ok(_) => Exit::Success,
            Err(error) if error.kind() == haul_seal::ErrorKind::Cancelled => {
                self.voice.note("interrupted");
                Exit::Interrupted
            }
            Err(Error::Io { step: During::Write, source }) if source.kind() == ErrorKind::BrokenPipe => {
                Exit::Failed
            }
            Err(Error::Io { source, .. }) if NotText::is_cause_of(source) => {
                return Err(binary_on_terminal().hint(self.binary_hint));
            }
            Err(error) => {
                let subject = quoted(self.endpoints.input.subject());
                let message = self.message(error);
                self.voice.error(format!("cannot {} {subject}: {message}", self.verb));
                let source = self.endpoints.input.file();
                failures::hint(error, source).inspect(|hint| self.voice.hint(hint));
                error.exit()
            }
        };
        if let Ok(streamed) = &ended.result
            && (self.run.report.stats || self.run.verbose)
        {
            self.print_stats(streamed, ended);
        } else if let (Ok(streamed), Output::File(path)) = (&ended.result, &self.endpoints.output) {
            let (subject, bytes) =
                (quoted(self.endpoints.input.subject()), human_bytes(streamed.plain_bytes));
            let (seconds, rate) = ended.time_and_rate(streamed);
            self.voice.note(format!("{subject} -> {}, {bytes} in {seconds:.2} s, {rate}/s", quoted(path)));
        }
        if self.run.report.json {
            self.print_records(ended, exit);
        }
        Ok(exit)
    }

    fn message(&self, error: &Error) -> String {
        let target = match &self.endpoints.output {
            Output::Stdout => Some("to stdout".to_owned()),
            output => output.path().map(quoted),
        };
        failures::message(error, target.as_deref())
    }

    fn print_stats(&self, streamed: &Streamed, ended: &Ended) {
        let (seconds, per_second) = ended.time_and_rate(streamed);
        let (bytes, workers) = (human_bytes(streamed.plain_bytes), ended.workers);
        self.voice.talk(&format!(
            "haul: {} {}: {bytes} in {seconds:.2} s, {per_second}/s, threads={workers}",
            self.verb, self.endpoints
        ));
    }

    fn print_records(&self, ended: &Ended, exit: Exit) {
        let succeeded = ended.result.is_ok();
        let task = TaskRecord {
            id: 0,
            subject: self.endpoints.input.subject().to_owned(),
            succeeded,
            phases: None,
            members: self.members(&ended.result),
        };
        let interrupted = exit == Exit::Interrupted;
        let run = RunRecord {
            engine: format!("threads={}", ended.workers),
            shortages: &[],
            changes: &[],
            engine_reason: if self.run.engine.is_some() { "as asked" } else { "a stream" },
            succeeded: u64::from(succeeded),
            failed: u64::from(!succeeded && !interrupted),
            unchanged: 0,
            skipped: 0,
            cancelled_tasks: u64::from(interrupted),
            interrupted,
            bytes: ended.result.as_ref().map_or(0, |streamed| streamed.plain_bytes),
            wall: ended.wall,
            usage: ended.usage,
            exit,
        };
        // Without a reader for the first line, the report isn't printed.
        let _ = self.voice.data(task.into_json()) && self.voice.data(run.to_json());
    }

    fn members(&self, result: &Result<Streamed, Error>) -> Map<String, Value> {
        let mut members = Map::new();
        match result {
            Ok(streamed) => {
                if let Some(path) = self.endpoints.output.path() {
                    members.extend(name_members("target", path.as_os_str()));
                }
                members.insert("plain_bytes".to_owned(), streamed.plain_bytes.into());
                members.insert("sealed_bytes".to_owned(), streamed.sealed_bytes.into());
            }
            Err(error) => {
                members.extend(failures::members(error));
                let hint = failures::hint(error, self.endpoints.input.file());
                let is_cancelled = error.kind() == haul_seal::ErrorKind::Cancelled;
                let failure = FailureRecord {
                    kind: if is_cancelled { "interrupted" } else { failures::kind(error) },
                    message: if is_cancelled { "interrupted".to_owned() } else { self.message(error) },
                    hint: hint.as_deref(),
                    target: self.endpoints.output.path(),
                    exit: error.exit(),
                };
                record::add_failure(&mut members, &failure);
            }
        }
        members
    }
}
