//! The licences of everything that is compiled into the program.
//!
//! Owns: which crates these are, their licence files, the text that holds them all, each once.
//! Does not own: which licences are allowed (see `deny.toml`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::tools::output;
use crate::steps::cargo;

/// The crate of the program.
const PROGRAM: &str = "haul-cli";
/// The starts of names of licence files, in capitals.
const NAMES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// A crate that is compiled in.
struct Crate {
    title: String,
    licence: String,
    folder: PathBuf,
}

/// The notices: the project's own, then those of each crate.
pub(super) fn collect(root: &Path) -> Result<String, String> {
    let host = output(std::process::Command::new("rustc").arg("-vV"))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", host];
    let metadata = output(&mut cargo(root, &arguments))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let crates = compiled_in(&metadata).ok_or("cargo's metadata has another form")?;
    let own = |name: &str| fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"));
    let mut text = format!(
        "haul is licensed under MIT or Apache-2.0, as you prefer.\n\n{}\n{}\n\
         The program also contains the Rust standard library (MIT or Apache-2.0) and the crates below. A text that \
         several of them share stands once, after their names.\n",
        own("LICENSE-MIT")?,
        own("LICENSE-APACHE")?,
    );
    // The crates that have each text, by the text.
    let mut texts: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for one in &crates {
        let _ = writeln!(text, "- {} ({})", one.title, one.licence);
        for file in licence_files(&one.folder) {
            if let Ok(content) = fs::read_to_string(&file) {
                texts.entry(content.trim().replace("\r\n", "\n")).or_default().push(&one.title);
            }
        }
    }
    let mut texts: Vec<_> = texts.into_iter().collect();
    texts.sort_by(|(_, one), (_, other)| one.cmp(other));
    for (content, mut titles) in texts {
        titles.dedup();
        let _ = write!(text, "\n{}\n{}\n\n{content}\n", "-".repeat(72), titles.join(", "));
    }
    Ok(text)
}

/// The crates of other projects that the program is linked with; not those that only build or test it.
fn compiled_in(metadata: &Value) -> Option<Vec<Crate>> {
    let packages = metadata["packages"].as_array()?;
    let by_id: BTreeMap<&str, &Value> =
        packages.iter().filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let nodes = metadata["resolve"]["nodes"].as_array()?;
    let nodes: BTreeMap<&str, &Value> =
        nodes.iter().filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    let root = by_id.iter().find(|(_, package)| package["name"] == PROGRAM).map(|(id, _)| *id)?;
    let (mut seen, mut open) = (BTreeSet::new(), vec![root]);
    while let Some(id) = open.pop() {
        let is_macro = |package: &Value| package["targets"].to_string().contains("\"proc-macro\"");
        if by_id.get(id).is_none_or(|package| is_macro(package)) || !seen.insert(id) {
            continue;
        }
        for dependency in nodes.get(id)?["deps"].as_array()? {
            let kinds = dependency["dep_kinds"].as_array()?;
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                open.push(dependency["pkg"].as_str()?);
            }
        }
    }
    let crates =
        seen.into_iter().filter_map(|id| by_id.get(id)).filter(|package| !package["source"].is_null());
    let mut crates: Vec<_> = crates.filter_map(|package| describe(package)).collect();
    crates.sort_by(|one, other| one.title.cmp(&other.title));
    Some(crates)
}

fn describe(package: &Value) -> Option<Crate> {
    let title = format!("{} {}", package["name"].as_str()?, package["version"].as_str()?);
    let licence = package["license"].as_str().unwrap_or("see its licence file").to_owned();
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?.to_owned();
    Some(Crate { title, licence, folder })
}

/// The licence files in `folder` and, for libraries in C, in the folders within.
fn licence_files(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).collect()
    };
    let (folders, files): (Vec<_>, Vec<_>) = entries(folder).into_iter().partition(|path| path.is_dir());
    let within = folders.iter().flat_map(|folder| entries(folder)).filter(|path| path.is_file());
    let is_licence = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        NAMES.iter().any(|start| name.starts_with(start)) && !name.ends_with(".RS")
    };
    let mut found: Vec<_> = files.into_iter().chain(within).filter(is_licence).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_only_builds_or_tests_is_left_out() {
        let package = |name: &str, kind: &str| {
            json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT", "source": "registry",
                "manifest_path": format!("/c/{name}/Cargo.toml"), "targets": [{"kind": [kind]}]})
        };
        let needs = |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let mut program = package(PROGRAM, "bin");
        program["source"] = Value::Null;
        let metadata = json!({
            "packages": [program, package("a", "lib"), package("b", "lib"), package("derive", "proc-macro"),
                package("build", "lib"), package("test", "lib")],
            "resolve": {"nodes": [
                {"id": PROGRAM, "deps": [needs("a", Value::Null), needs("derive", Value::Null),
                    needs("build", json!("build")), needs("test", json!("dev"))]},
                {"id": "a", "deps": [needs("b", Value::Null)]},
                {"id": "b", "deps": []}, {"id": "derive", "deps": []}, {"id": "build", "deps": []},
                {"id": "test", "deps": []}]},
        });
        let titles: Vec<_> = compiled_in(&metadata).unwrap().into_iter().map(|one| one.title).collect();
        assert_eq!(titles, ["a 1.0.0", "b 1.0.0"]);
    }
}
