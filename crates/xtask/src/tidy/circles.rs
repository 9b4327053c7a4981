//! No circle of modules in a crate: following imports from a file never leads back to it.
//!
//! A module that only declares and re-exports others is looked through. Modules for tests don't count.
//!
//! Owns: finding circles, reporting each with the names that close it.
//! Does not own: the graph (see `uses.rs`), what a path means (see `modules.rs`).

mod modules;
mod uses;

use std::collections::{BTreeMap, BTreeSet};

use self::modules::Modules;
use self::uses::{Edges, edges};
use super::finding::Finding;
use super::syntax;
use crate::repository::TextFile;

pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let mut crates: BTreeMap<&str, BTreeMap<&str, &TextFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        if let Some((folder, path)) = file.in_crate()
            && let Some(path) = path.strip_prefix("src/")
        {
            crates.entry(folder).or_default().insert(path, file);
        }
    }
    let roots = crates.values().flat_map(|sources| ["lib.rs", "main.rs"].map(|root| (root, sources)));
    roots.flat_map(|(root, sources)| check_crate(root, sources)).collect()
}

fn check_crate(root: &str, sources: &BTreeMap<&str, &TextFile>) -> Vec<Finding> {
    let mut unparsed = Vec::new();
    let mut load = |path: &str| {
        let file = sources.get(path)?;
        match syntax::parse(&file.path, &file.text) {
            Ok(syntax) => Some((file.path.clone(), syntax)),
            Err(finding) => {
                unparsed.push(finding);
                None
            }
        }
    };
    let modules = Modules::read(root, &mut load);
    let edges = edges(&modules);
    let circles = circles(modules.files.len(), &edges);
    unparsed.into_iter().chain(circles.iter().map(|circle| report(&modules, &edges, circle))).collect()
}

fn report(modules: &Modules, edges: &Edges, circle: &BTreeSet<usize>) -> Finding {
    let mut inside: Vec<_> = edges
        .iter()
        .filter(|((from, to), _)| circle.contains(from) && circle.contains(to))
        .map(|(&(from, to), edge)| {
            (&modules.files[from].path, edge.line_index, &modules.files[to].path, edge)
        })
        .collect();
    inside.sort_by_key(|(from, line_index, to, _)| (*from, *line_index, *to));
    let mut message = format!("is in a circle of {} files:", circle.len());
    for (from, line_index, to, edge) in &inside {
        let names: Vec<&str> = edge.names.iter().map(String::as_str).collect();
        message += &format!("\n    {from}:{} → {to}: {}", line_index + 1, names.join(", "));
    }
    let (path, line_index) =
        inside.first().map_or(("", 0), |(from, line_index, ..)| (from.as_str(), *line_index));
    Finding::at(path, line_index, message)
}

/// Sets of files that all lead to each other.
fn circles(file_count: usize, edges: &Edges) -> Vec<BTreeSet<usize>> {
    let reachable: Vec<BTreeSet<usize>> = (0..file_count).map(|start| reachable(start, edges)).collect();
    let mut circles = Vec::new();
    for start in 0..file_count {
        let circle: BTreeSet<usize> =
            reachable[start].iter().copied().filter(|&other| reachable[other].contains(&start)).collect();
        // Reported once, by its first file.
        if circle.first() == Some(&start) {
            circles.push(circle);
        }
    }
    circles
}

fn reachable(start: usize, edges: &Edges) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(from) = open.pop() {
        for &(_, to) in edges.range((from, 0)..(from + 1, 0)).map(|(edge, _)| edge) {
            if reached.insert(to) {
                open.push(to);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a crate of these files; `want` are the edges of its circles, without line numbers.
    #[track_caller]
    fn check_edges(files: &[(&str, &str)], want: &[&str]) {
        let files: Vec<TextFile> = files
            .iter()
            .map(|(path, text)| TextFile { path: format!("crates/a/src/{path}"), text: (*text).to_owned() })
            .collect();
        let findings = check(&files);
        let found: Vec<String> = findings
            .iter()
            .flat_map(|finding| finding.message.lines().skip(1))
            .map(|line| {
                let (from, to) = line.split_once(" → ").expect("an arrow");
                let from = from.trim().rsplit_once(':').expect("a line number").0;
                format!("{from} → {to}").replace("crates/a/src/", "")
            })
            .collect();
        assert_eq!(found, want, "{findings:?}");
    }

    #[test]
    fn two_files_that_import_each_other_are_a_circle() {
        let one = ("one.rs", "use crate::two::Two;\npub struct One(Two);");
        let two = ("two.rs", "pub struct Two;\nfn f() { super::one::One::new(); }");
        let edges = ["one.rs → two.rs: Two", "two.rs → one.rs: One"];
        check_edges(&[("lib.rs", "mod one; mod two;"), one, two], &edges);
        check_edges(&[("lib.rs", "mod one; mod two;"), one, ("two.rs", "pub struct Two;")], &[]);
    }

    #[test]
    fn re_exports_are_looked_through() {
        let lib = ("lib.rs", "mod one; mod two;\npub use one::One; pub use two::{Two as Second};");
        let one = ("one.rs", "use crate::Second;\npub struct One(Second);");
        let two = ("two.rs", "use crate::One;\npub struct Two(Option<Box<One>>);");
        check_edges(&[lib, one, two], &["one.rs → two.rs: Two", "two.rs → one.rs: One"]);
        let glob = ("lib.rs", "mod one; mod two;\npub use self::{one::*, two::*};\nuse two::Two as Second;");
        check_edges(&[glob, one, two], &["one.rs → two.rs: Two", "two.rs → one.rs: One"]);
        let room = ("lib.rs", "mod room;");
        let files = [room, ("room.rs", "mod one; mod two; pub(crate) use two::Two;")];
        let one = ("room/one.rs", "use super::Two; pub struct One(Two);");
        let two = ("room/two.rs", "pub struct Two;");
        check_edges(&[files[0], files[1], one, two], &[]);
    }

    #[test]
    fn a_parent_with_code_is_a_file_like_others() {
        let child = ("room/leaf.rs", "use super::CONST; pub fn f() -> u8 { CONST }");
        let uses = ("room.rs", "mod leaf; pub const CONST: u8 = 1; fn g() { leaf::f(); }");
        let edges = ["room.rs → room/leaf.rs: f", "room/leaf.rs → room.rs: CONST"];
        check_edges(&[("lib.rs", "mod room;"), uses, child], &edges);
        let re_exports = ("room.rs", "mod leaf; pub use leaf::f; pub const CONST: u8 = 1;");
        check_edges(&[("lib.rs", "mod room;"), re_exports, child], &[]);
        let calls = ("room.rs", "mod leaf; pub use leaf::f; pub const CONST: u8 = 1; fn g() { f(); }");
        check_edges(&[("lib.rs", "mod room;"), calls, child], &edges);
    }

    #[test]
    fn tests_macros_and_names_of_two_kinds_are_told_apart() {
        let lib = (
            "lib.rs",
            "mod wait; mod one; pub use wait::wait;\n#[cfg(test)] mod tests { use crate::one::One; }",
        );
        let one = ("one.rs", "use crate::wait; pub struct One; fn f() { wait(); }");
        let test = ("wait.rs", "pub fn wait() {}\n#[cfg(test)] mod tests { use crate::one::One; }");
        check_edges(&[lib, one, test], &[]);
        let text =
            ("wait.rs", "pub fn wait() { let one = \"crate::one::One\"; unknown!(crate::one::One => 1); }");
        check_edges(&[lib, one, text], &[]);
        let argument = ("wait.rs", "pub fn wait() { assert_eq!(crate::one::One, x); }");
        check_edges(&[lib, one, argument], &["one.rs → wait.rs: wait", "wait.rs → one.rs: One"]);
    }

    #[test]
    fn a_local_variable_is_no_import() {
        let room =
            ("room.rs", "mod leaf; pub use leaf::f; pub const C: u8 = 1;\nfn g() { let f = || 1; f(); }");
        let leaf = ("room/leaf.rs", "use super::C; pub fn f() -> u8 { C }");
        check_edges(&[("lib.rs", "mod room;"), room, leaf], &[]);
    }
}
