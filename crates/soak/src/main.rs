//! A soak of the program `haul`: random mixtures of its commands on every engine, under faults, checked after each run.
//!
//! A soak is a sequence of steps. A step makes a world of its own, runs haul in it several times, disturbs the runs and
//! checks what is left after each. A step depends on its seed and number alone, so `--seed S --step K` repeats it.
//!
//! Rooms: `world` (file systems, trees, the model), `program` (runs and what is done to them), `checker` (judging
//! without haul's code), `trees`, `fetches`, `differential` (the three kinds of steps).
//!
//! Owns: the options, the sequence of steps, what is printed.
//! Does not own: the steps.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the project's own people")]

mod checker;
mod choice;
mod differential;
mod fault;
mod fetches;
mod options;
mod program;
mod tally;
mod trees;
mod world;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use choice::Choice;
use fault::Checked;
use options::Options;
use tally::Tally;
use world::setup::Setup;

fn main() -> ExitCode {
    let options = match Options::read(&std::env::args_os().skip(1).collect::<Vec<_>>()) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("soak: error: {message}");
            return ExitCode::from(2);
        }
    };
    let (mut tally, mut faults) = (Tally::default(), 0);
    let start = Instant::now();
    let steps = options.step.map_or(0..u64::MAX, |step| step..step + 1);
    for number in steps {
        if options.step.is_none() && start.elapsed() >= Duration::from_secs(options.seconds) {
            break;
        }
        let kind = kind(&mut Choice::new(options.seed, number));
        if options.kind.as_ref().is_some_and(|wanted| wanted != kind) {
            continue;
        }
        faults += u32::from(!step(&options, number, &mut tally));
        tally.one(format!("steps: {kind}"));
        if faults >= options.faults_max {
            break;
        }
    }
    println!("seed {}, {:.0} s:\n{tally}{faults:>9}  faults", options.seed, start.elapsed().as_secs_f64());
    if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Does one step in a folder of its own. False, with the folder kept, if it found a fault.
fn step(options: &Options, number: u64, tally: &mut Tally) -> bool {
    let folder = tempfile::Builder::new().prefix(&format!("haul-soak-{}-{number}-", options.seed)).tempdir();
    let folder = match folder {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("soak: error: no folder for step {number}: {error}");
            return false;
        }
    };
    let mut choice = Choice::new(options.seed, number);
    if options.verbose {
        println!("step {number}");
    }
    let Err(fault) = world(folder.path(), options, &mut choice, tally) else { return true };
    let kept = folder.keep();
    println!("FAULT in step {number} of seed {}: {fault}", options.seed);
    println!("  kept: {}", kept.display());
    println!("  again: cargo xtask soak --seed {} --step {number}", options.seed);
    false
}

fn world(dir: &Path, options: &Options, choice: &mut Choice, tally: &mut Tally) -> Checked {
    let setup = Setup::make(dir, options)?;
    match kind(choice) {
        "trees" => trees::step(&setup, choice, tally),
        "fetches" => fetches::step(&setup, choice, tally),
        _ => differential::step(&setup, choice, tally),
    }
}

/// The kind of a step, its first choice.
fn kind(choice: &mut Choice) -> &'static str {
    match choice.below(8) {
        0..=3 => "trees",
        4..=6 => "fetches",
        _ => "differential",
    }
}
