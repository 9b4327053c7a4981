//! Commands that take turns, and the table of their times.
//!
//! Owns: the rounds, fresh results, wall and processor time, medians and ratios.
//! Does not own: the commands.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::steps::succeed;

/// Commands that do the same in turn. The name of the result is appended to each.
pub(super) struct Contest {
    name: String,
    result: PathBuf,
    is_whole: Box<dyn Fn(&Path) -> bool>,
    contestants: Vec<Contestant>,
}

struct Contestant {
    name: String,
    words: Vec<OsString>,
    runs: Vec<Run>,
}

/// The times of one run in milliseconds.
#[derive(Clone, Copy)]
struct Run {
    wall: f64,
    processor: f64,
}

impl Contest {
    pub(super) fn new(name: &str, root: &Path) -> Self {
        let (name, result) = (name.to_owned(), root.join("result"));
        Self { name, result, is_whole: Box::new(|_| true), contestants: Vec::new() }
    }

    /// Sets what each result is checked by.
    pub(super) fn checked_by(self, is_whole: impl Fn(&Path) -> bool + 'static) -> Self {
        Self { is_whole: Box::new(is_whole), ..self }
    }

    /// Adds a command. The first is the one that the others are compared with.
    pub(super) fn add(&mut self, name: &str, words: &[&OsStr]) {
        let words = words.iter().map(|word| word.to_os_string()).collect();
        self.contestants.push(Contestant { name: name.to_owned(), words, runs: Vec::new() });
    }

    /// Runs each command `rounds` times, after one round that isn't counted, and prints the table.
    pub(super) fn run(mut self, rounds: usize) -> Result<(), String> {
        for round in 0..=rounds {
            for contestant in &mut self.contestants {
                let run = contestant.run(&self.result, &self.is_whole)?;
                if round > 0 {
                    contestant.runs.push(run);
                }
            }
        }
        println!(
            "{}, {rounds} rounds: wall ms (from–to), processor ms, wall and processor relative to {}",
            self.name, self.contestants[0].name
        );
        let first = self.contestants[0].median();
        for contestant in &self.contestants {
            contestant.print(first);
        }
        Ok(())
    }
}

impl Contestant {
    fn run(&self, result: &Path, is_whole: &dyn Fn(&Path) -> bool) -> Result<Run, String> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).arg(result).stdin(Stdio::null());
        let before = processor_ms()?;
        let started = Instant::now();
        let output = command.output().map_err(|e| format!("cannot run {command:?}: {e}"))?;
        let run = Run { wall: 1e3 * started.elapsed().as_secs_f64(), processor: processor_ms()? - before };
        if !output.status.success() || !is_whole(result) {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {}: no whole result: {said}", self.name, output.status));
        }
        let removed = if result.is_dir() { fs::remove_dir_all(result) } else { fs::remove_file(result) };
        removed.map_err(|e| format!("{}: {e}", result.display()))?;
        // What this run left to be written back must not slow the next one down.
        succeed(Command::new("sync").arg("-f").arg(result.parent().unwrap_or(result)))?;
        Ok(run)
    }

    fn median(&self) -> Run {
        let median = |of: fn(&Run) -> f64| sorted(self.runs.iter().map(of))[self.runs.len() / 2];
        Run { wall: median(|run| run.wall), processor: median(|run| run.processor) }
    }

    fn print(&self, first: Run) {
        let (Run { wall, processor }, walls) = (self.median(), sorted(self.runs.iter().map(|run| run.wall)));
        let (from, to) = (walls[0], walls[walls.len() - 1]);
        let (of_wall, of_processor) = (wall / first.wall, processor / first.processor);
        let name = &self.name;
        println!("{name:28} {wall:7.0} ({from:.0}–{to:.0}) {processor:7.0} {of_wall:7.2} {of_processor:5.2}");
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The processor time of all commands that have ended.
fn processor_ms() -> Result<f64, String> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|e| format!("getrusage: {e}"))?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(micros as f64 / 1e3)
}
