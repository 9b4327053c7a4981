//! Comments and Markdown fit into a window of 120 columns.
//!
//! Every line of Markdown counts, tables and fenced blocks too. A line that is one word can't be wrapped and is free,
//! and so is what a command of a `console` block prints.
//!
//! Owns: measuring lines in characters.
//! Does not own: the width of code (see `rustfmt.toml`).

use std::collections::BTreeSet;

use super::finding::Finding;
use super::source::comment_lines;
use crate::repository::is_document;

const COLUMNS_MAX: usize = 120;

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let commented = if path.ends_with(".rs") { Some(comment_lines(text)) } else { None };
    if commented.is_none() && !is_document(path) {
        return Vec::new();
    }
    let printed = if commented.is_none() { printed_lines(text) } else { BTreeSet::new() };
    let counts = |index| commented.as_ref().map_or(!printed.contains(&index), |lines| lines.contains(&index));
    let lines = text.lines().enumerate().filter(|(index, _)| counts(*index));
    lines
        .map(|(index, line)| (index, line, line.chars().count()))
        .filter(|(_, line, columns)| *columns > COLUMNS_MAX && !is_one_word(line))
        .map(|(index, _, columns)| {
            Finding::at(path, index, format!("is {columns} columns wide, more than {COLUMNS_MAX}"))
        })
        .collect()
}

/// The numbers of lines, from 0, that commands of `console` blocks print.
fn printed_lines(text: &str) -> BTreeSet<usize> {
    let (mut is_block, mut is_console, mut lines) = (false, false, BTreeSet::new());
    for (index, line) in text.lines().enumerate() {
        if let Some(kind) = line.strip_prefix("```") {
            is_block = !is_block;
            is_console = is_block && kind == "console";
        } else if is_console && !line.starts_with("$ ") {
            lines.insert(index);
        }
    }
    lines
}

/// True where nothing but a marker of a comment, a list or a quotation stands beside one word.
fn is_one_word(line: &str) -> bool {
    let is_marker = |word: &&str| word.chars().all(|c| "/!-*>#|".contains(c));
    line.split_whitespace().filter(|word| !is_marker(word)).count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_lines(path: &str, text: &str, want: &[usize]) {
        let lines: Vec<usize> = check(path, text).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, want, "{path}: {text}");
    }

    #[test]
    fn comments_count_and_code_does_not() {
        let words = "word ".repeat(30);
        check_lines("a.rs", &format!("/// {words}\n"), &[1]);
        check_lines("a.rs", &format!("f();\n    f(); // {words}\n/* {words}\n{words} */\n"), &[2, 3, 4]);
        check_lines("a.rs", &format!("f({words});\n\"// {words}\";\n"), &[]);
        check_lines("a.toml", &words, &[]);
        check_lines("crates/a/tests/data/b.md", &words, &[]);
    }

    #[test]
    fn what_a_command_prints_is_free() {
        let words = "word ".repeat(30);
        let text = format!("```console\n$ {words}\n{words}\n```\n{words}\n```sh\n{words}\n```\n");
        check_lines("a.md", &text, &[2, 5, 7]);
    }

    #[test]
    fn characters_count_and_not_bytes() {
        check_lines("a.md", &format!("{} {}\n", "é".repeat(60), "é".repeat(59)), &[]);
        check_lines("a.md", &format!("{} {}\n", "é".repeat(60), "é".repeat(60)), &[1]);
    }

    #[test]
    fn what_is_one_word_is_free() {
        let word = "x".repeat(200);
        check_lines("a.md", &format!("- {word}\n{word}\n| {word} |\n"), &[]);
        check_lines("a.rs", &format!("//! {word}\n"), &[]);
        check_lines("a.md", &format!("see {word}\n"), &[1]);
    }

    #[test]
    fn tables_and_fenced_blocks_count() {
        let words = "word ".repeat(30);
        check_lines("a.md", &format!("| {words} |\n```\n{words}\n```\n"), &[1, 3]);
    }
}
