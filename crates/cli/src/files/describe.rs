//! Descriptions of the jobs on files: their verbs, results and remarks.
//!
//! Owns: words, JSON members, exit codes.
//! Does not own: the words of failures ([`failures`]), the form of messages and of the report
//! ([`crate::report`]).

pub(super) mod failures;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;

use haul_engine::{Event, Portable, Report, Source, run_portable};
use haul_io::Shortfalls;
use haul_seal::{
    Error, ErrorKind, OpenJob, Outcome, RekeyJob, Remarks, Replacing, SealJob, SkipReason, Task, VerifyJob,
    XorJob,
};
use serde_json::{Map, Value};

use crate::report::describe::{DescribeFailure, DescribeOutput, Reportable, Setting, Subject};
use crate::report::exit::Exit;
use crate::report::shortfalls;
use crate::report::text::{counted, human_bytes, name_members, quoted};
use crate::run::workers::WorkerKind;

/// The reason in words.
pub(super) fn skip_reason(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Symlink => "a symbolic link",
        SkipReason::Special => "neither a file nor a directory",
        SkipReason::Secret => "it holds a key or passphrase of this run",
        SkipReason::Identity => "an identity that a passphrase protects; name the file itself to open it",
        SkipReason::Suffixed => "its name says that it is sealed, but it is not an age file",
        SkipReason::Unchanged => "it is unchanged since it was sealed",
        SkipReason::OtherName => "another name of a file that is already included",
        _ => "it is skipped",
    }
}

fn remarks_text(remarks: &Remarks) -> Option<String> {
    let Remarks { other_names, lost_attributes, .. } = remarks;
    let mut words = Vec::new();
    if *other_names > 0 {
        let count = counted(*other_names, "other name", "other names");
        words.push(format!("has {count} (hard links), which this doesn't change"));
    }
    if !lost_attributes.is_empty() {
        words.push(lost_attributes_text(lost_attributes));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

fn lost_attributes_text(attributes: &[String]) -> String {
    let names: Vec<_> = attributes.iter().map(quoted).collect();
    format!("has attributes that the result lacks: {}", names.join(", "))
}

/// A job on files, which worker processes can do.
pub(super) trait FileJob: Portable<Task = Task, Output = Outcome, Error = Error> + Sized {
    /// See [`Reportable::VERB`].
    const VERB: &'static str;
    /// See [`Reportable::DONE`].
    const DONE: &'static str;
    /// The workers that do it.
    const WORKERS: WorkerKind;
    /// See [`Reportable::NEEDS_TASKS`].
    const NEEDS_TASKS: bool = false;
}

impl<J: FileJob> Reportable for J {
    const VERB: &'static str = <J as FileJob>::VERB;
    const DONE: &'static str = <J as FileJob>::DONE;
    const NEEDS_TASKS: bool = <J as FileJob>::NEEDS_TASKS;

    fn message(&self, task: &Task, error: &Error) -> String {
        failures::message(error, task.target().map(quoted).as_deref())
    }

    fn hint(&self, task: &Task, error: &Error) -> Option<Cow<'static, str>> {
        if matches!(error, Error::Exists) && <J as FileJob>::VERB == <SealJob as FileJob>::VERB {
            return Some("--force overwrites existing results, --update those that are out of date".into());
        }
        failures::hint(error, Some(task.source()))
    }

    fn run(
        &self,
        source: &mut dyn Source<Task>,
        setting: &Setting,
        on_event: &mut dyn FnMut(&Event<Self>),
    ) -> Report {
        let workers = J::WORKERS.command(&setting.workers);
        run_portable(self, source, &setting.config, &workers, on_event)
    }
}

impl FileJob for SealJob {
    const VERB: &'static str = "seal";
    const DONE: &'static str = "sealed";
    const WORKERS: WorkerKind = WorkerKind::Seal;
}

impl FileJob for OpenJob {
    const VERB: &'static str = "open";
    const DONE: &'static str = "opened";
    const WORKERS: WorkerKind = WorkerKind::Open;
}

impl FileJob for Replacing<SealJob> {
    const VERB: &'static str = <SealJob as FileJob>::VERB;
    const DONE: &'static str = <SealJob as FileJob>::DONE;
    const WORKERS: WorkerKind = WorkerKind::SealReplacing;
}

impl FileJob for Replacing<OpenJob> {
    const VERB: &'static str = <OpenJob as FileJob>::VERB;
    const DONE: &'static str = <OpenJob as FileJob>::DONE;
    const WORKERS: WorkerKind = WorkerKind::OpenReplacing;
}

impl FileJob for XorJob {
    const VERB: &'static str = "transform";
    const DONE: &'static str = "transformed";
    const WORKERS: WorkerKind = WorkerKind::Xor;
}

impl FileJob for RekeyJob {
    const VERB: &'static str = "rekey";
    const DONE: &'static str = "rekeyed";
    const WORKERS: WorkerKind = WorkerKind::Rekey;
}

impl FileJob for VerifyJob {
    const VERB: &'static str = "verify";
    const DONE: &'static str = "verified";
    const WORKERS: WorkerKind = WorkerKind::Verify;
    const NEEDS_TASKS: bool = true;
}

impl Subject for Task {
    fn subject(&self) -> Cow<'_, OsStr> {
        self.source().as_os_str().into()
    }

    fn is_file(&self) -> bool {
        !matches!(self, Task::Mirrored { .. })
    }

    fn bytes(&self) -> Option<u64> {
        match self {
            Task::File { found, .. } => Some(found.as_ref()?.stat.bytes),
            // Nothing is read.
            _ => Some(0),
        }
    }

    fn target(&self) -> Option<&Path> {
        match self {
            Task::File { target, .. } if !target.as_os_str().is_empty() => Some(target),
            _ => None,
        }
    }

    fn bytes_at_start(&self) -> Option<u64> {
        match self {
            Task::File { source, found: None, .. } => Some(source.metadata().ok()?.len()),
            _ => self.bytes(),
        }
    }
}

impl DescribeOutput<Task> for Outcome {
    fn detail(&self, task: &Task) -> Option<String> {
        match (task, self) {
            (Task::File { target, .. }, Outcome::File { plain_bytes, .. })
                if target.as_os_str().is_empty() =>
            {
                Some(format!("is authentic, {}", human_bytes(*plain_bytes)))
            }
            (Task::File { target, .. }, Outcome::File { plain_bytes, .. }) => {
                Some(format!("-> {}, {}", quoted(target), human_bytes(*plain_bytes)))
            }
            (_, Outcome::Packed { plain_bytes, shard, .. }) => {
                Some(format!("-> {}, {}", quoted(shard), human_bytes(*plain_bytes)))
            }
            (Task::File { target, .. }, Outcome::Skipped(SkipReason::Unchanged)) => {
                Some(format!("-> {}, unchanged", quoted(target)))
            }
            _ => None,
        }
    }

    fn is_skipped(&self) -> bool {
        matches!(self, Outcome::Skipped(_)) && !DescribeOutput::<Task>::is_unchanged(self)
    }

    fn is_unchanged(&self) -> bool {
        matches!(self, Outcome::Skipped(SkipReason::Unchanged))
    }

    fn remark(&self) -> Option<String> {
        match self {
            Outcome::Skipped(SkipReason::Unchanged) => None,
            Outcome::Skipped(reason) => Some(format!("was left alone: {}", skip_reason(*reason))),
            Outcome::File { remarks, .. } | Outcome::Packed { remarks, .. } => remarks_text(remarks),
            Outcome::Mirrored { lost_attributes, .. } => {
                (!lost_attributes.is_empty()).then(|| lost_attributes_text(lost_attributes))
            }
            _ => None,
        }
    }

    fn members(&self, task: &Task) -> Map<String, Value> {
        let mut members = Map::new();
        match self {
            Outcome::File { plain_bytes, sealed_bytes, remarks } => {
                if let Task::File { target, .. } = task
                    && !target.as_os_str().is_empty()
                {
                    members.extend(name_members("target", target.as_os_str()));
                }
                members.insert("plain_bytes".to_owned(), (*plain_bytes).into());
                members.insert("sealed_bytes".to_owned(), (*sealed_bytes).into());
                if !remarks.lost_attributes.is_empty() {
                    members.insert("lost_attributes".to_owned(), remarks.lost_attributes.clone().into());
                }
                if remarks.other_names > 0 {
                    members.insert("other_names".to_owned(), remarks.other_names.into());
                }
            }
            Outcome::Packed { plain_bytes, shard, remarks } => {
                members.extend(name_members("shard", shard.as_os_str()));
                members.insert("plain_bytes".to_owned(), (*plain_bytes).into());
                if remarks.other_names > 0 {
                    members.insert("other_names".to_owned(), remarks.other_names.into());
                }
            }
            Outcome::Mirrored { lost_attributes, .. } => {
                members.insert("lost_attributes".to_owned(), lost_attributes.clone().into());
            }
            Outcome::Skipped(SkipReason::Unchanged) => {
                if let Task::File { target, .. } = task {
                    members.extend(name_members("target", target.as_os_str()));
                }
                members.insert("unchanged".to_owned(), true.into());
            }
            Outcome::Skipped(reason) => {
                members.insert("skipped".to_owned(), skip_reason(*reason).into());
            }
            _ => {}
        }
        let missing = DescribeOutput::<Task>::shortfalls(self);
        if !missing.is_empty() {
            members.insert("not_kept".to_owned(), shortfalls::names(missing).into());
        }
        members
    }

    fn shortfalls(&self) -> Shortfalls {
        match self {
            Outcome::File { remarks, .. } | Outcome::Packed { remarks, .. } => remarks.shortfalls,
            Outcome::Mirrored { shortfalls, .. } => *shortfalls,
            _ => Shortfalls::default(),
        }
    }
}

impl DescribeFailure for Error {
    fn exit(&self) -> Exit {
        match self.kind() {
            ErrorKind::NoMatch => Exit::NoMatch,
            ErrorKind::Damaged => Exit::Damaged,
            ErrorKind::NoSpace => Exit::NoSpace,
            _ => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        failures::kind(self)
    }

    fn members(&self) -> Map<String, Value> {
        failures::members(self)
    }
}
