//! What a job has to say about its tasks, its results and its failures, so that the reporter can report them.
//!
//! Owns: the traits between a command's jobs and the reports.
//! Does not own: the words of a particular job (each command's `describe` module), printing.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;

use haul_engine::{Config, Event, Job, Report, Source, Workers};
use haul_io::Shortfalls;
use serde_json::{Map, Value};

use super::exit::Exit;

/// A job whose events can be reported.
pub(crate) trait Reportable:
    Job<Task: Subject, Output: DescribeOutput<Self::Task>, Error: DescribeFailure> + Sized
{
    /// The infinitive, for use after "cannot": "fetch", "seal".
    const VERB: &'static str;
    /// The participle, as in "12 files sealed".
    const DONE: &'static str;
    /// Whether a run without a task fails, because its success would say something about files that weren't there.
    const NEEDS_TASKS: bool = false;
    /// Whether a run without a task is worth a warning of the reporter; others give their own.
    const WARNS_WITHOUT_TASKS: bool = false;

    /// The message about the failure of `task`, which names the path and the limit concerned.
    fn message(&self, _task: &Self::Task, error: &Self::Error) -> String {
        error.to_string()
    }

    /// Advice that may help against the failure.
    fn hint(&self, task: &Self::Task, error: &Self::Error) -> Option<Cow<'static, str>>;

    /// Runs every task of `source`: by [`haul_engine::run`], or by [`haul_engine::run_portable`] for a job that worker
    /// processes can do.
    fn run(
        &self,
        source: &mut dyn Source<Self::Task>,
        setting: &Setting,
        on_event: &mut dyn FnMut(&Event<Self>),
    ) -> Report;
}

/// How a run is carried out, and its worker processes.
pub(crate) struct Setting {
    pub(crate) config: Config,
    pub(crate) workers: Workers,
}

/// A task that has a name.
pub(crate) trait Subject {
    /// The file or URL that the task is about, as the user wrote it.
    fn subject(&self) -> Cow<'_, OsStr>;
    /// Whether the task is about a file of the user's. Others only report something.
    fn is_file(&self) -> bool {
        true
    }
    /// The length of the file in bytes, if it is known before the task starts.
    fn bytes(&self) -> Option<u64> {
        None
    }
    /// The file that the task makes, if it has a name that is shown.
    fn target(&self) -> Option<&Path> {
        None
    }
    /// Whether work on the task was begun; `None` if only its times tell.
    fn was_begun(&self) -> Option<bool> {
        None
    }
    /// Whether a part of the result is kept, although the task didn't succeed.
    fn is_kept(&self) -> bool {
        false
    }
    /// As [`Subject::bytes`], but looks at the file if it must.
    fn bytes_at_start(&self) -> Option<u64> {
        self.bytes()
    }
}

/// A task's output, described.
pub(crate) trait DescribeOutput<T> {
    /// The text after the subject in the line that `-v` prints; `None` if the output needs no line.
    fn detail(&self, task: &T) -> Option<String>;
    /// As [`DescribeOutput::detail`], for the only file of a run, which is reported even without `-v`; `None` if the
    /// user sees the result anyway.
    fn detail_of_only(&self, task: &T) -> Option<String> {
        self.detail(task)
    }
    /// Something about the result that the user should know even without `-v`.
    fn remark(&self) -> Option<String>;
    /// What the file systems couldn't do for the result. Each is reported once.
    fn shortfalls(&self) -> Shortfalls {
        Shortfalls::default()
    }
    /// Additional members of the JSON object.
    fn members(&self, task: &T) -> Map<String, Value>;
    /// Whether the task was left alone on purpose, so that it isn't counted as done.
    fn is_skipped(&self) -> bool {
        false
    }
    /// Whether the result was up to date, so that nothing was done.
    fn is_unchanged(&self) -> bool {
        false
    }
}

/// A task's failure, described.
pub(crate) trait DescribeFailure: std::error::Error {
    /// The exit code that this failure calls for.
    fn exit(&self) -> Exit;
    /// The kind of failure, for scripts: see docs/json.md.
    fn kind(&self) -> &'static str;
    /// Whether the reader of the result closed its pipe. This ends the run without a message.
    fn is_unread(&self) -> bool {
        false
    }
    /// Additional members of the JSON object.
    fn members(&self) -> Map<String, Value> {
        Map::new()
    }
}
