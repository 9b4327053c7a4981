//! ARCHITECTURE.md is a true map: its paths exist, its names are defined, and it stays short.
//!
//! A path counts from the root, from `crates/`, from the folder that the heading above names, or from the folder of
//! another path in its line. Fenced blocks are left out.
//!
//! Owns: finding paths and names in the map, looking both up.
//! Does not own: what the map says about them; the table of layers (see `layers.rs`).

use std::collections::BTreeSet;

use syn::visit::{self, Visit};

use super::finding::Finding;
use super::syntax;
use crate::repository::{Repository, TextFile};

const MAP: &str = "ARCHITECTURE.md";
const LINES_MAX: usize = 150;

pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    let Some(map) = repository.file(MAP) else { return Vec::new() };
    let paths: BTreeSet<&str> = repository.files.iter().map(|file| file.path.as_str()).collect();
    let mut names = Names::default();
    let is_source = |file: &&TextFile| file.is_rust() && file.path.contains("/src/");
    for file in repository.files.iter().filter(is_source) {
        names.0.extend(file.in_crate().map(|(folder, _)| folder.to_owned()));
        // A file that can't be parsed is found by other checks.
        if let Ok(syntax) = syntax::parse(&file.path, &file.text) {
            names.visit_file(&syntax);
        }
    }
    check_map(&map.text, &paths, &names.0)
}

fn check_map(text: &str, paths: &BTreeSet<&str>, names: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let line_count = text.lines().count();
    if line_count > LINES_MAX {
        findings.push(Finding::at(MAP, LINES_MAX, format!("has {line_count} lines, more than {LINES_MAX}")));
    }
    let mut heading_folder = None;
    let mut in_fence = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        let mut folders: Vec<String> = ["", "crates/"].map(str::to_owned).to_vec();
        if line.starts_with('#') {
            heading_folder = None;
        } else {
            folders.extend(heading_folder.clone());
        }
        for span in spans(line) {
            match Span::of(span) {
                Span::Path(path) => match locate(path, &folders, paths) {
                    Some(found) => {
                        let folder = folder_of(&found, paths);
                        if line.starts_with('#') {
                            heading_folder = Some(folder.clone());
                        }
                        folders.push(folder);
                    }
                    None => {
                        findings.push(Finding::at(MAP, index, format!("names {span}, which doesn't exist")))
                    }
                },
                Span::Name(segments) => {
                    if let Some(missing) = segments.iter().find(|name| !names.contains(**name)) {
                        let message = format!("names `{span}`, but no `{missing}` is defined");
                        findings.push(Finding::at(MAP, index, message));
                    }
                }
                Span::Other => {}
            }
        }
    }
    findings
}

/// What stands between backticks, and the targets of links.
fn spans(line: &str) -> Vec<&str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let linked = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let is_local = |target: &&str| !target.contains(':') && !target.starts_with('#');
    quoted.chain(linked.filter(is_local).map(|target| target.split('#').next().unwrap_or(target))).collect()
}

enum Span<'a> {
    Path(&'a str),
    /// The segments of the name of a Rust item.
    Name(Vec<&'a str>),
    Other,
}

impl<'a> Span<'a> {
    fn of(span: &'a str) -> Self {
        let is_path_char = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        let has_ending = [".rs", ".md", ".toml"].iter().any(|ending| span.ends_with(ending));
        if span.chars().all(is_path_char)
            && !span.starts_with(['/', '-'])
            && (has_ending || span.contains('/'))
        {
            return Self::Path(span);
        }
        let segments: Vec<&str> = span.trim_end_matches("()").split("::").collect();
        let is_word =
            |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_type = |name: &str| name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase);
        let is_item = segments.len() > 1 || is_type(span);
        if segments.iter().all(is_word) && is_item && segments[0] != "std" {
            let crate_name = |name: &'a str| name.strip_prefix("haul_").unwrap_or(name);
            return Self::Name(segments.into_iter().map(crate_name).collect());
        }
        Self::Other
    }
}

fn locate(path: &str, folders: &[String], paths: &BTreeSet<&str>) -> Option<String> {
    let path = path.trim_end_matches('/');
    folders.iter().map(|folder| format!("{folder}{path}")).find(|full| {
        let inside = format!("{full}/");
        paths.contains(full.as_str())
            || paths.range(inside.as_str()..).next().is_some_and(|first| first.starts_with(&inside))
    })
}

/// The folder of a file, or the folder itself, with a slash at its end.
fn folder_of(path: &str, paths: &BTreeSet<&str>) -> String {
    if paths.contains(path) {
        path.rsplit_once('/').map_or_else(String::new, |(folder, _)| format!("{folder}/"))
    } else {
        format!("{path}/")
    }
}

/// The names of all items, methods, fields and variants.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Visit<'_> for Names {
    fn visit_ident(&mut self, _: &proc_macro2::Ident) {}

    fn visit_item(&mut self, item: &syn::Item) {
        let name = match item {
            syn::Item::Const(item) => Some(&item.ident),
            syn::Item::Enum(item) => Some(&item.ident),
            syn::Item::Macro(item) => item.ident.as_ref(),
            syn::Item::Mod(item) => Some(&item.ident),
            syn::Item::Static(item) => Some(&item.ident),
            syn::Item::Struct(item) => Some(&item.ident),
            syn::Item::Trait(item) => Some(&item.ident),
            syn::Item::Type(item) => Some(&item.ident),
            _ => None,
        };
        self.0.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    fn visit_signature(&mut self, signature: &syn::Signature) {
        self.0.insert(signature.ident.to_string());
    }

    fn visit_variant(&mut self, variant: &syn::Variant) {
        self.0.insert(variant.ident.to_string());
        visit::visit_variant(self, variant);
    }

    fn visit_field(&mut self, field: &syn::Field) {
        self.0.extend(field.ident.as_ref().map(ToString::to_string));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_messages(map: &str, want: &[&str]) {
        let paths = ["ARCHITECTURE.md", "crates/io/src/io.rs", "crates/io/src/ring/lane.rs", "docs/a.md"];
        let mut names = Names(BTreeSet::from(["io".to_owned()]));
        let source =
            "pub enum Step { Again }\npub trait Io { fn write_file(); }\npub struct Limits { head_max: u8 }";
        names.visit_file(&syn::parse_file(source).expect("Rust"));
        let findings = check_map(map, &BTreeSet::from(paths), &names.0);
        let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(messages.len(), want.len(), "{map}: {messages:?}");
        assert!(messages.iter().zip(want).all(|(have, want)| have.contains(want)), "{map}: {messages:?}");
    }

    #[test]
    fn paths_exist() {
        check_messages("`crates/io/src/io.rs`, `io/src/io.rs`, `io/src/ring/`, [a](docs/a.md#x)\n", &[]);
        check_messages("`io/src/ring/`: `lane.rs`\n", &[]);
        check_messages("`lane.rs`\n", &["lane.rs"]);
        check_messages("## `io/src`\n`ring/lane.rs`\n## x\n`ring/`\n", &["ring/"]);
        check_messages("`io/src/gone.rs` [b](docs/b.md)\n", &["gone.rs", "docs/b.md"]);
        check_messages(
            "```\n`gone.rs`\n```\n`application/json; x`, `--flag`, `NAME.part`, https://a.example/b\n",
            &[],
        );
    }

    #[test]
    fn names_are_defined() {
        check_messages(
            "`Io`, `Step::Again`, `io::Step`, `Io::write_file`, `Limits::head_max`, `Step`\n",
            &[],
        );
        check_messages("`Gone`, `Step::Done`, `io::Gone`\n", &["`Gone`", "`Done`", "`Gone`"]);
        check_messages("`EAGAIN`, `RWF_NOWAIT`, `std::io::Read`, `haul get`, `async fn`\n", &[]);
    }

    #[test]
    fn a_map_is_short() {
        check_messages(&"x\n".repeat(150), &[]);
        check_messages(&"x\n".repeat(151), &["more than 150"]);
    }
}
