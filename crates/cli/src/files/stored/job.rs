//! Sealing, opening, verifying or rekeying files whose sources or results are objects: a stream each.
//!
//! A stream blocks its thread, so only engines with a thread for each task run this job.
//!
//! Owns: one task, from its source to its result.
//! Does not own: streams ([`haul_seal`]), objects ([`crate::stores::objects`]).

use std::borrow::Cow;
use std::io::{Write, sink};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use haul_engine::{Event, Job, Report, Source, Step};
use haul_io::{Cancel, Existing, Io, Location};
use haul_seal::{
    During, Error, ErrorKind, FileOptions, Identity, Outcome, Plugins, Recipient, Remarks, SkipReason,
    StreamOptions, Streamed, Task, into_file_at, open_stream, rekey_stream, seal_stream,
};
use haul_store::{Existing as ExistingObject, Stat, Store, WriterOptions};

use crate::files::describe::failures;
use crate::files::stream::opened::{SourceChanged, StreamSource};
use crate::report::describe::{Reportable, Setting, Subject};
use crate::report::text::quoted;
use crate::stores::objects::{self, is_object};

/// From this length on, a stream has the threads of all cores.
const LARGE_BYTES: u64 = 16 << 20;
/// Bytes of a part. Each stream has three of them in memory.
const PART_BYTES: u64 = 8 << 20;
const PARTS_IN_FLIGHT_MAX: usize = 2;

/// Where a stream goes.
pub(in crate::files) type Sink = Box<dyn Write + Send>;

/// What is done with each file.
pub(in crate::files) trait Action: Sync {
    /// See [`Reportable::VERB`].
    const VERB: &'static str;
    /// See [`Reportable::DONE`].
    const DONE: &'static str;
    /// See [`Reportable::NEEDS_TASKS`].
    const NEEDS_TASKS: bool = false;
    /// Whether results take the places of their sources.
    const REPLACES: bool = false;
    /// Whether results are their sources, sealed.
    const SEALS: bool = false;

    /// Moves one stream.
    ///
    /// # Errors
    /// See [`Error`].
    fn run(&self, source: StreamSource, sink: Sink, options: &StreamOptions) -> Result<Streamed, Error>;
}

/// Sealing to these recipients.
pub(in crate::files) struct Sealing {
    pub(in crate::files) recipients: Vec<Recipient>,
    pub(in crate::files) armored: bool,
}

/// Opening by these identities.
pub(in crate::files) struct Opening(pub(in crate::files) Vec<Identity>);

/// Giving sealed objects other recipients.
pub(in crate::files) struct Rekeying {
    pub(in crate::files) identities: Vec<Identity>,
    pub(in crate::files) recipients: Vec<Recipient>,
}

/// Verifying by these identities.
pub(in crate::files) struct Verifying(pub(in crate::files) Vec<Identity>);

impl Action for Sealing {
    const VERB: &'static str = "seal";
    const DONE: &'static str = "sealed";
    const SEALS: bool = true;

    fn run(&self, source: StreamSource, sink: Sink, options: &StreamOptions) -> Result<Streamed, Error> {
        let options = StreamOptions { armored: self.armored, ..options.clone() };
        seal_stream(source, sink, &self.recipients, &options)
    }
}

impl Action for Opening {
    const VERB: &'static str = "open";
    const DONE: &'static str = "opened";

    fn run(&self, source: StreamSource, sink: Sink, options: &StreamOptions) -> Result<Streamed, Error> {
        open_stream(source, sink, &self.0, options)
    }
}

impl Action for Rekeying {
    const VERB: &'static str = "rekey";
    const DONE: &'static str = "rekeyed";
    const REPLACES: bool = true;

    fn run(&self, source: StreamSource, sink: Sink, options: &StreamOptions) -> Result<Streamed, Error> {
        rekey_stream(source, sink, &self.identities, &self.recipients, options)
    }
}

impl Action for Verifying {
    const VERB: &'static str = "verify";
    const DONE: &'static str = "verified";
    const NEEDS_TASKS: bool = true;

    fn run(&self, source: StreamSource, sink: Sink, options: &StreamOptions) -> Result<Streamed, Error> {
        open_stream(source, sink, &self.0, options)
    }
}

/// The job.
pub(super) struct StoredJob<A> {
    pub(super) action: A,
    pub(super) store: Store,
    /// How results are written.
    pub(super) options: FileOptions,
    pub(super) plugins: Arc<Plugins>,
    pub(super) cancel: Cancel,
    /// The length of the directory for results: no link is followed beneath it.
    pub(super) root_bytes: usize,
}

impl<A: Action> StoredJob<A> {
    fn source(&self, task: &Task) -> Result<StreamSource, Error> {
        if is_object(task.source()) {
            objects::read(&self.store, task.source()).map(StreamSource::of_object)
        } else {
            StreamSource::of_task(task, &self.cancel)
        }
    }

    fn stream_options(&self, length: Option<u64>) -> StreamOptions {
        let options = StreamOptions::new(self.cancel.clone());
        let is_large = length.is_none_or(|bytes| bytes >= LARGE_BYTES);
        let workers = if is_large { options.workers } else { NonZeroUsize::MIN };
        StreamOptions { workers, plugins: Some(self.plugins.clone()), ..options }
    }

    /// How the result is written; `there` is the object in its place, which it may replace.
    fn writer_options(&self, source: &StreamSource, there: Option<&Stat>) -> WriterOptions {
        let existing = match (there, self.options) {
            (Some(stat), _) => ExistingObject::ReplaceVersion(stat.etag.clone()),
            (None, options) if replaces_any(options) => ExistingObject::Replace,
            (None, _) => ExistingObject::Keep,
        };
        // Sealed anew, it is the same object to its owner.
        let kept = there.filter(|_| A::REPLACES);
        let modified = source.modified().filter(|_| self.options.preserve && kept.is_none());
        WriterOptions {
            part_bytes: PART_BYTES,
            parts_in_flight_max: PARTS_IN_FLIGHT_MAX,
            bytes: source.length().map(objects::result_bytes_max),
            existing,
            looks_first: false,
            modified: modified.map(|(seconds, _)| seconds),
            modified_nanos: modified.map_or(0, |(_, nanos)| nanos),
            content_bytes: source.length().filter(|_| A::SEALS),
            fields: kept.map(|stat| stat.fields.clone()).unwrap_or_default(),
            ..WriterOptions::default()
        }
    }

    /// The object in the place of the result, unless any may be replaced. It is looked for before the source is read:
    /// after a run that ended early, most are there. One that appears later is found by the condition of the request.
    fn there(&self, target: &Path) -> Result<Option<Stat>, Error> {
        if replaces_any(self.options) || !is_object(target) {
            return Ok(None);
        }
        let error = objects::at(During::Create);
        let object = objects::address(target).map_err(error)?;
        let there = self.store.stat(&object).map_err(error)?;
        if there.is_some() && !self.options.update { Err(Error::Exists) } else { Ok(there) }
    }

    /// Does the task from its source to `target`.
    fn convey(&self, task: &Task, target: &Path) -> Result<Outcome, Error> {
        let mut there = self.there(target)?;
        let source = self.source(task)?;
        if let Some(there) = &there {
            if is_current(there, &source) {
                return Ok(Outcome::Skipped(SkipReason::Unchanged));
            }
            if self.options.existing == Existing::Refuse {
                return Err(Error::Exists);
            }
        }
        if A::REPLACES {
            there = source.object().cloned();
        }
        let options = self.stream_options(source.length());
        let mut remarks = Remarks::default();
        let streamed = if target.as_os_str().is_empty() {
            self.action.run(source, Box::new(sink()), &options)
        } else if is_object(target) {
            let writer = self.writer_options(&source, there.as_ref());
            objects::write(&self.store, target, writer, |sink| self.action.run(source, sink, &options))
        } else {
            let target = Location::beneath(target, self.root_bytes);
            let modified = source.modified().filter(|_| self.options.preserve);
            let work = |writer| self.action.run(source, Box::new(writer), &options);
            into_file_at(target, modified, &self.options, &self.cancel, work).map(|(streamed, published)| {
                remarks.shortfalls = published.shortfalls;
                streamed
            })
        };
        let streamed = streamed
            .map_err(|error| if SourceChanged::is_cause_of(&error) { Error::SourceChanged } else { error })?;
        let Streamed { plain_bytes, sealed_bytes } = streamed;
        Ok(Outcome::File { plain_bytes, sealed_bytes, remarks })
    }
}

/// Whether results replace whatever is there.
pub(super) fn replaces_any(options: FileOptions) -> bool {
    options.existing == Existing::Replace && !options.update
}

/// Whether the object `there` was sealed from `source` as it is now: its metadata have the time and the length of the
/// source.
fn is_current(there: &Stat, source: &StreamSource) -> bool {
    let sealed_from = (there.modified.map(|seconds| (seconds, there.modified_nanos)), there.content_bytes);
    let (modified, length) = (source.modified(), source.length());
    modified.is_some() && length.is_some() && sealed_from == (modified, length)
}

impl<A: Action> Job for StoredJob<A> {
    type Task = Task;
    type State = ();
    type Output = Outcome;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<(), Outcome>, Error> {
        let outcome = match task {
            Task::File { target, .. } => self.convey(task, target)?,
            Task::Skip { reason, .. } => Outcome::Skipped(*reason),
            Task::Bad { error: Some(error), .. } => return Err(Error::Walk(error.clone())),
            _ => return Err(Error::NoTargetName),
        };
        if let Outcome::File { plain_bytes, .. } = outcome {
            io.progress(plain_bytes);
        }
        Ok(Step::Done(outcome))
    }

    async fn part<I: Io>(&self, _: &I, _: &Task, (): &(), _: u64) -> Result<(), Error> {
        unreachable!("no task is split")
    }

    async fn finish<I: Io>(&self, _: &I, _: &Task, (): &(), _: bool) -> Result<Outcome, Error> {
        unreachable!("no task is split")
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == ErrorKind::Cancelled
    }
}

impl<A: Action> Reportable for StoredJob<A> {
    const VERB: &'static str = A::VERB;
    const DONE: &'static str = A::DONE;
    const NEEDS_TASKS: bool = A::NEEDS_TASKS;

    fn message(&self, task: &Task, error: &Error) -> String {
        failures::message(error, task.target().map(quoted).as_deref())
    }

    fn hint(&self, task: &Task, error: &Error) -> Option<Cow<'static, str>> {
        failures::hint(error, Some(task.source()).filter(|source| !is_object(source)))
    }

    fn run(
        &self,
        source: &mut dyn Source<Task>,
        setting: &Setting,
        on_event: &mut dyn FnMut(&Event<Self>),
    ) -> Report {
        haul_engine::run(self, source, &setting.config, on_event)
    }
}
