//! Rust source without its comments and literals, and placeholders that must not be left in it.
//!
//! Owns: blanking a source text, finding placeholders.
//! Does not own: parsing Rust (see `syntax.rs`).

use std::collections::BTreeSet;

use super::finding::Finding;

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let placeholders = ["todo", "unimplemented", "dbg"];
    let code = code_only(text);
    let mut findings = Vec::new();
    for (index, line) in code.lines().enumerate() {
        for word in placeholders {
            if words(line).any(|(at, found)| found == word && line[at + word.len()..].starts_with('!')) {
                findings.push(Finding::at(path, index, format!("`{word}!` is left")));
            }
        }
    }
    findings
}

/// The words of `line` and their offsets.
pub(super) fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.split(move |c| !is_word(c))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr().addr() - line.as_ptr().addr(), word))
}

/// `text` with spaces for everything in comments, strings and characters. Lines and columns stay.
pub(super) fn code_only(text: &str) -> String {
    blanked(text, |_| true)
}

/// The indexes of the lines of `text` that have a comment or a part of one.
pub(super) fn comment_lines(text: &str) -> BTreeSet<usize> {
    let comments = comments_only(text);
    comments.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(index, _)| index).collect()
}

/// `text` with only its comments; everything else is spaces. Lines and columns stay.
pub(super) fn comments_only(text: &str) -> String {
    let is_comment = |literal: &str| literal.starts_with("//") || literal.starts_with("/*");
    let without = blanked(text, is_comment);
    // Both have the same characters except in comments, where `without` has spaces.
    let pairs = text.chars().zip(without.chars());
    pairs.map(|(before, after)| if before == after && before != '\n' { ' ' } else { before }).collect()
}

/// `text` with spaces for the comments, strings and characters that are chosen.
fn blanked(text: &str, is_chosen: impl Fn(&str) -> bool) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = literal_bytes(rest, code.chars().next_back());
        let (literal, after) = rest.split_at(if len == 0 { first.len_utf8() } else { len });
        if len > 0 && is_chosen(literal) {
            code.extend(literal.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            code.push_str(literal);
        }
        rest = after;
    }
    code
}

/// The length of the comment or literal at the beginning of `text`; 0 where it begins with code.
fn literal_bytes(text: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let until =
        |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment_bytes(text);
    }
    if text.starts_with('"') {
        return quoted_bytes(text, '"');
    }
    if let Some(raw) = text.strip_prefix("r").or_else(|| text.strip_prefix("br")).filter(|_| !in_word) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return until(&end, text.len() - raw.len() + hashes + 1);
        }
    }
    // 'x' and '\n' are characters; 'x without the second quote is a lifetime.
    let mut chars = text.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some('\''), Some('\\'), _) => quoted_bytes(text, '\''),
        (Some('\''), Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 0,
    }
}

fn quoted_bytes(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn block_comment_bytes(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while let Some(found) = text[at..].find(['/', '*']) {
        at += found;
        let step = match text.get(at..at + 2) {
            Some("/*") => 1,
            Some("*/") => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { 1 } else { 2 };
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_code(text: &str, want: &str) {
        assert_eq!(code_only(text), want, "{text}");
    }

    #[test]
    fn comments_and_literals_become_spaces() {
        check_code("a // b {\nc", "a       \nc");
        check_code("a /* { /* } */ { */ b", "a                   b");
        check_code(r#"f("a\"{", 'x', '\'', b'{')"#, "f(      ,    ,     , b   )");
        check_code("f(r\"\\\", r#\"a\"{\"#, br\"{\")", "f(    ,         ,      )");
        check_code("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)");
        check_code("var\"x\"", "var   ");
        check_code("\"open", "     ");
    }

    #[test]
    fn comments_are_told_from_literals() {
        assert_eq!(comments_only("a // b\n\"// c\" /* d\n e */ f"), "  // b\n       /* d\n e */  ");
        let lines = comment_lines("a // b\n\"// c\"\n/* d\n e */ f\ng");
        assert_eq!(lines.into_iter().collect::<Vec<_>>(), [0, 2, 3]);
    }

    #[test]
    fn placeholders_are_found_in_code_only() {
        let text =
            "fn f() {\n    dbg!(1);\n    // todo! later\n    \"unimplemented!\";\n    my_dbg!(2);\n}\n";
        let lines: Vec<usize> = check("a.rs", text).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2]);
    }
}
