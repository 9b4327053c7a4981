//! Runs the tests that are too long for every day: those ignored with a reason that begins with "soak".
//!
//! Owns: finding them, their time limit in `HAUL_SOAK_MINUTES`, running them one after the other.
//! Does not own: what they do with their time.

use std::collections::{BTreeMap, BTreeSet};

use crate::repository::Repository;
use crate::steps::{cargo, step, succeed};

const MINUTES: &str = "HAUL_SOAK_MINUTES";

/// Reads the chore's options.
pub(crate) fn minutes(options: &[&str]) -> Result<u32, String> {
    match options {
        [] => Ok(10),
        ["--minutes", count] => match count.parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(format!("--minutes wants a whole number from 1 on, not {count:?}")),
        },
        _ => Err(format!("soak doesn't know {options:?}")),
    }
}

pub(crate) fn run(repository: &Repository, minutes: u32) -> Result<(), String> {
    let mut names: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for file in repository.files.iter().filter(|file| file.is_rust()) {
        let Some((folder, _)) = file.in_crate() else { continue };
        let found = soak_tests(&file.text);
        if !found.is_empty() {
            names.entry(folder).or_default().extend(found);
        }
    }
    if names.is_empty() {
        return Err("no test is ignored as soak".to_owned());
    }
    names.iter().try_for_each(|(folder, names)| run_crate(repository, folder, names, minutes))
}

fn run_crate(
    repository: &Repository,
    folder: &str,
    names: &BTreeSet<String>,
    minutes: u32,
) -> Result<(), String> {
    let package = format!("haul-{folder}");
    let test = ["test", "--release", "--package", &package, "--tests"];
    let list = [&test[..], &["--", "--ignored", "--list"]].concat();
    let output = cargo(&repository.root, &list).output().map_err(|e| format!("cannot run cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!("{package}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    // Filters match parts of names; only whole paths say exactly which tests are meant.
    let paths = whole_paths(&String::from_utf8_lossy(&output.stdout), names);
    if paths.is_empty() {
        return Err(format!("{package} has soak tests in its source, and builds none of them"));
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let options = ["--", "--ignored", "--exact", "--nocapture", "--test-threads=1"];
    let command = [&test[..], &options, &paths].concat();
    step(&format!("soak of {package}: {}", paths.join(", ")), || {
        succeed(cargo(&repository.root, &command).env(MINUTES, minutes.to_string()))
    })
}

/// The names of the functions below `#[ignore = "soak…"]`.
fn soak_tests(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_soak = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[ignore = \"soak") {
            is_soak = true;
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_soak) {
            names.extend(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned));
            is_soak = false;
        }
    }
    names
}

/// The listed tests whose last word is one of `names`.
fn whole_paths(listing: &str, names: &BTreeSet<String>) -> Vec<String> {
    let paths = listing.lines().filter_map(|line| line.strip_suffix(": test"));
    let is_meant = |path: &&str| names.contains(path.rsplit("::").next().unwrap_or(path));
    paths.filter(is_meant).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_a_positive_number() {
        assert_eq!(minutes(&[]), Ok(10));
        assert_eq!(minutes(&["--minutes", "3"]), Ok(3));
        for wrong in [&["--minutes"][..], &["--minutes", "0"], &["--minutes", "x"], &["--hours", "1"]] {
            assert!(minutes(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_soak_tests_are_found() {
        let ignore =
            |reason: &str, name: &str| format!("#[test]\n#[ignore = \"{reason}\"]\nfn {name}() {{}}\n");
        let text = ignore("soak: kills", "kills") + &ignore("needs a network", "other") + "fn last() {}";
        assert_eq!(soak_tests(&text), ["kills"]);
    }

    #[test]
    fn a_longer_name_is_not_meant() {
        let names = BTreeSet::from(["kills".to_owned()]);
        let listing = "kills: test\na::kills: test\nkills_more: test\nkills: benchmark\n\n2 tests\n";
        assert_eq!(whole_paths(listing, &names), ["kills", "a::kills"]);
    }
}
