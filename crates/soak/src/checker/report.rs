//! Judges what a run said: its exit code, its events and its report, against each other and what was done to the run.
//!
//! Owns: the rules that hold for every command.
//! Does not own: whether the files are as the events say (see `trees`, `fetches`).

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::Value;

use crate::fault::{Checked, ensure};
use crate::program::run::Ended;

/// The ends of tasks that a run reported, by subject.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) done: BTreeMap<String, Value>,
    pub(crate) failed: BTreeMap<String, String>,
    /// The subjects done before the power was cut; all, where it wasn't.
    pub(crate) done_before_cut: Vec<String>,
    /// The subjects that ended more than once.
    repeated: Vec<String>,
    count: u64,
    failed_count: u64,
}

/// Checks the rules and returns the events.
pub(crate) fn check(ended: &Ended) -> Checked<Ends> {
    let ends = events(ended)?;
    ensure!(ends.repeated.is_empty(), "{}: ended twice: {:?}", ended.command, ends.repeated);
    check_shared(ended)
}

/// Checks the rules for a run that shares its tree with another one. A walk may meet a file twice that the other one
/// replaces meanwhile: see readdir(3).
pub(crate) fn check_shared(ended: &Ended) -> Checked<Ends> {
    let Ended { command, status, stderr, .. } = ended;
    ensure!(!stderr.contains("panicked"), "{command}: a panic: {stderr}");
    ensure!(!stderr.contains("internal error"), "{command}: an internal error: {stderr}");
    let ends = events(ended)?;
    // Before the program listens to signals, and when it is interrupted again, they end it at once.
    let early = ended.was_interrupted() && ended.lines.is_empty();
    let twice = ended.done_to_it.len() > 1 && ended.got(Signal::INT);
    if early && (*status == 130 || *status == 143) {
        return Ok(ends);
    }
    if *status > 128 && *status != 130 {
        ensure!(
            ended.was_killed() && *status == 137,
            "{command}: status {status}, {:?}: {stderr}",
            ended.done_to_it
        );
        return Ok(ends);
    }
    ensure!(matches!(status, 0..=5 | 130), "{command}: status {status}: {stderr}");
    if *status == 2 {
        ensure!(!ended.limits.is_none(), "{command}: nothing was started: {stderr}");
        return Ok(ends);
    }
    let Some(report) = ended.lines.last().filter(|line| line["event"] == "report") else {
        ensure!(twice, "{command}: status {status} without a report: {stderr}");
        return Ok(ends);
    };
    let count = |name: &str| report[name].as_u64().unwrap_or(u64::MAX);
    let interrupted = report["interrupted"] == true;
    ensure!(count("exit") == *status as u64, "{command}: status {status}, but {report}");
    ensure!(interrupted == (*status == 130), "{command}: status {status}, but {report}");
    ensure!(!interrupted || ended.was_interrupted(), "{command}: nobody interrupted it: {report}");
    let done = count("succeeded") + count("skipped");
    ensure!(done == ends.count - ends.failed_count, "{command}: {} events, but {report}", ends.count);
    let failed = count("failed") + count("cancelled_tasks");
    ensure!(failed == ends.failed_count, "{command}: {} failed, but {report}", ends.failed_count);
    ensure!(*status != 0 || ends.failed.is_empty(), "{command}: status 0, but {:?} failed", ends.failed);
    ensure!(
        *status == 0
            || interrupted
            || !ends.failed.is_empty()
            || stderr.contains("there is nothing to verify"),
        "{command}: status {status}, and nothing failed: {stderr}"
    );
    Ok(ends)
}

fn events(ended: &Ended) -> Checked<Ends> {
    let mut ends = Ends::default();
    for (index, line) in ended.lines.iter().enumerate() {
        let subject = line["subject"].as_str().unwrap_or_default().to_owned();
        let event = line["event"].as_str().unwrap_or_default();
        if event == "report" {
            ensure!(index + 1 == ended.lines.len(), "{}: lines after the report", ended.command);
            continue;
        }
        // The machine is slow, or a worker was stopped.
        if event == "stalled" {
            continue;
        }
        ensure!(event == "done" || event == "failed", "{}: an event {event:?}", ended.command);
        if ends.done.contains_key(&subject) || ends.failed.contains_key(&subject) {
            ends.repeated.push(subject.clone());
        }
        ends.count += 1;
        if event == "failed" {
            ends.failed_count += 1;
            ends.failed.insert(subject, line["error"].as_str().unwrap_or_default().to_owned());
            continue;
        }
        if ended.lines_at_cut.is_none_or(|count| index < count) {
            ends.done_before_cut.push(subject.clone());
        }
        ends.done.insert(subject, line.clone());
    }
    Ok(ends)
}
