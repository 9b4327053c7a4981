//! `haul inspect`.
//!
//! Owns: its plan, its output as text and as JSON.
//! Does not own: finding the facts ([`haul_seal::inspect`]).

use std::ffi::OsString;
use std::path::PathBuf;

use haul_seal::{Error, Inspection, PostQuantum, Task, inspect, inspect_file};
use serde_json::{Map, Value, json};

use super::endpoints::{self, PathKind, is_dash};
use super::tasks::say_left_out;
use super::verify::{check_suffix, sealed_files};
use crate::args::InspectArgs;
use crate::report::describe::DescribeFailure;
use crate::report::exit::{Exit, Problem};
use crate::report::text::{counted, quoted};
use crate::report::voice::Voice;

/// What `haul inspect` is to do.
#[derive(Debug)]
pub(crate) struct InspectPlan {
    /// Read stdin. There are then no other inputs.
    stdin: bool,
    inputs: Vec<PathBuf>,
    suffix: OsString,
    json: bool,
}

impl InspectPlan {
    pub(crate) fn resolve(args: &InspectArgs) -> Result<Self, Problem> {
        let stdin = endpoints::input(&args.paths, PathKind::by_name)?.is_some();
        check_suffix(&args.suffix)?;
        let inputs = if stdin { Vec::new() } else { args.paths.clone() };
        Ok(Self { stdin, inputs, suffix: args.suffix.clone(), json: args.json })
    }

    pub(crate) fn run(&self, voice: &Voice) -> Result<Exit, Problem> {
        let mut exit = Exit::Success;
        let stdin = self.stdin.then(|| Task::check("-"));
        let (tasks, tally) = sealed_files(&self.inputs, &self.suffix)?;
        for task in stdin.into_iter().chain(tasks) {
            let facts = match &task {
                Task::File { source, .. } if is_dash(source) => inspect(std::io::stdin().lock(), None),
                Task::File { source, .. } => inspect_file(source),
                Task::Bad { error: Some(error), .. } => Err(Error::Walk(error.clone())),
                Task::Bad { .. } | Task::Refused { .. } | Task::Mirrored { .. } | Task::Skip { .. } => {
                    continue;
                }
            };
            let subject = quoted(task.source());
            let is_read = match facts {
                Ok(facts) if self.json => voice.data(members(&task, &facts)),
                Ok(facts) => voice.data(text(&subject, &facts)),
                Err(error) => {
                    exit = exit.max(error.exit());
                    voice.error(format!("cannot inspect {subject}: {error}"));
                    true
                }
            };
            if !is_read {
                break;
            }
        }
        if !self.stdin {
            say_left_out("inspect", &tally, voice);
        }
        Ok(exit)
    }
}

fn text(subject: &str, facts: &Inspection) -> String {
    let recipients: Vec<_> = facts
        .stanzas
        .iter()
        .map(|(tag, count)| if *count == 1 { tag.clone() } else { format!("{count} × {tag}") })
        .collect();
    let lines = [
        ("recipients", recipients.join(", ")),
        ("post-quantum", name(facts.post_quantum).to_owned()),
        ("armor", if facts.armored { "yes" } else { "no" }.to_owned()),
        ("header", counted(facts.header_bytes, "byte", "bytes")),
        ("chunks", facts.chunk_count.to_string()),
        ("plaintext", counted(facts.plain_bytes, "byte", "bytes")),
        ("file", counted(facts.file_bytes, "byte", "bytes")),
    ];
    lines.iter().fold(subject.to_owned(), |text, (what, value)| format!("{text}\n  {what:12}  {value}"))
}

fn name(post_quantum: PostQuantum) -> &'static str {
    match post_quantum {
        PostQuantum::Yes => "yes",
        PostQuantum::No => "no",
        PostQuantum::Unknown => "unknown",
    }
}

fn members(task: &Task, facts: &Inspection) -> Value {
    let stanzas = facts.stanzas.iter().map(|(tag, count)| (tag.clone(), Value::from(*count)));
    json!({
        "subject": task.source().to_string_lossy(),
        "stanzas": Map::from_iter(stanzas),
        "post_quantum": name(facts.post_quantum),
        "armored": facts.armored,
        "header_bytes": facts.header_bytes,
        "chunk_count": facts.chunk_count,
        "plain_bytes": facts.plain_bytes,
        "file_bytes": facts.file_bytes,
    })
}
