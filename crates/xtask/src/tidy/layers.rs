//! Crates of the workspace import only from lower layers of the table in ARCHITECTURE.md.
//!
//! Owns: reading that table and the manifests, comparing them.
//! Does not own: the layers.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::repository::{Repository, TextFile};

const MAP: &str = "ARCHITECTURE.md";

/// The layer of a crate, which decides what it may import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Number(u32),
    /// For development only: it may import every crate, and only tests may import it.
    Dev,
}

/// The crates' folders and their layers.
type Table = BTreeMap<String, Layer>;

pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let Some(map) = repository.file(MAP) else {
        return vec![Finding::at(MAP, 0, "is missing, and with it the table of layers")];
    };
    let table = table(&map.text);
    if table.is_empty() {
        return vec![Finding::at(MAP, 0, "has no table with the columns layer and crate")];
    }
    let is_manifest = |file: &&TextFile| file.in_crate().is_some_and(|(_, path)| path == "Cargo.toml");
    repository.files.iter().filter(is_manifest).flat_map(|file| check_manifest(file, &table)).collect()
}

fn check_manifest(file: &TextFile, table: &Table) -> Vec<Finding> {
    let Some((folder, _)) = file.in_crate() else { return Vec::new() };
    let Some(&layer) = table.get(folder) else {
        return vec![Finding::at(&file.path, 0, format!("the crate {folder} isn't in the table of {MAP}"))];
    };
    let mut findings = Vec::new();
    for (line_index, import) in imports(&file.text) {
        let message = match (layer, table.get(import)) {
            (_, None) => format!("imports haul-{import}, which isn't in the table of {MAP}"),
            (Layer::Number(_), Some(Layer::Dev)) => format!("imports haul-{import}, which is for tests only"),
            (Layer::Number(own), Some(Layer::Number(other))) if *other >= own => {
                format!("of layer {own} imports haul-{import} of layer {other}; imports point down")
            }
            _ => continue,
        };
        findings.push(Finding::at(&file.path, line_index, message));
    }
    findings
}

/// Reads the table whose first row names the columns layer and crate.
fn table(map: &str) -> Table {
    let mut table = Table::new();
    let mut columns = None;
    for line in map.lines() {
        let Some(row) = line.trim().strip_prefix('|') else {
            columns = None;
            continue;
        };
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let column =
            |name: &str| cells.iter().position(|cell| cell.trim_matches('*').eq_ignore_ascii_case(name));
        match columns {
            None => columns = column("layer").zip(column("crate").or_else(|| column("crates"))),
            Some((layers, crates)) => {
                let (Some(layer), Some(crates)) =
                    (cells.get(layers).and_then(|cell| layer(cell)), cells.get(crates))
                else {
                    continue;
                };
                table.extend(quoted(crates).map(|name| (name.to_owned(), layer)));
            }
        }
    }
    table
}

fn layer(cell: &str) -> Option<Layer> {
    if cell == "dev" { Some(Layer::Dev) } else { cell.parse().ok().map(Layer::Number) }
}

/// The names between backticks, without the prefix `haul-`.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2).map(|name| name.strip_prefix("haul-").unwrap_or(name))
}

/// The crates of the workspace that a manifest depends on outside tests, and the line of each.
fn imports(manifest: &str) -> Vec<(usize, &str)> {
    let mut imports = Vec::new();
    let mut counts = false;
    for (index, line) in manifest.lines().enumerate() {
        if let Some(section) = line.trim().strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let (section, name) = section.split_once("dependencies.").unwrap_or((section, ""));
            counts = !section.ends_with("dev-") && !section.ends_with("dev-dependencies");
            counts &= !name.is_empty() || section.ends_with("dependencies");
            imports.extend(name.strip_prefix("haul-").filter(|_| counts).map(|name| (index, name)));
        } else if let Some(rest) = line.strip_prefix("haul-").filter(|_| counts) {
            imports.extend(rest.split(['.', '=', ' ']).next().map(|name| (index, name)));
        }
    }
    imports
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP_TEXT: &str = "| a | b |\n|---|---|\n| 9 | `io` |\n\n| layer | crate | owns |\n|---|---|---|\n\
                            | 4 | `fetch`, `seal` | x |\n| 2 | `io` (see `Op`) | y |\n| dev | `testkit` | z |\n";

    #[track_caller]
    fn check_imports(folder: &str, manifest: &str, want: &[(usize, &str)]) {
        let file = TextFile { path: format!("crates/{folder}/Cargo.toml"), text: manifest.to_owned() };
        let findings = check_manifest(&file, &table(MAP_TEXT));
        assert_eq!(findings.len(), want.len(), "{findings:?}");
        for (finding, (line, words)) in findings.iter().zip(want) {
            assert!(finding.line == *line && finding.message.contains(words), "{finding}");
        }
    }

    #[test]
    fn the_table_is_the_one_with_layers() {
        let table = table(MAP_TEXT);
        assert_eq!(table.get("io"), Some(&Layer::Number(2)));
        assert_eq!(table.get("seal"), Some(&Layer::Number(4)));
        assert_eq!(table.get("testkit"), Some(&Layer::Dev));
    }

    #[test]
    fn imports_point_down() {
        check_imports("fetch", "[dependencies]\nhaul-io.workspace = true\n", &[]);
        check_imports("fetch", "[dependencies]\nhaul-seal.workspace = true\n", &[(2, "imports point down")]);
        check_imports("io", "[dependencies.haul-fetch]\nworkspace = true\n", &[(1, "imports point down")]);
        check_imports("io", "[target.'cfg(unix)'.dependencies]\nhaul-seal = \"1\"\n", &[(2, "layer 4")]);
        check_imports("io", "[dependencies]\nhaul-other.workspace = true\n", &[(2, "isn't in the table")]);
        check_imports("other", "", &[(1, "isn't in the table")]);
    }

    #[test]
    fn crates_for_tests_are_imported_by_tests_only() {
        check_imports("io", "[dependencies]\nhaul-testkit.workspace = true\n", &[(2, "tests only")]);
        check_imports(
            "io",
            "[dev-dependencies]\nhaul-testkit.workspace = true\n[dev-dependencies.haul-seal]\n",
            &[],
        );
        check_imports("testkit", "[dependencies]\nhaul-seal.workspace = true\n", &[]);
    }
}
