//! `haul inspect`.
//!
//! Owns: its words, its JSON.
//! Does not own: finding the facts ([`haul_seal::inspect`]).

use haul_seal::{Error, Inspection, PostQuantum, Task, inspect, inspect_file};
use serde_json::{Map, Value, json};

use crate::args::InspectArgs;
use crate::exit::{Exit, Problem};
use crate::report::Explained;
use crate::streams::{self, is_dash};
use crate::verify::tasks;
use crate::voice::{Voice, counted, quoted};

pub(crate) fn run(args: &InspectArgs, voice: &Voice) -> Result<Exit, Problem> {
    streams::input(&args.paths)?;
    let mut exit = Exit::Success;
    let first = args.paths.first().filter(|path| is_dash(path));
    let files = tasks(if first.is_some() { &[] } else { &args.paths }, &args.suffix)?;
    for task in first.map(Task::check).into_iter().chain(files) {
        let facts = match &task {
            Task::File { source, .. } if is_dash(source) => inspect(std::io::stdin().lock(), None),
            Task::File { source, .. } => inspect_file(source),
            Task::Bad { error: Some(error), .. } => Err(Error::Walk(error.clone())),
            Task::Bad { .. } | Task::Refused { .. } | Task::Mirrored { .. } | Task::Skip { .. } => continue,
        };
        let subject = quoted(task.source());
        let goes_on = match facts {
            Ok(facts) if args.json => voice.data(members(&task, &facts)),
            Ok(facts) => voice.data(words(&subject, &facts)),
            Err(error) => {
                exit = exit.max(error.exit());
                voice.error(format!("cannot inspect {subject}: {error}"));
                true
            }
        };
        if !goes_on {
            break;
        }
    }
    Ok(exit)
}

fn words(subject: &str, facts: &Inspection) -> String {
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
