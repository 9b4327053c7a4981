//! The price of each feature of the libraries: crates that are built for it, and the processor's seconds that a build
//! takes more.
//!
//! Owns: the table, asking cargo for the tree of dependencies, timing builds.
//! Does not own: the features; READMEs show the table.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::repository::Repository;
use crate::steps::cargo;

/// The libraries with features, and their features.
const LIBRARIES: [(&str, &[&str]); 3] = [
    ("haul-age-format", &["ssh", "openssl"]),
    ("haul-fetch", &["codings", "cookies", "json", "socks", "tls"]),
    ("haul-seal", &["plugins", "ssh", "openssl"]),
];

/// The unit of times in /proc, the same on every architecture that Rust knows.
const TICKS_PER_SECOND: f64 = 100.0;

/// Prints the tables; with seconds of the processor if `timed`, from builds in an empty folder. Other than the clock's,
/// they hardly depend on what else the machine does. Downloads are no part of them.
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
    let tree = ["tree", "--locked", "--package", library, "--no-default-features", "--features", &features];
    let shape = ["--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let output = output(cargo(&repository.root, &tree).args(shape))?;
    let name_and_version = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(output.lines().filter(|line| !line.is_empty()).map(name_and_version).collect())
}

/// The processor's seconds for a build of `library` with `features` from nothing.
fn seconds(repository: &Repository, library: &str, features: &[&str]) -> Result<f64, String> {
    let folder = repository.root.join("target/feature-costs");
    remove(&folder)?;
    let features = features.join(",");
    let build =
        ["build", "--offline", "--quiet", "--package", library, "--no-default-features", "--features"];
    let before = child_seconds()?;
    output(cargo(&repository.root, &build).arg(features).env("CARGO_TARGET_DIR", &folder))?;
    let took = child_seconds()? - before;
    remove(&folder)?;
    Ok(took)
}

/// The processor's seconds of all children that have ended.
fn child_seconds() -> Result<f64, String> {
    let stat = fs::read_to_string("/proc/self/stat").map_err(|error| format!("/proc/self/stat: {error}"))?;
    // Fields 16 and 17, cutime and cstime: proc_pid_stat(5). The name, field 2, may have blanks.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
    let ticks: f64 = fields.skip(13).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readmes_have_these_counts() {
        let repository = Repository::here().unwrap();
        for (library, features) in LIBRARIES {
            let folder = library.trim_start_matches("haul-");
            let readme = &repository.file(&format!("crates/{folder}/README.md")).unwrap().text;
            let none = crates(&repository, library, &[]).unwrap().len();
            assert!(readme.contains(&format!("builds {none} crates")), "{library}: {none} without features");
            // What a feature that is off by default needs may not be downloaded.
            for feature in features.iter().filter(|feature| **feature != "openssl") {
                let added = crates(&repository, library, &[feature]).unwrap().len() - none;
                let row = format!("| `{feature}` | {added} |");
                assert!(readme.contains(&row), "{library} lacks {row:?}");
            }
        }
    }
}
