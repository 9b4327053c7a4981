//! The public interfaces of the libraries, a line for each item, in `tests/golden/public-api.txt` of each crate: a
//! change of one shows in a review.
//!
//! The compiler's lint `unreachable_pub` sees to it that whatever is `pub` in the sources can be reached from outside.
//!
//! Owns: listing the items of a crate's sources, comparing the listing with the kept one.
//! Does not own: whether a change is compatible.

use std::fs;

use crate::repository::Repository;

/// The folders of the libraries.
const LIBRARIES: [&str; 10] =
    ["age-format", "engine", "fetch", "fleet", "http1", "io", "pack", "queue", "seal", "store"];

/// Writes the listings.
pub(crate) fn write(repository: &Repository) -> Result<(), String> {
    for library in LIBRARIES {
        let path = repository.root.join(golden(library));
        let write = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, listing(repository, library))
        };
        write().map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Compares the listings with those that are kept.
pub(crate) fn check(repository: &Repository) -> Result<(), String> {
    let mut differences = Vec::new();
    for library in LIBRARIES {
        let kept = repository.file(&golden(library)).map_or("", |file| file.text.as_str());
        let listed = listing(repository, library);
        let lacks = |one: &str, line: &str| !one.lines().any(|known| known == line);
        let added = listed.lines().filter(|line| lacks(kept, line)).map(|line| format!("{library} + {line}"));
        let removed =
            kept.lines().filter(|line| lacks(&listed, line)).map(|line| format!("{library} - {line}"));
        differences.extend(added.chain(removed));
    }
    if differences.is_empty() {
        return Ok(());
    }
    differences.push("`cargo xtask public-api --write` keeps what is meant".to_owned());
    Err(format!("public interfaces differ from the listings:\n{}", differences.join("\n")))
}

fn golden(library: &str) -> String {
    format!("crates/{library}/tests/golden/public-api.txt")
}

fn listing(repository: &Repository, library: &str) -> String {
    let root = format!("crates/{library}/src/");
    let mut lines = Vec::new();
    for file in &repository.files {
        let Some(path) = file.path.strip_prefix(&root).filter(|path| path.ends_with(".rs")) else { continue };
        let name = path.rsplit('/').next().unwrap_or(path);
        // What stands in for the types of a feature in a build without it, under the same names.
        if name.starts_with("no_") || name == "tests.rs" {
            continue;
        }
        lines.extend(items(&file.text, path == "lib.rs"));
    }
    lines.sort();
    lines.dedup();
    lines.join("\n") + "\n"
}

/// The item that the lines below `line` belong to, if it begins one.
fn owner(line: &str) -> Option<String> {
    let rest = line.strip_prefix("impl").or_else(|| line.strip_prefix("pub struct "));
    let rest = rest.or_else(|| line.strip_prefix("pub enum ")).or_else(|| line.strip_prefix("pub trait "))?;
    // The parameters of `impl<…>`, but not those of the type.
    let rest =
        if rest.starts_with('<') { rest.split_once("> ").map_or(rest, |(_, rest)| rest) } else { rest };
    let of_trait = rest.split_once(" for ").map_or(rest, |(_, name)| name);
    Some(of_trait.trim().split(['<', ' ', '(', ';', '{', ':']).next().unwrap_or_default().to_owned())
}

/// The public items of one file, a line for each. Re-exports count in the crate's root only.
fn items(text: &str, is_root: bool) -> Vec<String> {
    let (mut items, mut current, mut owner_name) = (Vec::new(), String::new(), String::new());
    let (mut in_enum, mut in_trait) = (false, false);
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    for line in text.lines() {
        if !line.starts_with(' ') {
            owner_name = owner(line).unwrap_or(if line == "}" { String::new() } else { owner_name });
            in_enum = line.starts_with("pub enum ");
            in_trait = line.starts_with("pub trait ");
        }
        let word = line.trim_start();
        let indent = line.len() - word.len();
        let is_variant = in_enum && indent == 4 && word.starts_with(char::is_uppercase);
        let is_associated = in_trait
            && indent == 4
            && ["fn ", "async fn ", "type ", "const "].iter().any(|start| word.starts_with(start));
        let is_reexport = word.starts_with("pub use ");
        let is_item = word.starts_with("pub ") && !word.starts_with("pub mod ") && (is_root || !is_reexport);
        if current.is_empty() && !is_variant && !is_item && !is_associated {
            continue;
        }
        if current.is_empty() && indent > 0 {
            current = format!("{owner_name}: ");
        }
        current.push_str(word);
        if is_variant || word.ends_with(['{', ';', ',']) && !opens_more(&current) {
            let item = current.trim_end_matches([' ', '{', ';', ',']);
            items.push(item.to_owned());
            current.clear();
        } else {
            current.push(' ');
        }
    }
    items
}

/// Whether a bracket of `text` is still open: a list of parameters that goes on in the next line.
fn opens_more(text: &str) -> bool {
    text.matches('(').count() > text.matches(')').count()
        || text.starts_with("pub use") && !text.ends_with(';')
        || text.contains("fn ") && !text.ends_with(['{', ';'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_interfaces_are_the_listed_ones() {
        if let Err(difference) = Repository::here().and_then(|repository| check(&repository)) {
            panic!("{difference}");
        }
    }

    #[test]
    fn items_have_a_line_each() {
        let text = "//! X.\npub use a::{\n    B,\n    C,\n};\n\npub struct S<T> {\n    /// F.\n    pub f: u8,\n    g: u8,\n}\n\n\
                    impl<T: Copy> S<T> {\n    pub fn m(\n        &self,\n        n: u8,\n    ) -> u8 {\n        n\n    }\n\n    \
                    fn private(&self) {}\n}\n\npub enum E {\n    One,\n    Two { x: u8 },\n}\n\npub trait T: Send {\n    \
                    fn t(&self) -> u8;\n}\n\n#[cfg(test)]\nmod tests {\n    pub fn no() {}\n}\n";
        let found = items(text, true);
        let want = [
            "pub use a::{ B, C, }",
            "pub struct S<T>",
            "S: pub f: u8",
            "S: pub fn m( &self, n: u8, ) -> u8",
            "pub enum E",
            "E: One",
            "E: Two { x: u8 }",
            "pub trait T: Send",
            "T: fn t(&self) -> u8",
        ];
        assert_eq!(found, want);
        assert!(!items(text, false).iter().any(|item| item.starts_with("pub use")));
    }
}
