//! Commands that take turns, and the table of their times.
//!
//! Owns: the rounds, fresh results, wall and processor time, medians and ratios.
//! Does not own: the commands, the tables of BENCHMARKS.md ([`super::board`]).

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::peers::has;
use crate::steps::succeed;

/// Commands that do the same in turn.
pub(super) struct Contest {
    name: String,
    result: PathBuf,
    is_whole: Box<dyn Fn(&Path) -> bool>,
    remove: Removal,
    contestants: Vec<Contestant>,
    aim: Aim,
}

/// Removes a result.
type Removal = Box<dyn Fn(&Path) -> Result<(), String>>;

/// What haul is to reach.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Aim {
    /// The wall time, relative to that of the first contestant.
    pub(super) target: Option<f64>,
    /// Why it may be missed, or a peer may be faster: whole sentences.
    pub(super) reason: &'static str,
}

/// What a command stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Haul,
    /// Another program with the same result.
    Peer,
    /// A command with less to do, such as a copy.
    Reference,
}

struct Contestant {
    role: Role,
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

/// The outcome of a contest.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) name: String,
    pub(super) rounds: usize,
    pub(super) aim: Aim,
    pub(super) entries: Vec<Entry>,
}

/// The figures of one command, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) role: Role,
    pub(super) name: String,
    /// Median, lowest and highest.
    pub(super) wall: [f64; 3],
    /// Median.
    pub(super) processor: f64,
}

impl Contest {
    pub(super) fn new(name: &str, root: &Path) -> Self {
        let (name, result, aim) = (name.to_owned(), root.join("result"), Aim::default());
        let (is_whole, remove) = (Box::new(|_: &Path| true), Box::new(remove_from_disk));
        Self { name, result, is_whole, remove, contestants: Vec::new(), aim }
    }

    /// Sets what each result is checked by.
    pub(super) fn checked_by(self, is_whole: impl Fn(&Path) -> bool + 'static) -> Self {
        Self { is_whole: Box::new(is_whole), ..self }
    }

    /// Sets how each result is removed, if it isn't a file or a directory.
    pub(super) fn removed_by(self, remove: impl Fn(&Path) -> Result<(), String> + 'static) -> Self {
        Self { remove: Box::new(remove), ..self }
    }

    /// Sets what haul is to reach.
    pub(super) fn aiming_at(self, target: f64, reason: &'static str) -> Self {
        Self { aim: Aim { target: Some(target), reason }, ..self }
    }

    /// Adds a command; the name of the result is appended to it. The first is the one that the others are compared
    /// with. A command that isn't installed is left out.
    pub(super) fn add(&mut self, role: Role, name: &str, words: &[&OsStr]) {
        if !has(words[0]) {
            println!("{}: SKIPPED: no {} here", self.name, Path::new(words[0]).display());
            return;
        }
        let words = words.iter().map(|word| word.to_os_string()).collect();
        self.contestants.push(Contestant { role, name: name.to_owned(), words, runs: Vec::new() });
    }

    /// Adds a command of the shell, in which `$0` is the result, if `program` is installed.
    pub(super) fn add_script(&mut self, role: Role, program: &str, name: &str, script: &str) {
        if has(OsStr::new(program)) {
            self.add(role, name, &["sh", "-ec", script].map(OsStr::new));
        } else {
            println!("{}: SKIPPED: no {program} here", self.name);
        }
    }

    /// Runs each command `rounds` times, after one round that isn't counted.
    pub(super) fn run(mut self, rounds: usize) -> Result<Standing, String> {
        for round in 0..=rounds {
            for contestant in &mut self.contestants {
                let run = contestant.run(&self.result)?;
                if !(self.is_whole)(&self.result) {
                    return Err(format!("{}: no whole result", contestant.name));
                }
                (self.remove)(&self.result)?;
                // What this run left to be written back must not slow the next one down.
                succeed(Command::new("sync").arg("-f").arg(self.result.parent().unwrap_or(&self.result)))?;
                if round > 0 {
                    contestant.runs.push(run);
                }
            }
        }
        let entries =
            self.contestants.iter().filter(|one| !one.runs.is_empty()).map(Contestant::entry).collect();
        Ok(Standing { name: self.name, rounds, aim: self.aim, entries })
    }
}

impl Contestant {
    fn run(&self, result: &Path) -> Result<Run, String> {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).arg(result).stdin(Stdio::null());
        let before = processor_ms()?;
        let started = Instant::now();
        let output = command.output().map_err(|e| format!("cannot run {command:?}: {e}"))?;
        let run = Run { wall: 1e3 * started.elapsed().as_secs_f64(), processor: processor_ms()? - before };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {}: {said}", self.name, output.status));
        }
        Ok(run)
    }

    fn entry(&self) -> Entry {
        let walls = sorted(self.runs.iter().map(|run| run.wall));
        let processor = sorted(self.runs.iter().map(|run| run.processor));
        let wall = [walls[walls.len() / 2], walls[0], walls[walls.len() - 1]];
        Entry { role: self.role, name: self.name.clone(), wall, processor: processor[processor.len() / 2] }
    }
}

impl Standing {
    /// haul's entry. Of several, the first: it has no further options.
    pub(super) fn haul(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.role == Role::Haul)
    }

    /// The fastest of the programs with the same result.
    pub(super) fn best_peer(&self) -> Option<&Entry> {
        let peers = self.entries.iter().filter(|entry| entry.role == Role::Peer);
        peers.min_by(|a, b| a.wall[0].total_cmp(&b.wall[0]))
    }

    /// Whether haul is slower than a peer, or misses its target.
    pub(super) fn is_lost(&self) -> bool {
        let Some(haul) = self.haul() else { return false };
        let is_over = |entry: Option<&Entry>, target: f64| {
            entry.is_some_and(|entry| haul.wall[0] > target * entry.wall[0])
        };
        is_over(self.best_peer(), 1.0)
            || self.aim.target.is_some_and(|target| is_over(self.entries.first(), target))
    }

    pub(super) fn print(&self) {
        let Some(first) = self.entries.first() else { return };
        println!(
            "{}, {} rounds: wall ms (from–to), processor ms, wall and processor relative to {}",
            self.name, self.rounds, first.name
        );
        for Entry { name, wall: [wall, from, to], processor, .. } in &self.entries {
            let (of_wall, of_processor) = (wall / first.wall[0], processor / first.processor);
            println!(
                "{name:44} {wall:7.0} ({from:.0}–{to:.0}) {processor:7.0} {of_wall:7.2} {of_processor:5.2}"
            );
        }
    }
}

fn remove_from_disk(result: &Path) -> Result<(), String> {
    let removed = if result.is_dir() { fs::remove_dir_all(result) } else { fs::remove_file(result) };
    removed.map_err(|e| format!("{}: {e}", result.display()))
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
