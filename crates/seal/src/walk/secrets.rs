//! The files that hold keys and passphrases of the run, recognised under any of their names.
//!
//! Owns: what identifies such a file, also where inode numbers change.
//! Does not own: leaving them out ([`super::walker`]).

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use haul_io::Stat;

/// Files with secrets.
#[derive(Default)]
pub(super) struct Secrets {
    /// Device and inode.
    ids: HashSet<(u64, u64)>,
    /// Name, length and modification time: all that identifies a file where inode numbers change.
    versions: HashSet<(OsString, u64, (i64, u32))>,
}

impl Secrets {
    /// Adds `files`, as far as they exist.
    pub(super) fn add(&mut self, files: &[PathBuf]) {
        for file in files {
            let Ok(stat) = rustix::fs::stat(file).map(Stat::from) else { continue };
            self.ids.insert((stat.device, stat.inode));
            let name = file.canonicalize().ok().and_then(|path| path.file_name().map(OsStr::to_owned));
            self.versions.extend(name.map(|name| (name, stat.bytes, stat.modified)));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether the file at `path` with `stat` is one of them.
    pub(super) fn contains(&self, path: &Path, stat: &Stat) -> bool {
        let is_version = |(name, bytes, modified): &(OsString, u64, (i64, u32))| {
            path.file_name() == Some(name) && (*bytes, *modified) == (stat.bytes, stat.modified)
        };
        self.ids.contains(&(stat.device, stat.inode)) || self.versions.iter().any(is_version)
    }
}
