//! Creating files with their final permission bits, which saves setting them afterwards.
//!
//! The umask or the directory's default access list may take bits away. So the first file of a directory is examined,
//! and the answer holds for the others until creating one fails.
//!
//! Owns: when a file is created with its final bits, and whether it got them.
//! Does not own: what was learned ([`crate::DirectoryCache`]), setting permission bits ([`super::staged`]).
//!
//! Source: open(2), acl(5).

use std::path::Path;

use crate::op::mode::PRIVATE;
use crate::{File, Io, Preserve};

/// How the files of one directory are created.
pub(super) struct Creation<'a> {
    directory: &'a Path,
    /// The final permission bits, if a file may be created with them.
    wanted: Option<u32>,
    is_exact: Option<bool>,
}

impl<'a> Creation<'a> {
    /// For a file in `directory` that will get the metadata `preserve`.
    pub(super) fn of(io: &impl Io, directory: &'a Path, preserve: &Preserve) -> Self {
        // Attributes are set before the final bits, which may forbid it.
        let is_plain = |mode: &u32| mode & !0o777 == 0 && mode & PRIVATE == PRIVATE;
        let wanted = preserve.mode.filter(is_plain).filter(|_| preserve.attributes.values.is_empty());
        let Some((mode, cache)) = wanted.zip(io.directory_cache()) else {
            return Self { directory, wanted: None, is_exact: None };
        };
        let is_exact = cache.borrow().creates_exactly(directory, mode);
        Self { directory, wanted: wanted.filter(|_| is_exact != Some(false)), is_exact }
    }

    /// The permission bits to create the file with.
    pub(super) fn mode(&self) -> u32 {
        self.wanted.unwrap_or(PRIVATE)
    }

    /// The final permission bits, if `file`, which was just created, has them.
    pub(super) async fn got(&self, io: &impl Io, file: &File) -> Option<u32> {
        let mode = self.wanted?;
        if self.is_exact.is_none() {
            let is_exact = io.stat(file).await.ok()?.mode == mode;
            let cache = io.directory_cache()?;
            cache.borrow_mut().created(self.directory, mode, is_exact);
            return is_exact.then_some(mode);
        }
        Some(mode)
    }

    /// Creating the file failed.
    pub(super) fn failed(&self, io: &impl Io) {
        if let Some(cache) = io.directory_cache() {
            cache.borrow_mut().forget_creations(self.directory);
        }
    }
}
