//! Compares the files that haul fetched with what the server served.
//!
//! Owns: the invariants of fetched files.
//! Does not own: the rules of reports (see `checker::report`).

use std::fs;

use super::world::{FetchWorld, Mode};
use crate::checker::report::Ends;
use crate::checker::sealed;
use crate::fault::{Checked, Fault, ensure};
use crate::program::run::Ended;
use crate::tally::Tally;

/// Checks what a disturbed run left: whole versions only, and what it reported.
pub(super) fn disturbed(
    world: &FetchWorld<'_>,
    ended: &Ended,
    ends: &Ends,
    cuts: bool,
    tally: &mut Tally,
) -> Checked {
    for (index, file) in world.origin.files().iter().enumerate() {
        // Without a sync, a cut may empty a file that was published shortly before.
        let found = match found(world, index) {
            Err(_) if cuts => {
                let _ = fs::remove_file(world.target.join(world.result(&file.name)));
                None
            }
            found => {
                found.map_err(|fault| Fault(format!("{}: {:?}: {fault}", ended.command, ended.done_to_it)))?
            }
        };
        tally.many("fetched files checked", u64::from(found.is_some()));
        let done = ends.done.iter().find(|(subject, _)| subject.ends_with(&format!("/{}", file.name)));
        let line = &ended.command;
        ensure!(
            cuts || done.is_none() || found.is_some(),
            "{line}: {} was reported, and isn't there",
            file.name
        );
        ensure!(done.is_none() || !world.wrong_sum[index], "{line}: {} has another checksum", file.name);
        ensure!(
            found.is_none() || !world.wrong_sum[index],
            "{line}: {} published in spite of its checksum",
            file.name
        );
    }
    if !ended.was_killed() && !cuts && ended.status <= 5 && ended.limits.is_none() {
        no_leftovers(world, &ended.command, &|_| world.mode == Mode::Continue)?;
    }
    Ok(())
}

/// Checks what two runs left together: whole versions only.
pub(super) fn shared(world: &FetchWorld<'_>, ended: &Ended, tally: &mut Tally) -> Checked {
    for index in 0..world.origin.files().len() {
        let found =
            found(world, index).map_err(|fault| Fault(format!("{}, not alone: {fault}", ended.command)))?;
        tally.many("fetched files checked", u64::from(found.is_some()));
        ensure!(
            found.is_none() || !world.wrong_sum[index],
            "{}: a wrong checksum is published",
            ended.command
        );
    }
    Ok(())
}

/// Checks what an undisturbed run left: the current version of each file, or the one that an earlier run completed.
pub(super) fn calm(world: &FetchWorld<'_>, ended: &Ended, ends: &Ends) -> Checked {
    let line = &ended.command;
    for (index, file) in world.origin.files().iter().enumerate() {
        let subject = |subject: &String| subject.ends_with(&format!("/{}", file.name));
        let error = ends.failed.iter().find(|(name, _)| subject(name)).map(|(_, error)| error);
        let done = ends.done.keys().any(subject);
        ensure!(done != error.is_some(), "{line}: {} isn't reported once", file.name);
        if world.wrong_sum[index] {
            ensure!(error.is_some(), "{line}: {} has another checksum, and succeeded", file.name);
            ensure!(
                found(world, index)?.is_none(),
                "{line}: {} published in spite of its checksum",
                file.name
            );
            continue;
        }
        if let Some(error) = error {
            // An earlier run completed another version, which --continue doesn't touch.
            let differs = error.contains("differ") || world.is_sealed && error.contains("no key opens it");
            ensure!(
                world.mode == Mode::Continue && differs,
                "{line}: {} failed undisturbed: {error}",
                file.name
            );
        }
        let found = found(world, index).map_err(|fault| Fault(format!("{line}: {fault}")))?;
        let Some(found) = found else { return Err(Fault(format!("{line}: {} isn't there", file.name))) };
        let current = found == world.origin.current(index);
        ensure!(current || world.mode == Mode::Continue, "{line}: {} is an old version", file.name);
    }
    let failed = |name: &str| ends.failed.keys().any(|subject| subject.ends_with(&format!("/{name}")));
    no_leftovers(world, line, &|name| failed(name))
}

/// The bytes of a fetched file. Bytes of no version are a fault.
fn found(world: &FetchWorld<'_>, index: usize) -> Checked<Option<Vec<u8>>> {
    let file = &world.origin.files()[index];
    let path = world.target.join(world.result(&file.name));
    let Ok(bytes) = fs::read(&path) else { return Ok(None) };
    let opened = if world.is_sealed { sealed::open(&bytes, &world.setup.identity) } else { Ok(bytes) };
    let bytes = opened.map_err(|error| Fault(format!("{path:?} doesn't open: {error}")))?;
    let versions = world.origin.versions(index);
    let right = versions.contains(&bytes);
    ensure!(
        right,
        "{path:?}: {} bytes of none of {} versions of {} bytes",
        bytes.len(),
        versions.len(),
        file.bytes
    );
    Ok(Some(bytes))
}

/// Only results, records of `--sync`, and partial files that the next run continues.
fn no_leftovers(world: &FetchWorld<'_>, line: &str, continues: &dyn Fn(&str) -> bool) -> Checked {
    let Ok(entries) = fs::read_dir(&world.target) else { return Ok(()) };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_result = world.origin.files().iter().any(|file| world.result(&file.name) == name);
        let record = world.mode == Mode::Sync && name.ends_with(".haul-from");
        let part = name.split(".haul-").next().filter(|stem| stem.len() < name.len());
        let part = part.map(|stem| stem.trim_start_matches('.').trim_end_matches(".age"));
        let part = part.is_some_and(continues);
        ensure!(is_result || record || part, "{line}: leaves {name:?}");
    }
    Ok(())
}
