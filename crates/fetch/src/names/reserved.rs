//! Names that files of this client itself have.
//!
//! A result of such a name could pass for a partial file, a record or a temporary file: a server or the author of a
//! list would then choose what later runs find there.
//!
//! Owns: which names these are, and changing them.
//! Does not own: the files of these names ([`crate::kept`]).

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use haul_io::{folded, is_temporary};

/// What the names of partial files and records end in, and of markers of complete parts of lists.
const SUFFIXES: [&str; 4] = [".haul-part", ".haul-part.from", ".haul-from", ".haul-shard"];

/// `path` under a name that no partial file, record, marker or temporary file has, in whatever letter case: where it
/// would be one, `_` is added.
pub fn unreserved(path: &Path) -> PathBuf {
    let is_kept = path.file_name().is_some_and(is_reserved);
    if !is_kept {
        return path.to_owned();
    }
    let mut changed = path.as_os_str().to_owned();
    changed.push("_");
    PathBuf::from(changed)
}

fn is_reserved(name: &OsStr) -> bool {
    // As the file system may have it.
    let name = folded(Path::new(name)).map_or(Cow::Borrowed(name), |folded| Cow::Owned(folded.into()));
    let name = name.to_string_lossy();
    SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) || is_temporary(name.as_ref().as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_that_the_client_keeps_are_changed() {
        for (name, changed) in [
            ("d/x.haul-part", "d/x.haul-part_"),
            ("x.haul-part.from", "x.haul-part.from_"),
            ("x.HAUL-From", "x.HAUL-From_"),
            (".haul-part", ".haul-part_"),
            ("x.haul-part. ", "x.haul-part. _"),
            ("x.haul-part\u{200d}", "x.haul-part\u{200d}_"),
            ("x.haul\u{ad}-from", "x.haul\u{ad}-from_"),
            ("x\u{ff0e}haul-from", "x\u{ff0e}haul-from_"),
            (".haul-0123456789abcdef.tmp", ".haul-0123456789abcdef.tmp_"),
            ("x.haul-part_", "x.haul-part_"),
            ("x.haul-part/y", "x.haul-part/y"),
            ("x.from", "x.from"),
            ("haul-part", "haul-part"),
        ] {
            assert_eq!(unreserved(Path::new(name)), Path::new(changed), "{name}");
        }
    }
}
