//! `haul fleet status`, `failed`, `retry`, `cancel` and `report`.
//!
//! Owns: what they print.
//! Does not own: what is stored ([`haul_fleet::Run`]).

use std::time::Duration;

use haul_fleet::{Kept, Status, pack, unpack};
use serde_json::{Value, json};

use super::address::Target;
use super::args::{FleetCancelArgs, FleetShowArgs};
use super::files::NAMED;
use super::messages::number;
use crate::lists::failures::to_list_line;
use crate::lists::list::Lines;
use crate::report::exit::{Exit, Problem};
use crate::report::text::{counted, harmless, human_bytes};
use crate::report::voice::Voice;

/// Nodes that are silent for longer are not shown.
const SILENCE_MAX: Duration = Duration::from_secs(3_600);

pub(super) fn status(args: &FleetShowArgs, mut target: Target, voice: &Voice) -> Result<Exit, Problem> {
    let status = target.run.status().map_err(|error| target.problem(&error))?;
    if args.json {
        voice.data(object(&status));
        return Ok(Exit::Success);
    }
    let Parts { done, aside, waiting } = Parts::of(&status);
    voice.data(format!(
        "{}: {} of {} done, {} in work, {waiting} waiting, {aside} set aside",
        harmless(&status.state),
        done,
        counted(status.total("slices"), "slice", "slices"),
        status.leased,
    ));
    voice.data(totals(&status));
    let settings = status.settings();
    let rate = settings.rate.map(|rate| format!(", {rate} requests a second to one host"));
    let per_host = settings
        .per_host
        .map(|count| format!(", {} from one host", counted(count.into(), "transfer", "transfers")));
    voice.data(format!(
        "lease {:?}, {} deliveries{}{}",
        settings.lease,
        settings.deliveries_max,
        rate.unwrap_or_default(),
        per_host.unwrap_or_default()
    ));
    for (node, silent) in status.nodes.iter().filter(|(_, silent)| *silent < SILENCE_MAX) {
        let name = name_of(node);
        let work: Vec<_> = status.holders.iter().filter(|(_, holder)| holder == name).collect();
        let slices: Vec<_> = work.iter().map(|(id, _)| number(id)).collect();
        let slices =
            if slices.is_empty() { "no slice".to_owned() } else { format!("slice {}", slices.join(", ")) };
        voice.data(format!("{}: {slices}, heard {:.0} s ago", harmless(name), silent.as_secs_f64()));
    }
    Ok(Exit::Success)
}

pub(super) fn report(args: &FleetShowArgs, mut target: Target, voice: &Voice) -> Result<Exit, Problem> {
    let status = target.run.status().map_err(|error| target.problem(&error))?;
    let Parts { done, aside, .. } = Parts::of(&status);
    let slices = status.total("slices");
    if args.json {
        voice.data(object(&status));
    } else {
        voice.data(format!("{done} of {} done, {aside} set aside", counted(slices, "slice", "slices")));
        voice.data(totals(&status));
    }
    let is_complete =
        status.state == "full" && done + status.total("retried") == slices && status.total("failed") == 0;
    Ok(if is_complete { Exit::Success } else { Exit::Failed })
}

/// Prints failures as a list. Logins of URLs are left out, as in every list that is written; names of files are printed
/// as they are.
pub(super) fn failed(mut target: Target, voice: &Voice) -> Result<Exit, Problem> {
    let status = target.run.status().map_err(|error| target.problem(&error))?;
    let names_files = status.members.contains_key(NAMED);
    let mut is_read = true;
    let mut print = |line: &str, reason: &str| {
        let line = match Lines::new(line.as_bytes()).next() {
            Some(url) if !names_files => to_list_line(&url),
            _ => line.into(),
        };
        is_read = is_read && voice.data(format!("# {}\n{line}", harmless(reason)));
    };
    let mut reasons = std::collections::HashMap::new();
    let read = target.run.each(Kept::Failures, |_, packed| {
        for (line, reason) in failures(packed) {
            print(&line, &reason);
        }
    });
    let read = read.and_then(|()| {
        target.run.each(Kept::Reasons, |id, text| {
            reasons.insert(id.to_owned(), String::from_utf8_lossy(text).into_owned());
        })
    });
    let read = read.and_then(|()| {
        target.run.each(Kept::Aside, |id, packed| {
            let reason = reasons.get(id).map_or("set aside", String::as_str);
            for line in unpack(packed).unwrap_or_default() {
                print(&String::from_utf8_lossy(&line), reason);
            }
        })
    });
    read.map_err(|error| target.problem(&error))?;
    Ok(Exit::Success)
}

pub(super) fn retry(mut target: Target, voice: &Voice) -> Result<Exit, Problem> {
    let (mut aside, mut failed) = (Vec::new(), Vec::new());
    let listed = target
        .run
        .each(Kept::Aside, |id, packed| aside.push((id.to_owned(), unpack(packed).unwrap_or_default().len())))
        .and_then(|()| {
            target.run.each(Kept::Failures, |id, packed| failed.push((id.to_owned(), packed.to_vec())))
        });
    listed.map_err(|error| target.problem(&error))?;
    let (mut slices, mut lines) = (0, 0);
    for (id, count) in aside {
        let is_new = target.run.retry(&id, count as u64, None).map_err(|error| target.problem(&error))?;
        (slices, lines) = (slices + u64::from(is_new), lines + if is_new { count as u64 } else { 0 });
    }
    for (id, packed) in failed {
        let content: Vec<_> = failures(&packed).into_iter().map(|(line, _)| line).collect();
        let count = content.len() as u64;
        let is_new = target.run.retry(&id, count, Some(pack(&content)));
        if is_new.map_err(|error| target.problem(&error))? {
            (slices, lines) = (slices + 1, lines + count);
        }
    }
    voice.note(format!(
        "{} to be tried again, in {}",
        counted(lines, "line", "lines"),
        counted(slices, "slice", "slices")
    ));
    Ok(Exit::Success)
}

pub(super) fn cancel(args: &FleetCancelArgs, mut target: Target, voice: &Voice) -> Result<Exit, Problem> {
    let exists = target.run.cancel(args.remove).map_err(|error| target.problem(&error))?;
    if !exists {
        return Err(target.problem(&haul_fleet::RunError::Missing));
    }
    voice.note(format!("{} is {}", target.address, if args.remove { "removed" } else { "cancelled" }));
    Ok(Exit::Success)
}

/// Slices by what became of them.
struct Parts {
    done: u64,
    aside: u64,
    waiting: u64,
}

impl Parts {
    fn of(status: &Status) -> Self {
        let (done, aside) = (status.total("done"), status.total("aside"));
        // Those that were tried again are new slices.
        let known = done + aside + status.leased + status.total("retried");
        Self { done, aside, waiting: status.total("slices").saturating_sub(known) }
    }
}

/// The name for people of a node, which stands behind the one among consumers.
fn name_of(node: &str) -> &str {
    node.split_once(' ').map_or(node, |(_, name)| name)
}

fn totals(status: &Status) -> String {
    let total = |name| status.total(name);
    format!(
        "{} of {} succeeded ({} of them were there already), {} failed, {}",
        total("succeeded"),
        counted(total("lines"), "line", "lines"),
        total("skipped"),
        total("failed"),
        human_bytes(total("bytes")),
    )
}

fn object(status: &Status) -> Value {
    let Parts { done, aside, waiting } = Parts::of(status);
    let nodes = status
        .nodes
        .iter()
        .map(|(node, silent)| json!({ "node": name_of(node), "silent_s": silent.as_secs_f64() }));
    json!({
        "event": "fleet",
        "state": status.state,
        "slices": status.total("slices"),
        "lines": status.total("lines"),
        "done": done,
        "leased": status.leased,
        "waiting": waiting,
        "aside": aside,
        "succeeded": status.total("succeeded"),
        "skipped": status.total("skipped"),
        "failed": status.total("failed"),
        "bytes": status.total("bytes"),
        "nodes": nodes.collect::<Vec<_>>(),
    })
}

/// The failed lines of a slice and their reasons.
fn failures(packed: &[u8]) -> Vec<(String, String)> {
    let lines = unpack(packed).unwrap_or_default();
    let texts = lines.iter().map(|line| String::from_utf8_lossy(line).into_owned());
    let parts = texts.map(|text| {
        let (line, reason) = text.rsplit_once('\t').unwrap_or((&text, ""));
        (line.to_owned(), reason.to_owned())
    });
    parts.collect()
}
