//! Every item of the threat model in SECURITY.md names tests that exist.
//!
//! Owns: finding the items, looking up the tests.
//! Does not own: what the items say.

use super::finding::Finding;
use crate::repository::{Repository, TextFile};

const PAGE: &str = "SECURITY.md";
const HEADING: &str = "## Threat model";

pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    match repository.file(PAGE) {
        Some(page) => check_page(&page.text, &repository.files),
        None => vec![Finding::at(PAGE, 0, "is missing")],
    }
}

fn check_page(text: &str, files: &[TextFile]) -> Vec<Finding> {
    let section = text.lines().enumerate().skip_while(|(_, line)| *line != HEADING).skip(1);
    let section = section.take_while(|(_, line)| !line.starts_with("## "));
    // The index of each item's first line, and its text.
    let mut items: Vec<(usize, String)> = Vec::new();
    for (index, line) in section {
        match items.last_mut() {
            _ if line.starts_with("- ") => items.push((index, line.to_owned())),
            Some((_, item)) if line.starts_with("  ") => item.push_str(line),
            _ => {}
        }
    }
    if items.is_empty() {
        return vec![Finding::at(PAGE, 0, format!("has no list below \"{HEADING}\""))];
    }
    items.iter().flat_map(|(index, item)| check_item(*index, item, files)).collect()
}

fn check_item(index: usize, item: &str, files: &[TextFile]) -> Vec<Finding> {
    let tests: Vec<&str> = item.split('`').skip(1).step_by(2).filter(|span| span.contains("::")).collect();
    if tests.is_empty() {
        return vec![Finding::at(PAGE, index, "names no test of the form `path::name`")];
    }
    let missing = tests.into_iter().filter(|test| !exists(test, files));
    missing.map(|test| Finding::at(PAGE, index, format!("`{test}` is no test"))).collect()
}

/// Whether `test`, written as `path::name` with a path below `crates/`, is a test function.
fn exists(test: &str, files: &[TextFile]) -> bool {
    let Some((path, name)) = test.split_once("::") else { return false };
    let path = format!("crates/{path}");
    let file = files.iter().find(|file| file.path == path);
    file.is_some_and(|file| {
        let attributes = file.text.lines().zip(file.text.lines().skip(1));
        let begins = |line: &str| line.trim_start().starts_with(&format!("fn {name}("));
        attributes.into_iter().any(|(above, line)| begins(line) && above.trim_start().starts_with("#["))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_need_tests_that_exist() {
        let text = "#[test]\nfn it_holds() {\n}\nfn helper() {}\n".to_owned();
        let files = [TextFile { path: "crates/a/tests/it.rs".to_owned(), text }];
        let page = |item: &str| format!("# S\n\n{HEADING}\n\nA user could:\n\n{item}\n\n## More\n- x\n");
        let messages = |item: &str| -> Vec<String> {
            check_page(&page(item), &files).into_iter().map(|finding| finding.message).collect()
        };
        assert!(messages("- x: y\n  `a/tests/it.rs::it_holds`").is_empty());
        assert_eq!(messages("- x\n  `a/tests/it.rs::helper`"), ["`a/tests/it.rs::helper` is no test"]);
        assert_eq!(messages("- x `a/tests/no.rs::it_holds`"), ["`a/tests/no.rs::it_holds` is no test"]);
        assert_eq!(messages("- x: tested"), ["names no test of the form `path::name`"]);
        assert_eq!(check_page("# S\n", &files).len(), 1, "the list is required");
    }
}
