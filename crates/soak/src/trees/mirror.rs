//! Seals a tree into another folder and opens it into a third.
//!
//! Owns: that round trip, disturbed on both ways.
//! Does not own: results beside their sources (see `judge`).

use std::fs;
use std::path::Path;

use super::plan::ENGINES;
use super::world::TreeWorld;
use crate::checker::{report, sealed};
use crate::choice::Choice;
use crate::fault::{Checked, ensure};
use crate::program::deeds::Harm;
use crate::tally::Tally;
use crate::world::model::Content;

/// The round trip. The folders are removed afterwards.
pub(super) fn seal_and_open(world: &TreeWorld<'_>, choice: &mut Choice, tally: &mut Tally) -> Checked {
    let (sealed, opened) = (world.disk.root.join("sealed"), world.disk.root.join("opened"));
    run(world, choice, tally, "seal", &world.root, &sealed)?;
    let count = check(world, &sealed, true)?;
    if count > 0 {
        run(world, choice, tally, "open", &sealed, &opened)?;
        check(world, &opened, false)?;
    }
    for folder in [sealed, opened] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }
    Ok(())
}

fn run(
    world: &TreeWorld<'_>,
    choice: &mut Choice,
    tally: &mut Tally,
    word: &str,
    from: &Path,
    to: &Path,
) -> Checked {
    let engine = *choice.pick(&ENGINES);
    let mut order = world.setup.order([word, "-i", "key.txt", "--json", "-e", engine, "-o"]);
    order.args.extend([to.into(), from.into()]);
    let harm = *choice.pick(&Harm::ALL);
    order.deeds = harm.deeds(choice);
    let ended = world.setup.program.run(order)?;
    tally.one(format!("runs: {word} into a folder on {engine}"));
    report::check(&ended)?;
    Ok(())
}

/// Each file of the mirrored tree holds a content of its original. Returns their number.
fn check(world: &TreeWorld<'_>, folder: &Path, is_sealed: bool) -> Checked<usize> {
    let mut count = 0;
    for (name, original) in &world.originals {
        let mut path = folder.join(name).into_os_string();
        if is_sealed {
            path.push(".age");
        }
        let Ok(bytes) = fs::read(&path) else { continue };
        count += 1;
        let plain = if is_sealed { sealed::open(&bytes, &world.setup.identity) } else { Ok(bytes) };
        let plain = plain.map_err(|error| crate::fault::Fault(format!("{path:?}: {error}")))?;
        let source = world.states.get(name).copied().unwrap_or_default();
        // What lay beside its source may be mirrored too, by its own name.
        let right = match source.plain.or(source.sealed) {
            Some(Content::Plain) => plain == original.plain,
            Some(Content::Flipped) => plain == original.flipped,
            None => false,
        };
        ensure!(right, "{path:?}: {} bytes, not those of its source, {source:?}", plain.len());
    }
    Ok(count)
}
