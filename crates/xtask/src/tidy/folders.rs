//! A folder of sources holds no more files than a reader can keep in mind.
//!
//! Owns: counting the `.rs` files that lie directly in each folder of `src` and `tests`.
//! Does not own: how to group them; folders with data.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::repository::TextFile;

const FILES_MAX: usize = 15;

pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    check_paths(files.iter().map(|file| file.path.as_str()))
}

fn check_paths<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<Finding> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for path in paths.filter(|path| path.ends_with(".rs")) {
        if let Some((folder, _)) = path.rsplit_once('/')
            && folder.split('/').any(|name| name == "src" || name == "tests")
        {
            *counts.entry(folder).or_default() += 1;
        }
    }
    counts
        .into_iter()
        .filter(|&(_, count)| count > FILES_MAX)
        .map(|(folder, count)| Finding::at(folder, 0, format!("holds {count} files, more than {FILES_MAX}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_count(folder: &str, ending: &str, file_count: usize, want: usize) {
        let paths: Vec<String> = (0..file_count).map(|index| format!("{folder}/{index}{ending}")).collect();
        assert_eq!(check_paths(paths.iter().map(String::as_str)).len(), want, "{folder} {ending}");
    }

    #[test]
    fn full_folders_are_findings() {
        check_count("crates/a/src", ".rs", 15, 0);
        check_count("crates/a/src", ".rs", 16, 1);
        check_count("crates/a/tests/it", ".rs", 16, 1);
    }

    #[test]
    fn data_and_other_folders_are_free() {
        check_count("crates/a/tests/golden", ".txt", 40, 0);
        check_count("crates/a/examples", ".rs", 40, 0);
    }
}
