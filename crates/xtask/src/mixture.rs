//! Runs the crate `soak`: random mixtures of haul's commands under faults, for some time or one step again.
//!
//! Owns: its options, building it and the program under test.
//! Does not own: the mixtures.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::repository::Repository;
use crate::steps::{cargo, step, succeed};

/// The seeds of the CI, and the seconds that each runs: two minutes in all.
const CI_SEEDS: [u64; 3] = [1, 2, 3];
const CI_SECONDS: u64 = 40;

/// What to run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    seed: Option<u64>,
    seconds: Option<u64>,
    step: Option<u64>,
    faults: Option<u64>,
    kind: Option<String>,
    spares_threads: bool,
}

impl Options {
    /// Reads the chore's options.
    pub(crate) fn read(mut words: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        while let [name, rest @ ..] = words {
            words = rest;
            if *name == "--spare-threads" {
                options.spares_threads = true;
                continue;
            }
            let [value, rest @ ..] = words else { return Err(format!("{name} wants a value")) };
            words = rest;
            let number = || value.parse::<u64>().map_err(|_| format!("{name} wants a number, not {value:?}"));
            match *name {
                "--seed" => options.seed = Some(number()?),
                "--minutes" => options.seconds = Some(number()?.saturating_mul(60)),
                "--step" => options.step = Some(number()?),
                "--faults" => options.faults = Some(number()?),
                "--kind" => options.kind = Some((*value).to_owned()),
                _ => return Err(format!("soak doesn't know {name:?}")),
            }
        }
        if options.step.is_some() && options.seed.is_none() {
            return Err("soak wants --minutes N [--seed S] or --seed S --step K".to_owned());
        }
        Ok(options)
    }

    fn arguments(&self) -> Vec<String> {
        // A run without a seed takes another one each time; it is printed.
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
        let numbers = [
            ("--seed", Some(self.seed.unwrap_or_else(now))),
            ("--seconds", self.seconds),
            ("--step", self.step),
            ("--faults", self.faults),
        ];
        let given = |(name, value): (&str, Option<u64>)| Some([name.to_owned(), value?.to_string()]);
        let kind = self.kind.iter().flat_map(|kind| ["--kind".to_owned(), kind.clone()]);
        let spared = self.spares_threads.then(|| "--spare-threads".to_owned());
        numbers.into_iter().filter_map(given).flatten().chain(kind).chain(spared).collect()
    }
}

/// Runs it. The program under test has debug assertions: they find more.
pub(crate) fn run(repository: &Repository, options: &Options) -> Result<(), String> {
    let root = &repository.root;
    succeed(&mut cargo(root, &["build", "--package", "haul-cli", "--package", "haul-soak"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = target.join("debug");
    let mut command = std::process::Command::new(folder.join("haul-soak"));
    succeed(command.arg("--haul").arg(folder.join("haul")).args(options.arguments()).current_dir(root))
}

/// The seeds of the CI. Limits on threads are left to longer runs.
pub(crate) fn ci(repository: &Repository) -> Result<(), String> {
    CI_SEEDS.iter().try_for_each(|seed| {
        let options = Options {
            seed: Some(*seed),
            seconds: Some(CI_SECONDS),
            spares_threads: true,
            ..Options::default()
        };
        step(&format!("soak, seed {seed}"), || run(repository, &options))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_a_step_is_read() {
        let options = Options::read(&["--minutes", "3", "--seed", "7"]).unwrap();
        assert_eq!(options.arguments(), ["--seed", "7", "--seconds", "180"]);
        let options = Options::read(&["--seed", "7", "--step", "12"]).unwrap();
        assert_eq!(options.arguments(), ["--seed", "7", "--step", "12"]);
        for wrong in [&["--minutes"][..], &["--minutes", "x"], &["--hours", "1"], &["--step", "3"]] {
            assert!(Options::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
