//! Other programs that haul is compared with.
//!
//! Owns: whether they are installed, and in which version.
//! Does not own: their commands.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::steps::find;

/// The programs and the option that prints the version.
const VERSIONS: [(&str, &str); 13] = [
    ("age", "--version"),
    ("rage", "--version"),
    ("gpg", "--version"),
    ("openssl", "version"),
    ("7z", "i"),
    ("rclone", "version"),
    ("curl", "--version"),
    ("wget2", "--version"),
    ("aria2c", "--version"),
    ("s5cmd", "version"),
    ("aws", "--version"),
    ("weed", "version"),
    ("cp", "--version"),
];

/// Whether `program` is installed, in PATH or where its path says.
pub(super) fn has(program: &OsStr) -> bool {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return path.exists();
    }
    find(path).is_some()
}

/// The installed programs with their versions, as a list in words.
pub(super) fn versions() -> String {
    let named = VERSIONS.iter().filter(|(program, _)| has(OsStr::new(program))).map(|(program, option)| {
        let output = Command::new(program).arg(option).stdin(Stdio::null()).output();
        let text =
            output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        format!("{program} {}", version_in(&text).unwrap_or("of an unknown version"))
    });
    named.collect::<Vec<_>>().join(", ")
}

/// The first word that begins with a digit after an optional `v`, and has a point.
fn version_in(text: &str) -> Option<&str> {
    let words = text.split_whitespace().map(|word| word.trim_start_matches('v').trim_end_matches([',', ';']));
    let mut versions = words.filter(|word| word.starts_with(|one: char| one.is_ascii_digit()));
    versions.find(|word| word.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (text, version) in [
            ("curl 7.88.1 (x86_64) libcurl/7.88.1", Some("7.88.1")),
            ("v1.2.0\n", Some("1.2.0")),
            ("cp (GNU coreutils) 9.1\n", Some("9.1")),
            ("OpenSSL 3.0.17 1 Jul 2025", Some("3.0.17")),
            ("nothing", None),
        ] {
            assert_eq!(version_in(text), version, "{text}");
        }
        assert!(has(OsStr::new("sh")) && !has(OsStr::new("a-program-that-nobody-has")));
        assert!(versions().contains("cp "));
    }
}
