//! Every source file begins with a contract: its purpose, what it owns and what it doesn't own.
//!
//! Owns: that check.
//! Does not own: the quality of a contract.

use super::finding::Finding;

/// Shorter files need only their purpose.
const PURPOSE_ONLY_MAX_LINES: usize = 40;

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let is_source = path.strip_prefix("crates/").is_some_and(|rest| rest.contains("/src/"));
    if !is_source {
        return Vec::new();
    }
    let contract: Vec<&str> =
        text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let mut findings = Vec::new();
    let purpose: Vec<&str> = contract.iter().copied().take_while(|line| !line.is_empty()).collect();
    if !purpose.last().is_some_and(|line| line.ends_with(['.', ':'])) {
        findings.push(Finding::at(path, 0, "begins without a `//!` sentence that says its purpose"));
    }
    if text.lines().count() > PURPOSE_ONLY_MAX_LINES {
        for word in ["Owns:", "Does not own:"] {
            if !contract.iter().any(|line| line.starts_with(word)) {
                findings.push(Finding::at(path, 0, format!("its `//!` contract has no line `{word}`")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_count(text: &str, count: usize) {
        assert_eq!(check("crates/a/src/b.rs", text).len(), count, "{text}");
    }

    #[test]
    fn a_purpose_is_a_sentence_on_top() {
        check_count("//! Does it.\n", 0);
        check_count("//! Does it,\n//! and well.\n//!\n//! More\n", 0);
        for wrong in ["", "fn f() {}\n", "//!\n//! Late.\n", "//! A title\n", "\n//! Below.\n"] {
            check_count(wrong, 1);
        }
    }

    #[test]
    fn longer_files_say_what_they_own() {
        let body = "x\n".repeat(50);
        check_count(&format!("//! Does it.\n//!\n//! Owns: a.\n//! Does not own: b.\n{body}"), 0);
        check_count(&format!("//! Does it.\n//!\n//! Owns: a.\n{body}"), 1);
        check_count(&body, 3);
    }

    #[test]
    fn tests_and_examples_are_free() {
        assert_eq!(check("crates/a/tests/b.rs", ""), []);
    }
}
