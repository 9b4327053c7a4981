//! Compares the states of a tree's files after a run with what the model allows and what the run reported.
//!
//! Owns: the invariants of trees.
//! Does not own: the model (see `world::model`), reading the disk (see `checker::tree`).

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::plan::Plan;
use super::world::TreeWorld;
use crate::checker::report::Ends;
use crate::checker::tree::Found;
use crate::fault::{Checked, ensure};
use crate::program::run::Ended;
use crate::world::model::{Command, Content, End, State};

/// A run, and what it said.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) ended: &'a Ended,
    pub(super) ends: &'a Ends,
}

/// Checks one run. Repairs the files that it was allowed to damage.
pub(super) fn one(world: &TreeWorld<'_>, run: &Run<'_>, found: &mut Found) -> Checked {
    let command = run.plan.command;
    let line = &run.ended.command;
    damaged(world, run, found)?;
    let leaves = run.ended.was_killed()
        || run.ended.lost_workers()
        || run.plan.cuts_power()
        || !run.ended.limits.is_none();
    // A check writes nothing, and leaves what earlier runs left.
    let twice = run.ended.done_to_it.len() > 1 && run.ended.was_interrupted();
    ensure!(
        leaves || twice || command == Command::Verify || found.leftovers.is_empty(),
        "{line}: status {}, {:?}, leaves {:?}",
        run.ended.status,
        run.ended.done_to_it,
        found.leftovers
    );
    let started = run.ended.status != 2;
    for (name, original) in &world.originals {
        let before = world.states.get(name).copied().unwrap_or_default();
        let after = found.states.get(name).copied().unwrap_or_default();
        let tell = || {
            let Run { ended, .. } = run;
            format!(
                "{line}: {:?}, status {}, {name:?}: {before:?} became {after:?}",
                ended.done_to_it, ended.status
            )
        };
        let empty = original.plain.is_empty();
        if run.plan.replaced.as_ref() == Some(name) && !run.ended.done_to_it.is_empty() {
            let kept = [after.plain, after.sealed].contains(&Some(Content::Flipped));
            ensure!(kept, "{}: what another program wrote is lost", tell());
            continue;
        }
        let is = |state: State| same(state, after, empty);
        ensure!(after.plain.is_some() || after.sealed.is_some(), "{}: lost", tell());
        ensure!(command.states(before).into_iter().any(is), "{}: a state of no run", tell());
        let subject = subject(world, command, name);
        let is_done = run.ends.done.contains_key(&subject);
        let error = run.ends.failed.get(&subject);
        match command.end(before) {
            End::NoTask => {
                ensure!(is(before), "{}: without a task", tell());
                ensure!(!is_done && error.is_none(), "{}: reported, without a task: {error:?}", tell());
            }
            End::Exists => {
                ensure!(is(before) && !is_done, "{}: the result existed", tell());
                let said = error.is_some_and(|error| error.contains("exists"));
                ensure!(!run.plan.is_calm() || said, "{}: its result exists, but {error:?}", tell());
            }
            End::Done(done) => {
                let was_told = !run.plan.cuts_power() || run.ends.done_before_cut.contains(&subject);
                // The result is durable when it is reported; the removal of its source may be undone by a cut.
                let with_source =
                    State { plain: done.plain.or(before.plain), sealed: done.sealed.or(before.sealed) };
                let right = is(done) || (run.plan.cuts_power() && is(with_source));
                ensure!(!is_done || !was_told || right, "{}: reported done", tell());
                let rightly = run.plan.cuts_power() || failed_rightly(command, before, after, empty);
                ensure!(error.is_none() || rightly, "{}: failed with {error:?}", tell());
                if run.plan.is_calm() {
                    ensure!(error.is_none(), "{}: failed undisturbed: {error:?}", tell());
                    ensure!(is_done && started, "{}: not reported", tell());
                }
                unexpected_error(run, error.map(String::as_str))?;
            }
        }
    }
    Ok(())
}

/// Checks two runs at once: each file is there, with contents that were there before, flipped where one flips.
///
/// What each run meets depends on the other, so the model's order of states doesn't hold.
pub(super) fn two(world: &TreeWorld<'_>, commands: &[Command; 2], found: &Found) -> Checked {
    ensure!(found.damaged.is_empty(), "{commands:?} at once: {:?}", found.damaged);
    let flips = commands.iter().any(|command| matches!(command, Command::Xor { .. }));
    for (name, original) in &world.originals {
        let before = world.states.get(name).copied().unwrap_or_default();
        let after = found.states.get(name).copied().unwrap_or_default();
        let known = |content| flips || before.plain == Some(content) || before.sealed == Some(content);
        let right = [after.plain, after.sealed].into_iter().flatten().all(known) || original.plain.is_empty();
        let is_there = after.plain.is_some() || after.sealed.is_some();
        ensure!(right && is_there, "{commands:?} at once: {name:?}: {before:?} became {after:?}");
    }
    Ok(())
}

/// What was done to the run, for the summary.
pub(super) fn harm_word(plan: &Plan, ended: &Ended) -> String {
    if plan.cuts_power() {
        return if ended.lines_at_cut.is_some() { "power cut" } else { "none" }.to_owned();
    }
    if plan.replaced.is_some() {
        return if ended.done_to_it.is_empty() { "none" } else { "file replaced" }.to_owned();
    }
    let limit = match &ended.limits {
        limits if limits.descriptors.is_some() => " few descriptors",
        limits if limits.memory_kib.is_some() => " little memory",
        limits if limits.threads.is_some() => " few threads",
        _ if plan.space.is_some() => " full disk",
        _ => "",
    };
    let harm = if ended.done_to_it.is_empty() { "none".to_owned() } else { format!("{:?}", plan.harm) };
    harm + limit
}

/// Files with other bytes: `xor --overwrite` may damage those that it reports; nothing else damages a file.
fn damaged(world: &TreeWorld<'_>, run: &Run<'_>, found: &mut Found) -> Checked {
    let line = &run.ended.command;
    for (name, what) in std::mem::take(&mut found.damaged) {
        let subject = subject(world, run.plan.command, &name);
        let reported = run.ends.failed.contains_key(&subject);
        let may = run.plan.command == Command::Xor { overwrite: true };
        ensure!(may && reported, "{line}: {:?}, {name:?}: damaged: {what}", run.ended.done_to_it);
        let before = world.states.get(&name).copied().unwrap_or_default();
        let original = &world.originals[&name];
        let flipped = before.plain == Some(Content::Flipped);
        fs::write(world.root.join(&name), if flipped { &original.flipped } else { &original.plain })?;
        let state = found.states.entry(name).or_default();
        state.plain = before.plain;
    }
    Ok(())
}

/// A failed task left the file alone, or published its result and couldn't remove the source.
fn failed_rightly(command: Command, before: State, after: State, empty: bool) -> bool {
    let states = command.states(before);
    let keeps_source = |state: &State| match command {
        Command::Seal { replace: true, .. } => state.plain.is_some(),
        Command::Open { replace: true, .. } => state.sealed.is_some(),
        _ => *state == before,
    };
    states.iter().filter(|state| keeps_source(state)).any(|state| same(*state, after, empty))
}

/// Without a limit, a full disk or a cut, tasks fail only by the deaths of workers or an interruption.
fn unexpected_error(run: &Run<'_>, error: Option<&str>) -> Checked {
    let Some(error) = error else { return Ok(()) };
    let plan = run.plan;
    if plan.space.is_some() || plan.cuts_power() || !plan.limits.is_none() {
        return Ok(());
    }
    let by_deaths = run.ended.lost_workers() && error.contains("died");
    // An interrupted overwriting is reported by what it left.
    let is_damaged = plan.command == Command::Xor { overwrite: true }
        && error.contains("only a part of it was overwritten");
    let by_signal = run.ended.was_interrupted() && (error.contains("interrupted") || is_damaged);
    ensure!(by_deaths || by_signal, "{}: {:?}: failed: {error}", run.ended.command, run.ended.done_to_it);
    Ok(())
}

/// Equality of states; the two contents of an empty file are the same.
fn same(a: State, b: State, empty: bool) -> bool {
    if empty {
        return a.plain.is_some() == b.plain.is_some() && a.sealed.is_some() == b.sealed.is_some();
    }
    a == b
}

/// The subject of the file's task in JSON lines, where bytes that aren't UTF-8 are replaced.
fn subject(world: &TreeWorld<'_>, command: Command, name: &Path) -> String {
    let mut path = world.root.join(name).into_os_string();
    if matches!(command, Command::Open { .. } | Command::Verify) {
        path.push(".age");
    }
    debug_assert!(!path.as_bytes().is_empty());
    PathBuf::from(path).to_string_lossy().into_owned()
}
