//! `haul inspect`.
//!
//! Owns: its plan, its output as text and as JSON.
//! Does not own: finding the facts ([`haul_seal::inspect`]).

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use haul_io::Cancel;
use haul_seal::{During, Error, Inspection, PostQuantum, Tally, Task, inspect, inspect_task};
use haul_store::Store;
use serde_json::{Map, Value};

use super::describe::skip_reason;
use super::endpoints::{self, PathKind, is_dash, is_descriptor};
use super::stored::Listed;
use super::tasks::say_left_out;
use super::verify::{check_suffix, sealed_files};
use crate::args::InspectArgs;
use crate::report::describe::DescribeFailure;
use crate::report::exit::{Exit, Problem};
use crate::report::text::{counted, name_members, quoted};
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::stores::objects::{self, is_object, is_prefix};
use crate::stores::variables::StoreVariables;

/// What `haul inspect` is to do.
#[derive(Debug)]
pub(crate) struct InspectPlan {
    /// Read stdin. There are then no other inputs.
    stdin: bool,
    inputs: Vec<PathBuf>,
    suffix: OsString,
    json: bool,
    stores: StoreVariables,
}

impl InspectPlan {
    pub(crate) fn resolve(args: &InspectArgs, environment: &Environment) -> Result<Self, Problem> {
        let stdin = endpoints::input(&args.paths, PathKind::by_name)?.is_some();
        check_suffix(&args.suffix)?;
        let inputs = if stdin { Vec::new() } else { args.paths.clone() };
        let (suffix, stores) = (args.suffix.clone(), StoreVariables::resolve(environment));
        Ok(Self { stdin, inputs, suffix, json: args.json, stores })
    }

    /// The store, if the input is in one.
    fn store(&self, cancel: &Cancel) -> Result<Option<Store>, Problem> {
        let [input] = self.inputs.as_slice() else { return Ok(None) };
        if !is_object(input) {
            return Ok(None);
        }
        let store = self.stores.store(cancel);
        store.map(Some).map_err(|error| Problem::usage(format!("cannot read {}: {error}", quoted(input))))
    }

    fn tasks(&self, store: Option<&Store>) -> Result<(Box<dyn Iterator<Item = Task>>, Tally), Problem> {
        match (store, self.inputs.as_slice()) {
            (Some(store), [input]) if is_prefix(input) => {
                let listed = Listed::to_check(input, &self.suffix)?;
                let tally = listed.tally();
                Ok((Box::new(listed.in_store(store)), tally))
            }
            (Some(_), [input]) => {
                let tally = Tally::default();
                tally.take();
                Ok((Box::new(std::iter::once(Task::check(input))), tally))
            }
            (_, inputs) => {
                let (tasks, tally) = sealed_files(inputs, &self.suffix)?;
                Ok((Box::new(tasks), tally))
            }
        }
    }

    pub(crate) fn run(&self, voice: &Voice) -> Result<Exit, Problem> {
        let mut exit = Exit::Success;
        let stdin = self.stdin.then(|| Task::check("-"));
        let cancel = Cancel::new()?;
        let store = self.store(&cancel)?;
        let (tasks, tally) = self.tasks(store.as_ref())?;
        for task in stdin.into_iter().chain(tasks) {
            let facts = match &task {
                Task::File { source, .. } if is_dash(source) => inspect(std::io::stdin().lock(), None),
                Task::File { source, found: None, .. } if is_descriptor(source) => inspect_descriptor(source),
                Task::File { source, .. } => match &store {
                    Some(store) => inspect_object(store, source),
                    None => inspect_task(&task, &cancel),
                },
                Task::Bad { error: Some(error), .. } => Err(Error::Walk(error.clone())),
                Task::Skip { source, reason } => {
                    voice.note(format!("{} was left alone: {}", quoted(source), skip_reason(*reason)));
                    continue;
                }
                _ => continue,
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

/// Inspects what the open descriptor at `path` gives, such as the pipe of a process substitution.
fn inspect_descriptor(path: &Path) -> Result<Inspection, Error> {
    let file = File::open(path).map_err(|source| Error::Io { step: During::OpenSource, source })?;
    inspect(file, None)
}

fn inspect_object(store: &Store, path: &Path) -> Result<Inspection, Error> {
    let reader = objects::read(store, path)?;
    let bytes = reader.stat().bytes;
    inspect(reader, Some(bytes))
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
    let own: [(&str, Value); 8] = [
        ("event", "inspected".into()),
        ("stanzas", Map::from_iter(stanzas).into()),
        ("post_quantum", name(facts.post_quantum).into()),
        ("armored", facts.armored.into()),
        ("header_bytes", facts.header_bytes.into()),
        ("chunk_count", facts.chunk_count.into()),
        ("plain_bytes", facts.plain_bytes.into()),
        ("file_bytes", facts.file_bytes.into()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    Value::Object(name_members("subject", task.source().as_os_str()).chain(own).collect())
}
