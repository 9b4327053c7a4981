//! Runs the fuzz targets of `fuzz/` under libFuzzer, one after another.
//!
//! cargo-fuzz isn't needed: the coverage that libFuzzer wants comes from a pass of LLVM that every rustc has. With a
//! nightly toolchain AddressSanitizer is added. Where no C++ compiler can build libFuzzer, the chore says SKIPPED; the
//! crates' tests run the same properties on the kept corpus and on generated inputs.
//!
//! Owns: building and running the targets, the kept corpus in `fuzz/corpus`.
//! Does not own: the targets and their properties.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::repository::Repository;
use crate::steps::{cargo, step, succeed};

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// The pass that counts which edges an input reaches, with the tables that libFuzzer reads.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                        -Cllvm-args=-sanitizer-coverage-pc-table \
                        -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing \
                        -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1";

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// For all targets together.
    minutes: u64,
    only: Option<String>,
    /// Adds what reached new edges to the kept corpus.
    keep: bool,
}

impl Options {
    /// Reads the chore's options.
    pub(crate) fn read(mut words: &[&str]) -> Result<Self, String> {
        let mut options = Self { minutes: 6, only: None, keep: false };
        while let [name, value, rest @ ..] = words {
            words = rest;
            match *name {
                "--minutes" => options.minutes = value.parse().map_err(|e| format!("--minutes: {e}"))?,
                "--only" => options.only = Some((*value).to_owned()),
                "--keep" => options.keep = *value == "yes",
                _ => return Err(format!("fuzz doesn't know {name:?}")),
            }
        }
        if words.is_empty() { Ok(options) } else { Err(format!("{words:?} wants a value")) }
    }
}

/// Builds the targets and runs them.
pub(crate) fn run(repository: &Repository, options: &Options) -> Result<(), String> {
    if Command::new("c++").arg("--version").output().is_err() {
        println!("SKIPPED: no C++ compiler here, so libFuzzer can't be built");
        return Ok(());
    }
    let fuzz = repository.root.join("fuzz");
    let mut targets = targets(repository);
    targets.retain(|target| options.only.as_ref().is_none_or(|only| only == target));
    if targets.is_empty() {
        return Err("no such fuzz target".to_owned());
    }
    step("building the fuzz targets", || build(&fuzz))?;
    let seconds = (options.minutes * 60 / targets.len() as u64).max(1);
    targets.iter().try_for_each(|target| {
        step(&format!("fuzz {target}, {seconds} s"), || one(&fuzz, target, seconds, options.keep))
    })
}

/// The names of the targets.
fn targets(repository: &Repository) -> Vec<String> {
    let name = |path: &str| Some(path.strip_prefix("fuzz/fuzz_targets/")?.strip_suffix(".rs")?.to_owned());
    repository.files.iter().filter_map(|file| name(&file.path)).collect()
}

fn build(fuzz: &Path) -> Result<(), String> {
    let nightly = Command::new("rustup").args(["run", "nightly", "rustc", "--version"]).output();
    let has_nightly = nightly.is_ok_and(|output| output.status.success());
    let flags = if has_nightly { format!("{COVERAGE} -Zsanitizer=address") } else { COVERAGE.to_owned() };
    let mut command = if has_nightly {
        let mut command = Command::new("rustup");
        command.args(["run", "nightly", "cargo"]);
        command
    } else {
        println!("SKIPPED: no nightly toolchain here, so the targets run without AddressSanitizer");
        cargo(fuzz, &[])
    };
    // The cargo that runs this program names its own compiler in the environment.
    for name in ["RUSTC", "RUSTDOC", "CARGO", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command.current_dir(fuzz).args(["build", "--release", "--target", TRIPLE]);
    succeed(command.env("CARGO_TARGET_DIR", fuzz.join("target")).env("RUSTFLAGS", flags))
}

fn one(fuzz: &Path, target: &str, seconds: u64, keep: bool) -> Result<(), String> {
    let program = fuzz.join("target").join(TRIPLE).join("release").join(target);
    let (kept, grown) = (fuzz.join("corpus").join(target), fuzz.join("target/corpus").join(target));
    let artifacts = fuzz.join("artifacts").join(target);
    for folder in [&kept, &grown, &artifacts] {
        fs::create_dir_all(folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
    }
    let mut command = Command::new(&program);
    // What is found goes to the first folder.
    command.args([&grown, &kept]).arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.arg(format!("-max_total_time={seconds}"));
    command.args([
        "-max_len=4096",
        "-timeout=10",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        "-verbosity=0",
    ]);
    succeed(&mut command)?;
    if keep {
        succeed(Command::new(&program).args([&kept, &grown]).args([
            "-merge=1",
            "-max_len=300",
            "-verbosity=0",
        ]))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let read = |words: &[&str]| Options::read(words);
        assert_eq!(read(&[]), Ok(Options { minutes: 6, only: None, keep: false }));
        let only = Some("list".to_owned());
        assert_eq!(
            read(&["--only", "list", "--minutes", "2"]),
            Ok(Options { minutes: 2, only, keep: false })
        );
        for wrong in [&["--minutes"][..], &["--minutes", "x"], &["--other", "1"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
