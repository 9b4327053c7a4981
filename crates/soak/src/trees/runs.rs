//! Runs on a tree, each followed by its check.
//!
//! Owns: the state between runs, full disks, power, two runs at once, the clean run at the end.
//! Does not own: comparing with the model (see `judge`).

use std::fs;

use super::judge::{self, Run};
use super::plan::Plan;
use super::world::TreeWorld;
use crate::checker::{report, tree};
use crate::choice::Choice;
use crate::fault::{Checked, ensure};
use crate::tally::Tally;
use crate::world::model::Command;

/// One run and its check.
pub(super) fn one(world: &mut TreeWorld<'_>, plan: &Plan, choice: &mut Choice, tally: &mut Tally) -> Checked {
    // What was there before a cut was there for long.
    if plan.cuts_power() {
        rustix::fs::sync();
    }
    let filler = plan.space.map(|space| world.disk.fill(space)).transpose()?;
    let ended = world.setup.program.run(plan.order(world))?;
    tally.one(format!("runs: {} on {}", word(plan.command), plan.engine));
    tally.one(format!("disturbances: {}", judge::harm_word(plan, &ended)));
    if plan.cuts_power() {
        world.disk.restore_power()?;
    }
    if let Some(filler) = filler {
        fs::remove_file(filler)?;
    }
    let ends = report::check(&ended)?;
    let mut found = tree::read(&world.root, &world.originals, &world.setup.identity)?;
    let run = Run { plan, ended: &ended, ends: &ends };
    judge::one(world, &run, &mut found)?;
    tally.many("files checked", found.states.len() as u64);
    world.states = found.states;
    // Sometimes the next run meets what this one left; sometimes a run clears up.
    if choice.chance(10) { clear_up(world, tally) } else { Ok(()) }
}

/// Two runs on the tree at the same time. Each may lose files to the other, and neither may lose a file.
pub(super) fn two_at_once(world: &mut TreeWorld<'_>, choice: &mut Choice, tally: &mut Tally) -> Checked {
    let mut plan = || {
        let (replace, force) = (choice.chance(60), choice.chance(50));
        let command = *choice.pick(&[
            Command::Seal { replace, force },
            Command::Open { replace, force },
            Command::Xor { overwrite: false },
        ]);
        let mut plan = Plan::of(command, choice);
        if choice.chance(30) {
            plan.deeds = crate::program::deeds::Harm::Kill.deeds(choice);
        }
        plan
    };
    let plans = [plan(), plan()];
    let [one, two] = [0, 1].map(|index| world.setup.program.start(plans[index].order(world)));
    let (one, two) = (one?, two?);
    let two = std::thread::spawn(move || two.finish());
    let one = one.finish();
    let two = two.join().map_err(|_| crate::fault::Fault("the soak itself: a panic".to_owned()))?;
    for ended in [one?, two?] {
        report::check_shared(&ended)?;
    }
    tally.one("two runs at once");
    let found = tree::read(&world.root, &world.originals, &world.setup.identity)?;
    let commands = [plans[0].command, plans[1].command];
    judge::two(world, &commands, &found)?;
    world.states = found.states;
    Ok(())
}

/// A run that isn't disturbed: nothing of earlier ones is left after it.
pub(super) fn clear_up(world: &mut TreeWorld<'_>, tally: &mut Tally) -> Checked {
    let mut choice = Choice::new(0, 0);
    let plan = Plan::of(Command::Xor { overwrite: false }, &mut choice);
    let ended = world.setup.program.run(plan.order(world))?;
    let ends = report::check(&ended)?;
    let mut found = tree::read(&world.root, &world.originals, &world.setup.identity)?;
    judge::one(world, &Run { plan: &plan, ended: &ended, ends: &ends }, &mut found)?;
    ensure!(found.leftovers.is_empty(), "{}: left after a clean run: {:?}", ended.command, found.leftovers);
    world.states = found.states;
    tally.one("clean runs");
    Ok(())
}

fn word(command: Command) -> &'static str {
    match command {
        Command::Seal { replace: true, .. } => "seal --replace",
        Command::Seal { .. } => "seal",
        Command::Open { replace: true, .. } => "open --replace",
        Command::Open { .. } => "open",
        Command::Verify => "verify",
        Command::Xor { overwrite: true } => "xor --overwrite",
        Command::Xor { .. } => "xor",
    }
}
