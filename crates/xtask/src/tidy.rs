//! What clippy can't check, each finding with its file and line.
//!
//! Owns: the list of checks, printing what they found.
//! Does not own: the checks; each is a small module of functions from text to findings.

mod contract;
mod defaults;
mod dependencies;
mod layers;
mod length;
mod source;
mod words;

use std::fmt;

use crate::repository::Repository;

/// Something to put right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) path: String,
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl Finding {
    /// A finding in the line of this index, counted from 0.
    fn at(path: &str, line_index: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: line_index + 1, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

pub(crate) fn run(repository: &Repository) -> Result<(), String> {
    let mut findings = Vec::new();
    for file in &repository.files {
        findings.extend(words::check(&file.path, &file.text));
        if file.is_rust() {
            findings.extend(contract::check(&file.path, &file.text));
            findings.extend(length::check(&file.path, &file.text));
            findings.extend(source::check(&file.path, &file.text));
        }
    }
    findings.extend(defaults::check(&repository.files));
    findings.extend(dependencies::check(repository));
    findings.extend(layers::check(repository));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err("tidy has one finding".to_owned()),
        count => Err(format!("tidy has {count} findings")),
    }
}
