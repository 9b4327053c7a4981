//! The names of temporary files.
//!
//! Owns: the forms of these names.
//! Does not own: creating and publishing staged files ([`super::staged`]), the removal of those that a killed run left
//! ([`super::leftovers`]).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::Io;

/// The start of a temporary file's name.
const TEMPORARY_PREFIX: &str = ".haul-";
/// Its end.
const TEMPORARY_SUFFIX: &str = ".tmp";
/// What the name of a probe has besides: a letter with a second form in Unicode.
const PROBE_LETTER: &str = "\u{e9}";

/// Whether a file of this name is staged, or was left by a run that was killed.
pub fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(TEMPORARY_PREFIX.as_bytes()) && name.ends_with(TEMPORARY_SUFFIX.as_bytes())
}

pub(super) fn temporary_name(io: &impl Io, path: &Path) -> PathBuf {
    let mut random = [0; 8];
    io.random(&mut random);
    let name =
        OsString::from(format!("{TEMPORARY_PREFIX}{:016x}{TEMPORARY_SUFFIX}", u64::from_ne_bytes(random)));
    path.with_file_name(name)
}

/// The name of an empty file that a probe makes in a directory, to see whether its file system takes names for one that
/// differ in letter case or in Unicode normalization. A probe that is left counts as a temporary file.
pub fn probe_name(random: u64) -> String {
    format!("{TEMPORARY_PREFIX}{random:016x}{PROBE_LETTER}{TEMPORARY_SUFFIX}")
}

/// Whether `name` has the form that this program gives to temporary files and probes, to the last digit. A user's own
/// file may begin and end like one.
pub(super) fn has_own_form(name: &OsStr) -> bool {
    let digits = name.as_encoded_bytes().strip_prefix(TEMPORARY_PREFIX.as_bytes());
    let Some(digits) = digits.and_then(|rest| rest.strip_suffix(TEMPORARY_SUFFIX.as_bytes())) else {
        return false;
    };
    let digits = digits.strip_suffix(PROBE_LETTER.as_bytes()).unwrap_or(digits);
    digits.len() == 16 && digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_are_told_from_similar_ones() {
        for (name, is_own) in [
            (".haul-0123456789abcdef.tmp", true),
            (&*probe_name(0x89ab), true),
            (".haul-0123456789abcde.tmp", false),
            (".haul-0123456789abcdef0.tmp", false),
            (".haul-0123456789ABCDEF.tmp", false),
            (".haul-notes.tmp", false),
            ("haul-0123456789abcdef.tmp", false),
            (".haul-0123456789abcdef.tmp.age", false),
        ] {
            assert_eq!(has_own_form(name.as_ref()), is_own, "{name}");
        }
    }
}
