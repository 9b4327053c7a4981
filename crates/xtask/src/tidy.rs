//! The checks that clippy can't do; each finding has a file and a line.
//!
//! Owns: the list of checks, printing findings by check.
//! Does not own: the checks; each is a small module of functions from text to findings.

mod circles;
mod contract;
mod defaults;
mod dependencies;
mod english;
mod finding;
mod folders;
mod layers;
mod length;
mod map;
mod parameters;
mod source;
mod syntax;
mod threats;
mod widths;

use finding::Finding;

use crate::repository::{Repository, TextFile};

pub(crate) fn run(repository: &Repository) -> Result<(), String> {
    let mut count = 0;
    for (name, mut findings) in checks(repository) {
        if findings.is_empty() {
            continue;
        }
        findings.sort();
        println!("{name}: {}", findings.len());
        for finding in &findings {
            println!("  {finding}");
        }
        count += findings.len();
    }
    match count {
        0 => Ok(()),
        1 => Err("tidy has one finding".to_owned()),
        count => Err(format!("tidy has {count} findings")),
    }
}

/// The findings of every check, by its name.
fn checks(repository: &Repository) -> Vec<(&'static str, Vec<Finding>)> {
    let files = &repository.files;
    let all = |check: fn(&str, &str) -> Vec<Finding>| -> Vec<Finding> {
        files.iter().flat_map(|file| check(&file.path, &file.text)).collect()
    };
    let rust = |check: fn(&str, &str) -> Vec<Finding>| -> Vec<Finding> {
        let rust = files.iter().filter(|file| file.is_rust());
        rust.flat_map(|file: &TextFile| check(&file.path, &file.text)).collect()
    };
    vec![
        ("circles", circles::check(files)),
        ("folders", folders::check(files)),
        ("parameters", rust(parameters::check)),
        ("contracts", rust(contract::check)),
        ("lengths", rust(length::check)),
        ("placeholders", rust(source::check)),
        ("words", all(english::words::check)),
        ("widths", all(widths::check)),
        ("English", all(english::check)),
        ("defaults", defaults::check(files)),
        ("dependencies", dependencies::check(repository)),
        ("layers", layers::check(repository)),
        ("map", map::check(repository)),
        ("threats", threats::check(repository)),
    ]
}
