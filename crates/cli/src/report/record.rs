//! The JSON lines of `--json`: one for each finished task, then the report.
//!
//! Owns: their members. This is the only writer of both, for jobs and for streams, so both have the same members.
//! Does not own: members that describe one command's results (see [`super::describe`]), printing.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use haul_engine::{Change, Phases, Shortage};
use serde_json::{Map, Value, json};

use super::exit::Exit;
use super::stats::Usage;
use super::text::name_members;

/// The version of the form of all lines: see docs/json.md. Raised when a member is removed or changes its meaning.
pub(crate) const VERSION: u32 = 1;

/// The end of one task.
pub(crate) struct TaskRecord {
    pub(crate) id: u64,
    pub(crate) subject: OsString,
    pub(crate) succeeded: bool,
    /// `None` if the task's phases weren't measured: a stream's reads, computations and writes overlap.
    pub(crate) phases: Option<Phases>,
    /// The members that describe the result or the failure.
    pub(crate) members: Map<String, Value>,
}

impl TaskRecord {
    pub(crate) fn into_json(self) -> Value {
        let micros = |phase: fn(&Phases) -> Duration| {
            Value::from(self.phases.as_ref().map(|phases| saturating_micros(phase(phases))))
        };
        let own = [
            ("event", if self.succeeded { "done" } else { "failed" }.into()),
            ("task", self.id.into()),
            ("queue_us", micros(|phases| phases.queue)),
            ("device_us", micros(|phases| phases.device)),
            ("executor_us", micros(|phases| phases.executor)),
            ("compute_us", micros(|phases| phases.compute)),
        ];
        let mut members = self.members;
        members.extend(own.map(|(name, value)| (name.to_owned(), value)));
        members.extend(name_members("subject", &self.subject));
        Value::Object(members)
    }
}

/// Why a task failed.
pub(crate) struct FailureRecord<'a> {
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    pub(crate) hint: Option<&'a str>,
    /// The file that would have been made.
    pub(crate) target: Option<&'a Path>,
    pub(crate) exit: Exit,
}

/// Adds the members of a failure to those that describe it further.
pub(crate) fn add_failure(members: &mut Map<String, Value>, failure: &FailureRecord<'_>) {
    members.insert("kind".to_owned(), failure.kind.into());
    members.insert("error".to_owned(), failure.message.as_str().into());
    members.insert("exit".to_owned(), (failure.exit as u8).into());
    members.extend(failure.hint.map(|hint| ("hint".to_owned(), hint.into())));
    members.extend(failure.target.into_iter().flat_map(|target| name_members("target", target.as_os_str())));
}

/// The outcome of a run: the last line.
pub(crate) struct RunRecord<'a> {
    pub(crate) engine: String,
    pub(crate) engine_reason: &'a str,
    /// What the system refused the run.
    pub(crate) shortages: &'a [Shortage],
    /// Changes to faster engines.
    pub(crate) changes: &'a [Change],
    pub(crate) succeeded: u64,
    /// Failed tasks, without those that were cancelled.
    pub(crate) failed: u64,
    /// Tasks whose result was up to date.
    pub(crate) unchanged: u64,
    /// Tasks that were left alone on purpose.
    pub(crate) skipped: u64,
    pub(crate) cancelled_tasks: u64,
    /// Whether a signal ended the run.
    pub(crate) interrupted: bool,
    /// Payload bytes of the tasks that succeeded.
    pub(crate) bytes: u64,
    pub(crate) wall: Duration,
    pub(crate) usage: Usage,
    pub(crate) exit: Exit,
}

impl RunRecord<'_> {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "event": "report",
            "version": VERSION,
            "engine": self.engine,
            "engine_reason": self.engine_reason,
            "shortages": self.shortages.iter().map(shortage).collect::<Vec<_>>(),
            "engine_changes": self.changes.iter().map(change).collect::<Vec<_>>(),
            "succeeded": self.succeeded,
            "failed": self.failed,
            "unchanged": self.unchanged,
            "skipped": self.skipped,
            "cancelled_tasks": self.cancelled_tasks,
            "interrupted": self.interrupted,
            "bytes": self.bytes,
            "wall_s": self.wall.as_secs_f64(),
            "cpu_s": self.usage.cpu().as_secs_f64(),
            "user_s": self.usage.user.as_secs_f64(),
            "system_s": self.usage.system.as_secs_f64(),
            "context_switches": self.usage.waits + self.usage.preemptions,
            "exit": self.exit as u8,
        })
    }
}

/// The record of a run that had nothing to do, and why.
pub(crate) fn nothing_to_do(engine: &str, reason: &str) -> Value {
    let record = RunRecord {
        engine: engine.to_owned(),
        engine_reason: reason,
        shortages: &[],
        changes: &[],
        succeeded: 0,
        failed: 0,
        unchanged: 0,
        skipped: 0,
        cancelled_tasks: 0,
        interrupted: false,
        bytes: 0,
        wall: Duration::ZERO,
        usage: Usage::default(),
        exit: Exit::Success,
    };
    record.to_json()
}

fn shortage(shortage: &Shortage) -> Value {
    let Shortage { resource, wanted, granted, reason } = shortage;
    json!({ "resource": resource, "wanted": wanted, "granted": granted, "reason": reason })
}

fn change(change: &Change) -> Value {
    let Change { from, to, after, gain } = change;
    json!({ "from": from.to_string(), "to": to.to_string(), "after_s": after.as_secs_f64(), "gain": gain })
}

/// `time` in whole microseconds.
pub(crate) fn saturating_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_without_phases_has_the_same_members_as_one_with_them() {
        let members = |phases| {
            let members = Map::from_iter([("plain_bytes".to_owned(), 5.into())]);
            let record = TaskRecord { id: 3, subject: "a".into(), succeeded: true, phases, members };
            record.into_json()
        };
        let (measured, stream) = (members(Some(Phases::default())), members(None));
        let names = |record: &Value| record.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&measured), names(&stream));
        assert_eq!((&measured["queue_us"], &stream["queue_us"]), (&Value::from(0), &Value::Null));
        assert_eq!((&stream["event"], &stream["task"]), (&"done".into(), &3.into()));
    }
}
