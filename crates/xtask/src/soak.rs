//! Runs what is too long for every day: the tests ignored with a reason that begins with "soak".
//!
//! Owns: finding and selecting them, running them one after another.
//! Does not own: the tests; mixtures of commands under faults (see `mixture.rs`).

use std::collections::{BTreeMap, BTreeSet};

use crate::repository::Repository;
use crate::steps::{cargo, step, succeed};

/// Runs the soak tests, or only the one of that name.
pub(crate) fn run(repository: &Repository, only: Option<&str>) -> Result<(), String> {
    let mut soaks: BTreeMap<&str, Soaks> = BTreeMap::new();
    for file in repository.files.iter().filter(|file| file.is_rust()) {
        let Some((folder, path)) = file.in_crate() else { continue };
        let mut found = soak_tests(&file.text);
        found.retain(|name| only.is_none_or(|only| only == name));
        if !found.is_empty() {
            let soaks = soaks.entry(folder).or_default();
            soaks.targets.extend(target(path));
            soaks.names.extend(found);
        }
    }
    if soaks.is_empty() {
        let named = only.map(|name| format!(" and named {name:?}")).unwrap_or_default();
        return Err(format!("no test is ignored as soak{named}"));
    }
    soaks.iter().try_for_each(|(folder, soaks)| run_crate(repository, folder, soaks))
}

/// The soak tests of one crate.
#[derive(Default)]
struct Soaks {
    /// The targets that cargo builds for them; only these, because linking a release build is slow.
    targets: BTreeSet<String>,
    names: BTreeSet<String>,
}

/// The options by which cargo builds the tests of the file at `path` in its crate.
fn target(path: &str) -> Vec<String> {
    let name = path.strip_prefix("tests/").and_then(|path| path.split(['/', '.']).next());
    match name {
        Some(name) => vec![format!("--test={name}")],
        None => vec!["--lib".to_owned(), "--bins".to_owned()],
    }
}

fn run_crate(repository: &Repository, folder: &str, soaks: &Soaks) -> Result<(), String> {
    let package = format!("haul-{folder}");
    let targets = soaks.targets.iter().map(String::as_str);
    let test: Vec<&str> = ["test", "--release", "--package", &package].into_iter().chain(targets).collect();
    let list = [&test[..], &["--", "--ignored", "--list"]].concat();
    let output = cargo(&repository.root, &list).output().map_err(|e| format!("cannot run cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!("{package}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    // Filters match parts of names; only full paths select exactly these tests.
    let paths = whole_paths(&String::from_utf8_lossy(&output.stdout), &soaks.names);
    if paths.is_empty() {
        return Err(format!("{package} has soak tests in its source, and builds none of them"));
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let options = ["--", "--ignored", "--exact", "--nocapture", "--test-threads=1"];
    let command = [&test[..], &options, &paths].concat();
    step(&format!("soak of {package}: {}", paths.join(", ")), || {
        succeed(&mut cargo(&repository.root, &command))
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
    fn only_soak_tests_are_found() {
        let ignore =
            |reason: &str, name: &str| format!("#[test]\n#[ignore = \"{reason}\"]\nfn {name}() {{}}\n");
        let text = ignore("soak: kills", "kills") + &ignore("needs a network", "other") + "fn last() {}";
        assert_eq!(soak_tests(&text), ["kills"]);
    }

    #[test]
    fn only_what_has_them_is_built() {
        assert_eq!(target("tests/million.rs"), ["--test=million"]);
        assert_eq!(target("tests/it/survival.rs"), ["--test=it"]);
        assert_eq!(target("src/deep/lib.rs"), ["--lib", "--bins"]);
    }

    #[test]
    fn a_longer_name_is_not_meant() {
        let names = BTreeSet::from(["kills".to_owned()]);
        let listing = "kills: test\na::kills: test\nkills_more: test\nkills: benchmark\n\n2 tests\n";
        assert_eq!(whole_paths(listing, &names), ["kills", "a::kills"]);
    }
}
