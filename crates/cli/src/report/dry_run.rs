//! The output of `--dry-run`: a line for each task, or a JSON object with `--json`, then the report.
//!
//! Owns: its form, the exit code.
//! Does not own: finding the tasks.

use std::fmt::Display;
use std::path::Path;

use serde_json::{Value, json};

use super::exit::Exit;
use super::text::quoted;
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
    /// The reader of stdout closed its pipe.
    unread: bool,
}

impl<'a> DryRun<'a> {
    pub(crate) fn new(verb: &'static str, json: bool, voice: &'a Voice) -> Self {
        Self { voice, json, verb, planned: 0, skipped: 0, failed: 0, unread: false }
    }

    /// `subject` would be processed. `words` say from where to where; `target` is the file that would be made, if any.
    pub(crate) fn plan(&mut self, words: &str, subject: &str, target: Option<&Path>) {
        self.planned += 1;
        let target = target.map(Path::to_string_lossy);
        let members = json!({ "event": "planned", "verb": self.verb, "subject": subject, "target": target });
        self.print(format!("{} {words}", self.verb), members);
    }

    /// `subject` would be skipped.
    pub(crate) fn skip(&mut self, subject: &str, reason: &str) {
        self.skipped += 1;
        let members = json!({ "event": "planned", "skipped": reason, "subject": subject });
        self.print(format!("skip {} ({reason})", quoted(subject)), members);
    }

    /// `subject` would fail.
    pub(crate) fn fail(&mut self, subject: &str, reason: &str) {
        self.failed += 1;
        self.voice.error(format!("cannot {} {}: {reason}", self.verb, quoted(subject)));
        if self.json {
            let members = json!({ "event": "failed", "subject": subject, "error": reason });
            self.unread |= !self.voice.data(members);
        }
    }

    /// Whether the reader of stdout closed its pipe.
    pub(crate) fn is_unread(&self) -> bool {
        self.unread
    }

    /// Prints the report.
    pub(crate) fn end(self) -> Exit {
        let exit = if self.failed > 0 { Exit::Failed } else { Exit::Success };
        if self.json && !self.unread {
            let Self { planned, skipped, failed, .. } = self;
            let exit = exit as u8;
            self.voice.data(json!({
                "event": "report", "planned": planned, "skipped": skipped, "failed": failed, "exit": exit,
            }));
        }
        exit
    }

    fn print(&mut self, text: impl Display, members: Value) {
        self.unread |= !if self.json { self.voice.data(members) } else { self.voice.data(text) };
    }
}
