//! Phrases that are hard to read, in comments and Markdown.
//!
//! Owns: the list of them, with what to do instead.
//! Does not own: texts in strings, which golden files show to reviewers.

pub(super) mod words;

use super::finding::Finding;
use super::source::comments_only;
use crate::repository::is_document;

const NAME_THE_SUBJECT: &str = "name the person or the thing";

/// A word, what may follow it (empty for anything), and what to write instead.
const PHRASES: [(&str, &[&str], &str); 8] = [
    ("whoever", &[], NAME_THE_SUBJECT),
    ("who", &["is", "are", "has", "have", "looks", "leaves", "begins", "waits", "finds"], NAME_THE_SUBJECT),
    ("is", &["borne"], "use the field's term"),
    ("to", &["be had"], "use `available`"),
    ("as", &["many as may", "much as may", "many as are", "much as are"], "name the limit"),
    ("what", &["may pass"], "use `transient`"),
    ("beside", &["each other"], "use `in parallel` or `side by side`"),
    ("nobody", &["who"], NAME_THE_SUBJECT),
];

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let is_rust = path.ends_with(".rs");
    if !is_rust && !is_document(path) {
        return Vec::new();
    }
    let prose = if is_rust { comments_only(text) } else { text.to_owned() };
    let mut findings = Vec::new();
    let mut in_doc = false;
    for (index, line) in prose.lines().enumerate() {
        for (phrase, advice) in phrases(line) {
            findings.push(Finding::at(path, index, format!("says \"{phrase}\"; {advice}")));
        }
        let doc = line.trim_start().strip_prefix("///").or_else(|| line.trim_start().strip_prefix("//!"));
        if !in_doc && doc.is_some_and(|text| text.trim_start().starts_with("That the ")) {
            findings.push(Finding::at(path, index, "begins with \"That the\"; write a sentence with a verb"));
        }
        in_doc = doc.is_some();
    }
    findings
}

fn phrases(line: &str) -> Vec<(String, &'static str)> {
    let words: Vec<String> = line
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        for (first, others, advice) in PHRASES.iter().filter(|(first, ..)| first == word) {
            let goes_on = |other: &&&str| {
                let mut rest = words[at + 1..].iter();
                other.split(' ').all(|want| rest.next().is_some_and(|word| word == want))
            };
            match others.iter().find(goes_on) {
                Some(other) => found.push((format!("{first} {other}"), *advice)),
                None if others.is_empty() => found.push(((*first).to_owned(), *advice)),
                None => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_messages(path: &str, text: &str, want: &[&str]) {
        let messages: Vec<String> = check(path, text).into_iter().map(|finding| finding.message).collect();
        assert_eq!(messages.len(), want.len(), "{text}: {messages:?}");
        assert!(messages.iter().zip(want).all(|(have, want)| have.contains(want)), "{text}: {messages:?}");
    }

    #[test]
    fn phrases_are_found_in_comments_and_markdown() {
        check_messages("a.rs", "// Whoever is done, and who waits.\n", &["\"whoever\"", "\"who waits\""]);
        check_messages("a.rs", "f(\"whoever\"); let whoever = 1;\n", &[]);
        check_messages(
            "a.md",
            "As many as may, beside each other.\n",
            &["as many as may", "beside each other"],
        );
        check_messages("a.md", "The user who asked knows what may fail.\n", &[]);
        check_messages("a.toml", "# whoever\n", &[]);
        check_messages("crates/a/tests/data/b.md", "whoever\n", &[]);
    }

    #[test]
    fn a_doc_comment_does_not_begin_with_that() {
        check_messages("a.rs", "/// That the file is whole.\n", &["That the"]);
        check_messages("a.rs", "/// Checks the file.\n/// That the file is whole is known.\n", &[]);
        check_messages("a.rs", "// That the file is whole is known.\n", &[]);
    }
}
