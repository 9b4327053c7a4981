//! The listing of the public interface, `tests/golden/public-api.txt`: a change of it shows in a review.
//! `HAUL_BLESS=1` rewrites it.
//!
//! The compiler's lint `unreachable_pub` sees to it that whatever is `pub` in the sources can be reached from outside.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The item that the lines below `line` belong to, if it begins one.
fn owner(line: &str) -> Option<String> {
    let rest = line.strip_prefix("impl").or_else(|| line.strip_prefix("pub struct "));
    let rest = rest.or_else(|| line.strip_prefix("pub enum "))?;
    // The parameters of `impl<…>`, but not those of the type.
    let rest =
        if rest.starts_with('<') { rest.split_once("> ").map_or(rest, |(_, rest)| rest) } else { rest };
    let of_trait = rest.split_once(" for ").map_or(rest, |(_, name)| name);
    Some(of_trait.trim().split(['<', ' ', '(', ';', '{']).next().unwrap_or_default().to_owned())
}

/// The public items of one file, a line for each.
fn items(text: &str) -> Vec<String> {
    let (mut items, mut current, mut owner_name, mut in_enum) =
        (Vec::new(), String::new(), String::new(), false);
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    for line in text.lines() {
        if !line.starts_with(' ') {
            owner_name = owner(line).unwrap_or(if line == "}" { String::new() } else { owner_name });
            in_enum = line.starts_with("pub enum ");
        }
        let word = line.trim_start();
        let indent = line.len() - word.len();
        let is_variant = in_enum && indent == 4 && word.starts_with(char::is_uppercase);
        let is_item = word.starts_with("pub ") && !word.starts_with("pub mod ");
        if current.is_empty() && !is_variant && !is_item {
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

#[test]
fn the_public_interface_is_the_listed_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let mut lines: Vec<_> = files.iter().flat_map(|file| items(&fs::read_to_string(file).unwrap())).collect();
    lines.sort();
    lines.dedup();
    let listed = lines.join("\n") + "\n";
    let golden = root.join("tests/golden/public-api.txt");
    if std::env::var_os("HAUL_BLESS").is_some() {
        fs::create_dir_all(golden.parent().unwrap()).unwrap();
        fs::write(&golden, &listed).unwrap();
    }
    let known = fs::read_to_string(&golden).unwrap_or_default();
    let differs = |one: &str, other: &str| {
        one.lines()
            .filter(|line| !other.lines().any(|known| known == *line))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (added, removed) = (differs(&listed, &known), differs(&known, &listed));
    assert!(added.is_empty() && removed.is_empty(), "added: {added:#?}, removed: {removed:#?}");
}
