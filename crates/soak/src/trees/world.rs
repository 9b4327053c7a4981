//! A tree and its known state, and the runs on it.
//!
//! Owns: the state between runs, full disks, power, two runs at once, the clean run at the end.
//! Does not own: comparing with the model (see `judge`).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::judge::{self, Run};
use super::plan::Plan;
use crate::checker::report;
use crate::checker::tree;
use crate::choice::Choice;
use crate::fault::{Checked, ensure};
use crate::tally::Tally;
use crate::world::disk::{Disk, Kind};
use crate::world::model::{Command, Content, State};
use crate::world::setup::{self, Originals, Setup};

/// The tree of a step.
pub(crate) struct TreeWorld<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) disk: Disk,
    pub(crate) root: PathBuf,
    pub(crate) originals: Originals,
    pub(crate) states: BTreeMap<PathBuf, State>,
}

impl<'a> TreeWorld<'a> {
    /// Makes the file system and the tree.
    pub(crate) fn make(setup: &'a Setup, choice: &mut Choice, tally: &mut Tally) -> Checked<Self> {
        let disk = Disk::make(Kind::choose(choice), &setup.dir)?;
        tally.one(format!("file systems: {:?}", disk.kind));
        let root = disk.root.join("work");
        let originals = setup::originals(choice);
        tally.many("files made", originals.len() as u64);
        setup::write(&originals, &root)?;
        let plain = State { plain: Some(Content::Plain), sealed: None };
        let states = originals.keys().map(|name| (name.clone(), plain)).collect();
        Ok(Self { setup, disk, root, originals, states })
    }

    /// One run and its check.
    pub(crate) fn one(&mut self, plan: &Plan, choice: &mut Choice, tally: &mut Tally) -> Checked {
        // What was there before a cut was there for long.
        if plan.cuts_power() {
            rustix::fs::sync();
        }
        let filler = plan.space.map(|space| self.disk.fill(space)).transpose()?;
        let ended = self.setup.program.run(plan.order(self))?;
        tally.one(format!("runs: {} on {}", word(plan.command), plan.engine));
        tally.one(format!("disturbances: {}", judge::harm_word(plan, &ended)));
        if plan.cuts_power() {
            self.disk.restore_power()?;
        }
        if let Some(filler) = filler {
            fs::remove_file(filler)?;
        }
        let ends = report::check(&ended)?;
        let mut found = tree::read(&self.root, &self.originals, &self.setup.identity)?;
        let run = Run { plan, ended: &ended, ends: &ends };
        judge::one(self, &run, &mut found)?;
        tally.many("files checked", found.states.len() as u64);
        self.states = found.states;
        // Sometimes the next run meets what this one left; sometimes a run clears up.
        if choice.chance(10) { self.clear_up(tally) } else { Ok(()) }
    }

    /// Two runs on the tree at the same time. Each may lose files to the other, and neither may lose a file.
    pub(crate) fn two_at_once(&mut self, choice: &mut Choice, tally: &mut Tally) -> Checked {
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
        let [one, two] = [0, 1].map(|index| self.setup.program.start(plans[index].order(self)));
        let (one, two) = (one?, two?);
        let two = std::thread::spawn(move || two.finish());
        let one = one.finish();
        let two = two.join().map_err(|_| crate::fault::Fault("the soak itself: a panic".to_owned()))?;
        for ended in [one?, two?] {
            report::check(&ended)?;
        }
        tally.one("two runs at once");
        let found = tree::read(&self.root, &self.originals, &self.setup.identity)?;
        let commands = [plans[0].command, plans[1].command];
        judge::two(self, &commands, &found)?;
        self.states = found.states;
        Ok(())
    }

    /// A run that isn't disturbed: nothing of earlier ones is left after it.
    pub(crate) fn clear_up(&mut self, tally: &mut Tally) -> Checked {
        let mut choice = Choice::new(0, 0);
        let plan = Plan::of(Command::Xor { overwrite: false }, &mut choice);
        let ended = self.setup.program.run(plan.order(self))?;
        let ends = report::check(&ended)?;
        let mut found = tree::read(&self.root, &self.originals, &self.setup.identity)?;
        judge::one(self, &Run { plan: &plan, ended: &ended, ends: &ends }, &mut found)?;
        ensure!(found.leftovers.is_empty(), "{}: left after a clean run: {:?}", ended.command, found.leftovers);
        self.states = found.states;
        tally.one("clean runs");
        Ok(())
    }
}

pub(crate) fn word(command: Command) -> &'static str {
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
