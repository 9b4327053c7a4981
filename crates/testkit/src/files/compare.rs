//! Compares two trees of files and describes their first difference.
//!
//! Owns: names, kinds, bytes, link targets; permissions and times on request.
//! Does not own: empty folders, owners, extended attributes.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::tree::files_below;

/// Attributes that count as differences, besides names, kinds, link targets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compare {
    /// Permission bits.
    pub modes: bool,
    /// Modification times, to the nanosecond.
    pub mtimes: bool,
}

/// Describes the first difference in names or bytes between two trees; none where they are equal.
///
/// # Errors
///
/// The file system's error.
pub fn compare(a: &Path, b: &Path) -> io::Result<Option<String>> {
    Compare::default().first_difference(a, b)
}

/// Fails the test where [`compare`] finds a difference.
///
/// # Panics
///
/// When the trees differ or can't be read.
#[track_caller]
pub fn assert_same(a: &Path, b: &Path) {
    if let Some(difference) = compare(a, b).expect("both trees can be read") {
        panic!("{} and {} differ: {difference}", a.display(), b.display());
    }
}

impl Compare {
    /// The first difference between two trees in the order of their paths; none where they are equal.
    ///
    /// # Errors
    ///
    /// The file system's error.
    pub fn first_difference(self, a: &Path, b: &Path) -> io::Result<Option<String>> {
        let (names_a, names_b) = (files_below(a)?, files_below(b)?);
        if let Some(name) = names_a.iter().find(|name| names_b.binary_search(name).is_err()) {
            return Ok(Some(format!("only in the first: {name:?}")));
        }
        if let Some(name) = names_b.iter().find(|name| names_a.binary_search(name).is_err()) {
            return Ok(Some(format!("only in the second: {name:?}")));
        }
        for name in &names_a {
            if let Some(difference) = self.of_files(&a.join(name), &b.join(name))? {
                return Ok(Some(format!("{name:?}: {difference}")));
            }
        }
        Ok(None)
    }

    fn of_files(self, a: &Path, b: &Path) -> io::Result<Option<String>> {
        let (meta_a, meta_b) = (fs::symlink_metadata(a)?, fs::symlink_metadata(b)?);
        if meta_a.file_type() != meta_b.file_type() {
            return Ok(Some("another kind of file".to_owned()));
        }
        if self.modes && meta_a.permissions() != meta_b.permissions() {
            let (a, b) = (meta_a.permissions().mode(), meta_b.permissions().mode());
            return Ok(Some(format!("mode {a:o}, then {b:o}")));
        }
        let mtime = |meta: &fs::Metadata| (meta.mtime(), meta.mtime_nsec());
        if self.mtimes && mtime(&meta_a) != mtime(&meta_b) {
            return Ok(Some(format!("mtime {:?}, then {:?}", mtime(&meta_a), mtime(&meta_b))));
        }
        if meta_a.is_symlink() {
            let (a, b) = (fs::read_link(a)?, fs::read_link(b)?);
            return Ok((a != b).then(|| format!("a link to {a:?}, then to {b:?}")));
        }
        if !meta_a.is_file() {
            return Ok(None);
        }
        Ok(of_bytes(&fs::read(a)?, &fs::read(b)?))
    }
}

fn of_bytes(a: &[u8], b: &[u8]) -> Option<String> {
    if let Some(at) = a.iter().zip(b).position(|(a, b)| a != b) {
        return Some(format!("byte {at} is {:#04x}, then {:#04x}", a[at], b[at]));
    }
    (a.len() != b.len()).then(|| format!("{} bytes, then {}", a.len(), b.len()))
}
