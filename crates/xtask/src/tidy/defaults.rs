//! A documented default is asserted by a test, so that it stays true.
//!
//! Owns: finding "Defaults to" on fields, and whether a test of the crate names the field.
//! Does not own: whether that test asserts the right value.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::source::words;
use crate::repository::TextFile;

pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let rust = |file: &&TextFile| file.is_rust() && file.in_crate().is_some();
    let tested: BTreeSet<(&str, &str)> = files
        .iter()
        .filter(rust)
        .filter_map(|file| Some((file.in_crate()?.0, tests_of(file))))
        .flat_map(|(folder, text)| words(text).map(move |(_, word)| (folder, word)))
        .collect();
    let mut findings = Vec::new();
    for file in files.iter().filter(rust) {
        let Some((folder, _)) = file.in_crate() else { continue };
        for (line_index, field) in fields_with_default(&file.text) {
            if !tested.contains(&(folder, field)) {
                let message = format!("the default of `{field}` is documented, and no test names the field");
                findings.push(Finding::at(&file.path, line_index, message));
            }
        }
    }
    findings
}

/// The part of a file that contains tests.
fn tests_of(file: &TextFile) -> &str {
    let is_tests = file.in_crate().is_some_and(|(_, path)| path.starts_with("tests/"));
    let start = if is_tests { Some(0) } else { file.text.find("#[cfg(test)]") };
    start.map_or("", |at| &file.text[at..])
}

/// Fields whose doc comment has a sentence "Defaults to …", and the line of each.
fn fields_with_default(text: &str) -> Vec<(usize, &str)> {
    let mut fields = Vec::new();
    let mut documented = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(doc) = line.strip_prefix("///") {
            documented |= doc.contains("Defaults to");
        } else if !line.starts_with('#') {
            fields.extend(field(line).filter(|_| documented).map(|name| (index, name)));
            documented = false;
        }
    }
    fields
}

/// The name of the field that `line` declares.
fn field(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1,
        Some(rest) if rest.starts_with(' ') => rest,
        _ => line,
    };
    let (name, rest) = line.trim().split_once(':')?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name && rest.starts_with(' ')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = "struct S {\n    /// A bound.\n    /// Defaults to 3.\n    #[arg(long)]\n    pub(crate) limit: u8,\n\
                          \n    /// Not a default.\n    pub other: u8,\n}\n/// Defaults to none.\nfn f(x: u8) {}\n";

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn only_fields_with_a_default_count() {
        assert_eq!(fields_with_default(FIELDS), [(4, "limit")]);
    }

    #[test]
    fn a_test_of_the_same_crate_must_name_the_field() {
        let source = || file("crates/a/src/s.rs", FIELDS);
        assert_eq!(check(&[source()]).len(), 1);
        assert_eq!(check(&[source(), file("crates/a/tests/t.rs", "assert_eq!(s.limit, 3);")]), []);
        assert_eq!(check(&[source(), file("crates/b/tests/t.rs", "assert_eq!(s.limit, 3);")]).len(), 1);
        assert_eq!(check(&[file("crates/a/src/s.rs", &format!("{FIELDS}#[cfg(test)]\n{{ limit }}"))]), []);
    }
}
