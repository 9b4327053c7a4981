//! Chooses a command line and how its run is disturbed.
//!
//! Owns: engines, options, harms and limits of runs on trees.
//! Does not own: doing it (see `world`), judging it (see `judge`).

use std::ffi::OsString;

use super::world::TreeWorld;
use crate::choice::Choice;
use crate::program::deeds::{Deed, Harm, Timed};
use crate::program::limits::Limits;
use crate::program::run::Order;
use crate::world::model::Command;

/// Every kind of engine, in several sizes.
pub(crate) const ENGINES: [&str; 12] = [
    "auto",
    "serial",
    "threads",
    "threads=1",
    "threads=7",
    "processes=1",
    "processes=3",
    "hybrid=2x2",
    "hybrid=3x1",
    "uring",
    "uring=1x4",
    "uring=2x64",
];

/// One run to be made.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) command: Command,
    pub(crate) engine: &'static str,
    pub(crate) harm: Harm,
    pub(crate) deeds: Vec<Timed>,
    pub(crate) limits: Limits,
    /// The space left on the file system, where it is filled first.
    pub(crate) space: Option<u64>,
    args: Vec<OsString>,
}

impl Plan {
    /// A command with a disturbance that is possible in `world`.
    pub(crate) fn choose(choice: &mut Choice, world: &TreeWorld<'_>) -> Self {
        let harm = if choice.chance(25) { Harm::Nothing } else { *choice.pick(&Harm::ALL) };
        // An overwritten file is damaged if its run is killed; that is documented, and nothing to find.
        let may_overwrite = matches!(harm, Harm::Nothing | Harm::Interrupt | Harm::Terminate | Harm::Stop);
        let (replace, force) = (choice.chance(60), choice.chance(50));
        let command = match choice.below(8) {
            0..=2 => Command::Seal { replace, force },
            3..=4 => Command::Open { replace, force },
            5 => Command::Verify,
            _ => Command::Xor { overwrite: may_overwrite && choice.chance(20) },
        };
        let mut plan = Self::of(command, choice);
        plan.harm = harm;
        plan.deeds = harm.deeds(choice);
        let overwrites = command == Command::Xor { overwrite: true };
        if world.disk.has_power() && !overwrites && choice.chance(60) {
            plan.args.extend(["--durable".into(), "always".into()]);
            if command == Command::Verify {
                plan.args.truncate(plan.args.len() - 2);
            }
            plan.deeds = vec![Timed { at: choice.moment(), deed: Deed::CutPower(world.disk.root.clone()) }];
            plan.harm = Harm::Nothing;
        } else if choice.chance(15) && !overwrites {
            plan.limits = Limits::choose(choice, world.setup.spares_threads);
        } else if world.disk.kind == crate::world::disk::Kind::Tmpfs && choice.chance(70) {
            plan.space = Some(choice.below(4 << 20) as u64);
        }
        plan
    }

    /// A command that isn't disturbed.
    pub(crate) fn of(command: Command, choice: &mut Choice) -> Self {
        let engine = *choice.pick(&ENGINES);
        let mut args: Vec<OsString> = Vec::new();
        let flags = |replace: bool, force: bool| {
            let flag = |wanted: bool, name: &str| wanted.then(|| OsString::from(name));
            [flag(replace, "--replace"), flag(force, "--force")].into_iter().flatten()
        };
        match command {
            Command::Seal { replace, force } => {
                args.extend(["seal".into(), "-i".into(), "key.txt".into()]);
                args.extend(choice.chance(20).then(|| "--armor".into()));
                args.extend(flags(replace, force));
            }
            Command::Open { replace, force } => {
                args.extend(["open".into(), "-i".into(), "key.txt".into()]);
                args.extend(flags(replace, force));
            }
            Command::Verify => args.extend(["verify".into(), "-i".into(), "key.txt".into()]),
            Command::Xor { overwrite } => {
                args.extend(["xor", "--key-file", "xor.key", "--exclude", "*.age"].map(OsString::from));
                args.extend(overwrite.then(|| "--overwrite".into()));
            }
        }
        args.extend(["--json", "-e", engine].map(OsString::from));
        args.extend(choice.chance(10).then(|| "--stats".into()));
        Self {
            command,
            engine,
            harm: Harm::Nothing,
            deeds: Vec::new(),
            limits: Limits::default(),
            space: None,
            args,
        }
    }

    /// The same without waiting for the disk.
    pub(crate) fn order(&self, world: &TreeWorld<'_>) -> Order {
        let mut order = world.setup.order(self.args.clone());
        order.args.push(world.root.clone().into());
        order.limits = self.limits.clone();
        order.deeds = self.deeds.clone();
        order
    }

    /// True where nothing keeps the run from doing all its work.
    pub(crate) fn is_calm(&self) -> bool {
        self.deeds.is_empty() && self.limits.is_none() && self.space.is_none()
    }

    /// True where this run loses power.
    pub(crate) fn cuts_power(&self) -> bool {
        self.deeds.iter().any(|timed| matches!(timed.deed, Deed::CutPower(_)))
    }
}
