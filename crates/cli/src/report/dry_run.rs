//! The output of `--dry-run`: a line for each task, or a JSON object with `--json`, then the report.
//!
//! Owns: its form, the exit code.
//! Does not own: finding the tasks.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Display;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::exit::Exit;
use super::record::VERSION;
use super::text::{counted, name_members, quoted};
use super::voice::Voice;

/// Prints the plan of one command.
pub(crate) struct DryRun<'a> {
    voice: &'a Voice,
    /// Print JSON lines.
    json: bool,
    /// The infinitive: "seal", "fetch".
    verb: &'static str,
    planned: u64,
    skipped: u64,
    failed: u64,
    /// Files of trees that their names leave out.
    left_out: u64,
    /// Files and directories of trees that patterns leave out.
    excluded: u64,
    /// The number of skipped files for each reason.
    skip_reasons: BTreeMap<String, u64>,
    /// The reader of stdout closed its pipe.
    unread: bool,
}

impl<'a> DryRun<'a> {
    pub(crate) fn new(verb: &'static str, json: bool, voice: &'a Voice) -> Self {
        Self {
            voice,
            json,
            verb,
            planned: 0,
            skipped: 0,
            failed: 0,
            left_out: 0,
            excluded: 0,
            skip_reasons: BTreeMap::new(),
            unread: false,
        }
    }

    /// `subject` would be processed. `words` say from where to where; `target` is the file that would be made, if any.
    pub(crate) fn plan(&mut self, words: &str, subject: &OsStr, target: Option<&Path>) {
        self.planned += 1;
        let mut members = event("planned", subject);
        members.insert("verb".to_owned(), self.verb.into());
        match target {
            Some(target) => members.extend(name_members("target", target.as_os_str())),
            None => members.extend([("target".to_owned(), Value::Null)]),
        }
        self.print(format!("{} {words}", self.verb), members);
    }

    /// `subject` would be skipped.
    pub(crate) fn skip(&mut self, subject: &OsStr, reason: &str) {
        self.skipped += 1;
        *self.skip_reasons.entry(reason.to_owned()).or_default() += 1;
        let mut members = event("planned", subject);
        members.insert("skipped".to_owned(), reason.into());
        self.print(format!("skip {} ({reason})", quoted(subject)), members);
    }

    /// `subject` would fail.
    pub(crate) fn fail(&mut self, subject: &OsStr, reason: &str) {
        self.failed += 1;
        self.voice.error(format!("cannot {} {}: {reason}", self.verb, quoted(subject)));
        if self.json {
            let mut members = event("failed", subject);
            members.insert("kind".to_owned(), "plan".into());
            members.insert("error".to_owned(), reason.into());
            self.unread |= !self.voice.data(Value::Object(members));
        }
    }

    /// Whether the reader of stdout closed its pipe.
    pub(crate) fn is_unread(&self) -> bool {
        self.unread
    }

    /// Notes how much of the trees is left out: by the names of files, and by patterns.
    pub(crate) fn leave_out(&mut self, by_name: u64, by_pattern: u64) {
        (self.left_out, self.excluded) = (by_name, by_pattern);
    }

    /// Prints the report.
    pub(crate) fn end(self) -> Exit {
        let exit = if self.failed > 0 { Exit::Failed } else { Exit::Success };
        if self.json && !self.unread {
            let Self { planned, skipped, failed, left_out, excluded, .. } = self;
            let exit = exit as u8;
            self.voice.data(json!({
                "event": "report", "version": VERSION, "planned": planned, "skipped": skipped,
                "failed": failed, "left_out": left_out, "excluded": excluded, "exit": exit,
            }));
        }
        if self.excluded > 0 {
            let count = counted(self.excluded, "file or directory", "files and directories");
            self.voice.note(format!("left out: {count}, by --include and --exclude"));
        }
        for (reason, count) in &self.skip_reasons {
            self.voice.note(format!("skipped: {}, {reason}", counted(*count, "file", "files")));
        }
        exit
    }

    fn print(&mut self, text: impl Display, members: Map<String, Value>) {
        self.unread |=
            !if self.json { self.voice.data(Value::Object(members)) } else { self.voice.data(text) };
    }
}

/// The members of the line about `subject`.
fn event(name: &str, subject: &OsStr) -> Map<String, Value> {
    let event = ("event".to_owned(), Value::from(name));
    name_members("subject", subject).chain([event]).collect()
}
