//! The price of each feature of the libraries: crates that are built for it, and seconds that a build takes longer.
//!
//! Owns: the table, asking cargo for the tree of dependencies, timing builds.
//! Does not own: the features; READMEs show the table.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::repository::Repository;
use crate::steps::cargo;

/// The libraries with features, and their features.
const LIBRARIES: [(&str, &[&str]); 3] = [
    ("haul-age-format", &["ssh", "openssl"]),
    ("haul-fetch", &["codings", "cookies", "json", "socks", "tls"]),
    ("haul-seal", &["plugins", "ssh", "openssl"]),
];

/// Prints the tables; with seconds if `timed`, from builds in an empty folder. Downloads are no part of them.
pub(crate) fn run(repository: &Repository, timed: bool) -> Result<(), String> {
    for (library, features) in LIBRARIES {
        println!("{library}\n");
        println!("| features | crates |{}", if timed { " seconds |" } else { "" });
        println!("|---|---|{}", if timed { "---|" } else { "" });
        let none = crates(repository, library, &[])?;
        let least = if timed { Some(seconds(repository, library, &[])?) } else { None };
        row("none", none.len() as i64, least, false);
        for feature in features {
            let with = crates(repository, library, &[feature])?;
            let took = if timed { Some(seconds(repository, library, &[feature])?) } else { None };
            let more = took.zip(least).map(|(took, least)| took - least);
            row(&format!("`{feature}`"), with.len() as i64 - none.len() as i64, more, true);
        }
        println!();
    }
    Ok(())
}

fn row(name: &str, crates: i64, seconds: Option<f64>, is_added: bool) {
    let plus = if is_added { "+" } else { "" };
    let seconds = seconds.map_or(String::new(), |seconds| format!(" {plus}{seconds:.1} |"));
    println!("| {name} | {plus}{crates} |{seconds}");
}

/// The crates that are built for `library` with `features`, itself included.
fn crates(repository: &Repository, library: &str, features: &[&str]) -> Result<BTreeSet<String>, String> {
    let features = features.join(",");
    let tree = ["tree", "--offline", "--package", library, "--no-default-features", "--features", &features];
    let shape = ["--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let output = output(cargo(&repository.root, &tree).args(shape))?;
    let name_and_version = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(output.lines().filter(|line| !line.is_empty()).map(name_and_version).collect())
}

/// How long a build of `library` with `features` takes from nothing.
fn seconds(repository: &Repository, library: &str, features: &[&str]) -> Result<f64, String> {
    let folder = repository.root.join("target/feature-costs");
    remove(&folder)?;
    let features = features.join(",");
    let build =
        ["build", "--offline", "--quiet", "--package", library, "--no-default-features", "--features"];
    let started = Instant::now();
    output(cargo(&repository.root, &build).arg(features).env("CARGO_TARGET_DIR", &folder))?;
    let took = started.elapsed().as_secs_f64();
    remove(&folder)?;
    Ok(took)
}

fn remove(folder: &Path) -> Result<(), String> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(())
}

/// What `command` writes.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
