//! A temporary directory that a test works in.
//!
//! Owns: creating and removing it, reading and writing files in it by name.
//! Does not own: trees of many files (see [`crate::Tree`]), running the program there (see [`crate::Haul::dir`]).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::tree::files_below;

/// A directory of its own for one test, removed with everything in it when it is dropped.
///
/// Names are relative to the directory and may have several components.
///
/// ```
/// let workdir = haul_testkit::Workdir::new();
/// workdir.write("a/letter", b"text");
/// workdir.change("a/letter", |bytes| bytes[0] ^= 1);
/// assert_eq!(workdir.read("a/letter"), b"uext");
/// assert_eq!(workdir.names(), ["a/letter"]);
/// ```
///
/// # Panics
///
/// All methods panic when the file system refuses what they ask for.
#[derive(Debug)]
pub struct Workdir {
    dir: TempDir,
}

impl Workdir {
    /// Creates an empty directory in the system's folder for temporary files.
    #[expect(clippy::new_without_default, reason = "a default value should not create a directory")]
    #[track_caller]
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory can be created") }
    }

    /// Creates an empty directory below `parent`, for tests that need a certain file system.
    #[track_caller]
    pub fn new_in(parent: &Path) -> Self {
        Self { dir: tempfile::tempdir_in(parent).expect("a temporary directory can be created") }
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The path of `name` in the directory; the file need not exist.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, with the directories above it, and replaces an existing one. Returns its path.
    #[track_caller]
    pub fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).expect("the directories above the file can be created");
        }
        fs::write(&path, bytes).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
        path
    }

    /// The bytes of a file.
    #[track_caller]
    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()))
    }

    /// The bytes of a file; none where it doesn't exist.
    #[track_caller]
    pub fn read_if_present(&self, name: impl AsRef<Path>) -> Option<Vec<u8>> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => panic!("cannot read {}: {e}", path.display()),
        }
    }

    /// Replaces a file's bytes by what `edit` makes of them: damage, for instance.
    #[track_caller]
    pub fn change(&self, name: impl AsRef<Path>, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.read(&name);
        edit(&mut bytes);
        self.write(name, bytes);
    }

    /// The names of all files in the directory and below it, sorted. Bytes that aren't UTF-8 are replaced.
    #[track_caller]
    pub fn names(&self) -> Vec<String> {
        let files = files_below(self.dir.path()).expect("the directory can be listed");
        files.into_iter().map(|name| name.display().to_string()).collect()
    }
}
