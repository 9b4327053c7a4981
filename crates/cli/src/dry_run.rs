//! What `--dry-run` says: a line for each task, or an object with `--json`, and then the report.
//!
//! Owns: the form of it, the exit code.
//! Does not own: finding the tasks.

use std::fmt::Display;
use std::path::Path;

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::voice::{Voice, quoted};

pub(crate) struct DryRun<'a> {
    voice: &'a Voice,
    /// As JSON.
    json: bool,
    /// What is done, in the infinitive.
    verb: &'static str,
    planned: u64,
    skipped: u64,
    failed: u64,
    /// Nobody reads it any more.
    unread: bool,
}

impl<'a> DryRun<'a> {
    pub(crate) fn new(verb: &'static str, json: bool, voice: &'a Voice) -> Self {
        Self { voice, json, verb, planned: 0, skipped: 0, failed: 0, unread: false }
    }

    /// `subject` would be dealt with, and the result would be the file `target`, if one. In `words`: from where to where.
    pub(crate) fn plan(&mut self, words: &str, subject: &str, target: Option<&Path>) {
        self.planned += 1;
        let target = target.map(Path::to_string_lossy);
        let members = json!({ "event": "planned", "verb": self.verb, "subject": subject, "target": target });
        self.tell(format!("{} {words}", self.verb), members);
    }

    /// `subject` would be left alone.
    pub(crate) fn skip(&mut self, subject: &str, reason: &str) {
        self.skipped += 1;
        let members = json!({ "event": "planned", "skipped": reason, "subject": subject });
        self.tell(format!("skip {} ({reason})", quoted(subject)), members);
    }

    /// `subject` can't be dealt with, as is known already.
    pub(crate) fn fail(&mut self, subject: &str, reason: &str) {
        self.failed += 1;
        self.voice.error(format!("cannot {} {}: {reason}", self.verb, quoted(subject)));
        if self.json {
            let members = json!({ "event": "failed", "subject": subject, "error": reason });
            self.unread |= !self.voice.data(members);
        }
    }

    /// Whether nobody reads it any more.
    pub(crate) fn is_unread(&self) -> bool {
        self.unread
    }

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

    fn tell(&mut self, text: impl Display, members: Value) {
        self.unread |= !if self.json { self.voice.data(members) } else { self.voice.data(text) };
    }
}
