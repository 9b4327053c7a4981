//! `haul seal`, `haul open` and `haul verify` on streams: stdin, stdout, pipes and devices.
//!
//! Owns: when a command works on a stream, its plan, its words, its exit code.
//! Does not own: the work ([`haul_seal::seal_stream`], [`haul_seal::open_stream`]), opening the ends (its module `ends`).

mod ends;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use haul_engine::Engine;
use haul_io::Cancel;
use haul_seal::{During, Error, FileOptions, StreamOptions, Streamed, into_file, open_stream, seal_stream};
use serde_json::json;

use self::ends::{Changed, Output, Reader};
pub(crate) use self::ends::{Ends, Input, ends, input, is_dash};
use crate::args::{CommonArgs, OpenArgs, SealArgs, VerifyArgs};
use crate::dry_run::DryRun;
use crate::exit::{Exit, Problem};
use crate::report::{Counts, Explained, progress_line, wants_progress};
use crate::signals::Watch;
use crate::text_only::{NotText, TextOnly};
use crate::voice::{Voice, human_bytes, quoted};
use crate::{files, keys, plan, plugins};

pub(crate) fn seal(args: &SealArgs, ends: Ends, voice: &Voice) -> Result<Exit, Problem> {
    if ends.output.is_terminal() && !args.armor {
        return Err(binary_on_terminal().hint("name a file with -o, or make text with -a"));
    }
    let recipients = keys::recipients(args, &BTreeSet::new(), voice)?;
    haul_seal::check_recipients(&recipients).map_err(|error| Problem::usage(error.to_string()))?;
    let stream = Stream::new("seal", ends, files::options(&args.files)?, &args.common, voice)?;
    stream.run(|source, sink, options| {
        let options = StreamOptions { armored: args.armor, ..options };
        seal_stream(source, sink, &recipients, &options)
    })
}

pub(crate) fn open(args: &OpenArgs, ends: Ends, voice: &Voice) -> Result<Exit, Problem> {
    let identities = keys::identities(&args.identity, &args.files.secret, &args.files.paths, voice)?;
    let text_only = ends.output.is_terminal();
    let stream = Stream::new("open", ends, files::options(&args.files)?, &args.common, voice)?;
    stream.run(|source, sink, options| match text_only {
        true => open_stream(source, TextOnly::new(sink), &identities, &options),
        false => open_stream(source, sink, &identities, &options),
    })
}

pub(crate) fn verify(args: &VerifyArgs, input: Input, voice: &Voice) -> Result<Exit, Problem> {
    let identities = keys::identities(&args.identity, &args.secret, &args.paths, voice)?;
    let ends = Ends { input, output: Output::Nowhere };
    let stream = Stream::new("verify", ends, FileOptions::default(), &args.common, voice)?;
    stream.run(|source, sink, options| open_stream(source, sink, &identities, &options))
}

/// What is said where anything but text would go to a terminal.
pub(crate) fn binary_on_terminal() -> Problem {
    Problem::usage("binary data isn't written to a terminal")
}

/// One stream from end to end.
struct Stream<'a> {
    verb: &'static str,
    ends: Ends,
    options: FileOptions,
    common: &'a CommonArgs,
    workers: Option<NonZeroUsize>,
    voice: &'a Voice,
}

impl<'a> Stream<'a> {
    fn new(
        verb: &'static str,
        ends: Ends,
        options: FileOptions,
        common: &'a CommonArgs,
        voice: &'a Voice,
    ) -> Result<Self, Problem> {
        if common.json && matches!(ends.output, Output::Stdout) {
            return Err(Problem::usage("stdout has the data, so that --json can't have it")
                .hint("name a file with -o"));
        }
        let workers = match common.engine.0 {
            None => None,
            Some(Engine::Serial) => Some(NonZeroUsize::MIN),
            Some(Engine::Threads(workers)) => Some(workers),
            Some(other) => {
                let problem = Problem::usage(format!("the engine {other} has no streams"));
                return Err(problem.hint("streams run on auto, serial and threads=N"));
            }
        };
        Ok(Self { verb, ends, options, common, workers, voice })
    }

    fn run(
        &self,
        work: impl FnOnce(Reader, Box<dyn Write + Send>, StreamOptions) -> Result<Streamed, Error>,
    ) -> Result<Exit, Problem> {
        if self.common.dry_run {
            let mut told = DryRun::new(self.verb, self.common.json, self.voice);
            told.plan(&self.ends.to_string(), &self.ends.input.subject(), self.ends.output.path());
            return Ok(told.end());
        }
        let cancel = plan::cancel()?;
        // Opening a pipe to write into waits for its reader: a signal then ends the program at once.
        let special = self.ends.output.open_special(&cancel);
        let watch = Watch::start(cancel.clone())?;
        let counts = Counts::default();
        if wants_progress(self.common.progress) && !self.ends.output.is_terminal() {
            self.voice.begin_progress(progress_line(&counts));
        }
        let started = Instant::now();
        let mut options = StreamOptions::new(cancel.clone());
        options.workers = self.workers.unwrap_or(options.workers);
        options.plugins = Some(plugins::at_hand(self.voice));
        let workers = options.workers;
        let result = special.and_then(|special| {
            let reader = self.ends.input.open(&cancel, counts.bytes.clone())?;
            let result = self.flow(special, &cancel, |sink| work(reader, sink, options));
            result.map_err(|error| if Changed::is_cause_of(&error) { Error::SourceChanged } else { error })
        });
        drop(watch);
        self.voice.end_progress();
        self.tell(&result, workers, started.elapsed())
    }

    fn flow(
        &self,
        special: Option<Box<dyn Write + Send>>,
        cancel: &Cancel,
        work: impl FnOnce(Box<dyn Write + Send>) -> Result<Streamed, Error>,
    ) -> Result<Streamed, Error> {
        match (&self.ends.output, special) {
            (Output::File(path), _) => {
                into_file(path, &self.options, cancel, |writer| work(Box::new(writer)))
            }
            (_, Some(special)) => work(special),
            (_, None) => work(Box::new(std::io::sink())),
        }
    }

    fn tell(
        &self,
        result: &Result<Streamed, Error>,
        workers: NonZeroUsize,
        wall: Duration,
    ) -> Result<Exit, Problem> {
        let subject = self.ends.input.subject();
        let exit = match result {
            Ok(_) => Exit::Success,
            Err(error) if error.kind() == haul_seal::ErrorKind::Cancelled => {
                self.voice.note("interrupted");
                Exit::Interrupted
            }
            Err(Error::Io { step: During::Write, source }) if source.kind() == ErrorKind::BrokenPipe => {
                Exit::Failed
            }
            Err(Error::Io { source, .. }) if NotText::is_cause_of(source) => {
                return Err(binary_on_terminal().hint("name a file with -o, or pass it on to a program"));
            }
            Err(error) => {
                self.voice.error(format!("cannot {} {}: {error}", self.verb, quoted(&*subject)));
                error.hint().inspect(|hint| self.voice.hint(hint));
                error.exit()
            }
        };
        let moved = result.as_ref().map_or(0, |streamed| streamed.plain_bytes);
        if let (Ok(_), true) = (result, self.common.stats || self.common.verbose > 0) {
            let per_second = human_bytes((moved as f64 / wall.as_secs_f64().max(1e-6)) as u64);
            let (bytes, seconds) = (human_bytes(moved), wall.as_secs_f64());
            self.voice.talk(&format!(
                "haul: {} {}: {bytes} in {seconds:.2} s, {per_second}/s, threads={workers}",
                self.verb, self.ends
            ));
        }
        if self.common.json {
            self.tell_json(result, exit, workers, wall);
        }
        Ok(exit)
    }

    fn tell_json(&self, result: &Result<Streamed, Error>, exit: Exit, workers: NonZeroUsize, wall: Duration) {
        let subject = self.ends.input.subject();
        let is_read = self.voice.data(match result {
            Ok(Streamed { plain_bytes, sealed_bytes }) => json!({
                "event": "done", "task": 0, "subject": subject,
                "plain_bytes": plain_bytes, "sealed_bytes": sealed_bytes,
            }),
            Err(error) => json!({
                "event": "failed", "task": 0, "subject": subject, "error": error.to_string(),
            }),
        });
        let interrupted = exit == Exit::Interrupted;
        let report = json!({
            "event": "report",
            "engine": format!("threads={workers}"),
            "engine_reason": if self.workers.is_some() { "as asked" } else { "a stream" },
            "succeeded": u8::from(result.is_ok()),
            "failed": u8::from(result.is_err() && !interrupted),
            "cancelled_tasks": u8::from(interrupted),
            "interrupted": interrupted,
            "bytes": result.as_ref().map_or(0, |streamed| streamed.plain_bytes),
            "wall_s": wall.as_secs_f64(),
            "exit": exit as u8,
        });
        // The report comes last; nobody reads it who doesn't read what precedes it.
        let _ = is_read && self.voice.data(report);
    }
}
