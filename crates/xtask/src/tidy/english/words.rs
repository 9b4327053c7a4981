//! Words that no file of the repository should contain, and white space at the end of lines.
//!
//! Owns: both checks.
//! Does not own: checks of Rust source (see `source.rs`).

use crate::tidy::finding::Finding;

/// Beginnings of paths that exist on one machine only.
const MACHINE_FOLDERS: [&str; 3] = [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/")];

/// Hosts of package registries: the user's configuration decides where packages come from.
const REGISTRY_HOSTS: [&str; 6] = [
    concat!("crates", ".io"),
    concat!("docs", ".rs"),
    concat!("lib", ".rs/"),
    concat!("pypi", ".org"),
    concat!("npm", "js"),
    concat!("ruby", "gems.org"),
];

/// The table of a manifest that tells the host of documentation how to build it.
const DOCS_TABLE: &str = concat!("[package.metadata.", "docs", ".rs]");

/// Endings of files written by hand; others may be test vectors, where every byte counts.
const WRITTEN: [&str; 8] = [".rs", ".toml", ".md", ".yml", ".sh", ".html", ".gitignore", ".ci/run"];

pub(in crate::tidy) fn check(path: &str, text: &str) -> Vec<Finding> {
    let is_written = WRITTEN.iter().any(|ending| path.ends_with(ending));
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| names_root_folder(line, folder)) {
            findings.push(Finding::at(path, index, format!("names a folder of one machine, {folder}")));
        }
        let is_locked_source = path.ends_with("Cargo.lock") && line.starts_with("source = \"registry+");
        let is_allowed = is_locked_source || line == DOCS_TABLE;
        if let Some(host) = REGISTRY_HOSTS.iter().find(|host| !is_allowed && line.contains(**host)) {
            findings.push(Finding::at(path, index, format!("names a registry, {host}")));
        }
        if is_written && line.ends_with([' ', '\t']) {
            findings.push(Finding::at(path, index, "ends in white space"));
        }
    }
    findings
}

/// True where `line` has `folder` at the beginning of a path, not in the middle of one.
fn names_root_folder(line: &str, folder: &str) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || "_-.~]})".contains(c);
    line.match_indices(folder).any(|(at, _)| !line[..at].ends_with(goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_messages(path: &str, line: &str, want: &[&str]) {
        let messages: Vec<String> = check(path, line).into_iter().map(|finding| finding.message).collect();
        assert_eq!(messages.len(), want.len(), "{line}: {messages:?}");
        assert!(messages.iter().zip(want).all(|(have, want)| have.contains(want)), "{line}: {messages:?}");
    }

    #[test]
    fn folders_of_one_machine_are_found() {
        for folder in MACHINE_FOLDERS {
            check_messages("a.md", &format!("see {folder}x"), &["one machine"]);
            check_messages("a.md", &format!("\"{folder}x\""), &["one machine"]);
            check_messages("a.md", &format!("at host.example{folder}x or [DIR]{folder}"), &[]);
        }
    }

    #[test]
    fn registries_are_found_but_not_in_the_lock_file() {
        for host in REGISTRY_HOSTS {
            check_messages("a.toml", &format!("# see {host}/x"), &["registry"]);
        }
        let line = format!("source = \"registry+https://{}-index\"", REGISTRY_HOSTS[0]);
        check_messages("Cargo.lock", &line, &[]);
        check_messages("a.toml", &line, &["registry"]);
    }

    #[test]
    fn white_space_is_found_where_people_write() {
        check_messages("a.rs", "x \ny\t\nz\n", &["white space", "white space"]);
        check_messages("vector.txt", "x \n", &[]);
    }
}
