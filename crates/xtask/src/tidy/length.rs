//! Files and functions are short enough to be read at once.
//!
//! Owns: measuring both.
//! Does not own: how to divide long ones.

use super::finding::Finding;
use super::source::{code_only, words};

const FILE_MAX_LINES: usize = 420;
const FUNCTION_MAX_LINES: usize = 70;

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let line_count = text.lines().count();
    if line_count > FILE_MAX_LINES {
        let message = format!("has {line_count} lines, more than {FILE_MAX_LINES}");
        findings.push(Finding::at(path, FILE_MAX_LINES, message));
    }
    if path.contains("/tests/") {
        return findings;
    }
    for function in functions(text) {
        if function.line_count > FUNCTION_MAX_LINES {
            let Function { name, line_count, .. } = function;
            let message =
                format!("the function {name} has {line_count} lines, more than {FUNCTION_MAX_LINES}");
            findings.push(Finding::at(path, function.line_index, message));
        }
    }
    findings
}

struct Function {
    name: String,
    line_index: usize,
    /// From the line of its name to that of its closing brace.
    line_count: usize,
}

fn functions(text: &str) -> Vec<Function> {
    let code = code_only(text);
    let mut functions = Vec::new();
    let mut words = words(&code).peekable();
    while let Some((at, word)) = words.next() {
        // A pointer's type, `fn(u8)`, has no name; a declaration in a trait may have no body.
        let name = words.peek().filter(|(next, _)| word == "fn" && code[at + 2..*next].trim().is_empty());
        let Some((name, end)) = name.and_then(|(_, name)| Some((*name, body_end(&code, at)?))) else {
            continue;
        };
        functions.push(Function {
            name: name.to_owned(),
            line_index: newline_count(&code[..at]),
            line_count: newline_count(&code[at..end]) + 1,
        });
    }
    functions
}

/// The end of the body of the function at `start`; none for a function without a body.
fn body_end(code: &str, start: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b';' if brackets == 0 && braces == 0 => return None,
            b'{' => braces += 1,
            b'}' if braces == 1 && brackets == 0 => return Some(at),
            b'}' => braces = braces.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn newline_count(text: &str) -> usize {
    text.bytes().filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured() {
        let text = "trait T {\n    fn a(&self) -> [u8; 2];\n    fn b(f: fn(u8)) {\n        x(\"}\");\n    }\n}\nfn c() {}\n";
        let found: Vec<_> =
            functions(text).into_iter().map(|f| (f.name, f.line_index, f.line_count)).collect();
        assert_eq!(found, [("b".to_owned(), 2, 3), ("c".to_owned(), 6, 1)]);
    }

    #[test]
    fn long_functions_are_findings_outside_tests() {
        let text = format!(
            "fn long() {{\n{}}}\nfn short() {{\n{}}}\n",
            "    x();\n".repeat(69),
            "    x();\n".repeat(68)
        );
        let findings = check("crates/a/src/b.rs", &text);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("long has 71 lines"), "{}", findings[0]);
        assert_eq!(check("crates/a/tests/b.rs", &text), []);
    }

    #[test]
    fn long_files_are_findings_everywhere() {
        for path in ["crates/a/src/b.rs", "crates/a/tests/b.rs"] {
            assert_eq!(check(path, &"\n".repeat(FILE_MAX_LINES)), []);
            assert_eq!(check(path, &"\n".repeat(FILE_MAX_LINES + 1)).len(), 1);
        }
    }
}
