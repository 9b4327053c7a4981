//! The end of a run: what became of its files.
//!
//! Owns: counting them, the words of the summary, grouping equal failures.
//! Does not own: when the summary is printed ([`super::reporter`]).

use std::collections::HashMap;

use haul_engine::{Engine, Report};

use super::stats::Usage;
use super::text::{counted, human_bytes};

/// Equal failures that are reported one by one.
const ALIKE_MAX: u64 = 3;
/// Different failures that are remembered; beyond them, each is reported.
const GROUPS_MAX: usize = 1_000;

/// How a run ended, apart from its tasks.
pub(crate) struct Ending<'a> {
    pub(crate) report: &'a Report,
    /// The engine that was chosen, and why.
    pub(crate) chosen: Engine,
    pub(crate) reason: &'a str,
    pub(crate) usage: &'a Usage,
    pub(crate) retries: u64,
    pub(crate) rest: Rest,
}

/// The files that a source still had when the run ended early.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rest {
    pub(crate) count: u64,
    /// Whether there are no others.
    pub(crate) is_all: bool,
}

/// What became of the files of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Files that succeeded, the unchanged and skipped ones included.
    pub(super) succeeded: u64,
    pub(super) unchanged: u64,
    pub(super) skipped: u64,
    /// Files that were cancelled after some work.
    dropped: u64,
    /// Those of which a part is kept.
    kept: u64,
    /// Files that were cancelled before any work.
    unbegun: u64,
}

impl Ending<'_> {
    pub(super) fn engine(&self) -> String {
        self.report.engine.unwrap_or(self.chosen).to_string()
    }

    pub(super) fn engine_reason(&self) -> String {
        match &self.report.fallback {
            Some(fallback) => format!("instead of {}: {}", fallback.asked, fallback.reason),
            None => self.reason.to_owned(),
        }
    }

    /// The engine, why it was chosen, what it lacks, and what took its place.
    pub(super) fn about_engine(&self) -> String {
        let shortages: String =
            self.report.shortages.iter().map(|shortage| format!("; {shortage}")).collect();
        let changes: String = self.report.changes.iter().map(|change| format!("; {change}")).collect();
        format!(", {} ({}{shortages}{changes})", self.engine(), self.engine_reason())
    }

    /// The time and, if there was anything to transfer, the mean rate.
    pub(super) fn time_and_rate(&self) -> String {
        let seconds = self.report.wall.as_secs_f64();
        let rate = (self.report.bytes as f64 / seconds.max(1e-6)) as u64;
        let rate = if self.report.bytes > 0 { format!(", {}/s", human_bytes(rate)) } else { String::new() };
        format!(" in {seconds:.2} s{rate}")
    }
}

impl Counts {
    /// Counts a file that was cancelled.
    pub(super) fn cancel(&mut self, was_begun: bool, is_kept: bool) {
        let count = match (is_kept, was_begun) {
            (true, _) => &mut self.kept,
            (false, true) => &mut self.dropped,
            (false, false) => &mut self.unbegun,
        };
        *count += 1;
    }

    /// What became of the files. `done` is the participle.
    pub(super) fn summary(&self, done: &str, ending: &Ending<'_>) -> String {
        let files = self.succeeded.saturating_sub(self.unchanged + self.skipped);
        let mut text = format!("{} {done}", counted(files, "file", "files"));
        for (count, what) in [
            (self.unchanged, "unchanged"),
            (self.skipped, "skipped"),
            (ending.report.failed, "failed"),
            (ending.retries, "retried"),
            (self.kept, "kept in parts (-c goes on)"),
            (self.dropped, "dropped"),
        ] {
            if count > 0 {
                text += &format!(", {count} {what}");
            }
        }
        if ending.report.cancelled {
            text += &match (self.unbegun + ending.rest.count, ending.rest.is_all) {
                (0, true) => String::new(),
                (count, true) => format!(", {count} not begun"),
                (0, false) => ", others not begun".to_owned(),
                (count, false) => format!(", {count} or more not begun"),
            };
        }
        text + &format!(", {}{}", human_bytes(ending.report.bytes), ending.time_and_rate())
    }
}

/// Counts failures by their messages.
#[derive(Debug, Default)]
pub(super) struct Groups(HashMap<String, u64>);

impl Groups {
    /// Counts a failure. Returns whether it is one of the first of its kind, which are reported one by one.
    pub(super) fn is_news(&mut self, message: &str) -> bool {
        match self.0.get_mut(message) {
            Some(count) => {
                *count += 1;
                *count <= ALIKE_MAX
            }
            None => {
                if self.0.len() < GROUPS_MAX {
                    self.0.insert(message.to_owned(), 1);
                }
                true
            }
        }
    }

    /// The messages and numbers of failures that weren't reported one by one.
    pub(super) fn others(&self) -> impl Iterator<Item = (&str, u64)> {
        let mut others: Vec<_> = self.0.iter().filter(|(_, count)| **count > ALIKE_MAX).collect();
        others.sort();
        others.into_iter().map(|(message, count)| (message.as_str(), count - ALIKE_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_failures_are_grouped_after_the_third() {
        let mut groups = Groups::default();
        let news = ["a", "b", "a", "a", "a", "a", "b"].map(|message| groups.is_news(message));
        assert_eq!(news, [true, true, true, true, false, false, true]);
        assert_eq!(groups.others().collect::<Vec<_>>(), [("a", 2)]);
        (0..2 * GROUPS_MAX).for_each(|number| _ = groups.is_news(&number.to_string()));
        assert_eq!(groups.0.len(), GROUPS_MAX);
        assert!(groups.is_news("another"), "what isn't remembered is reported");
    }

    #[test]
    fn the_summary_names_what_became_of_the_files() {
        let mut counts = Counts { succeeded: 9, unchanged: 2, skipped: 1, ..Counts::default() };
        let wall = std::time::Duration::from_secs(2);
        let mut report = Report { failed: 3, bytes: 4 << 20, wall, ..Report::default() };
        let usage = Usage::default();
        let said = |counts: &Counts, report: &Report, rest| {
            let (chosen, reason, usage, retries) = (Engine::Serial, "as asked", &usage, 5);
            counts.summary("fetched", &Ending { report, chosen, reason, usage, retries, rest })
        };
        let all = Rest { count: 40, is_all: true };
        let start = "6 files fetched, 2 unchanged, 1 skipped, 3 failed, 5 retried";
        let end = "4.0 MiB in 2.00 s, 2.0 MiB/s";
        assert_eq!(said(&counts, &report, all), format!("{start}, {end}"));
        report.cancelled = true;
        counts.cancel(true, true);
        counts.cancel(true, false);
        counts.cancel(false, false);
        let start = format!("{start}, 1 kept in parts (-c goes on), 1 dropped");
        assert_eq!(said(&counts, &report, all), format!("{start}, 41 not begun, {end}"));
        let some = Rest { count: 0, is_all: false };
        assert_eq!(said(&counts, &report, some), format!("{start}, 1 or more not begun, {end}"));
    }
}
