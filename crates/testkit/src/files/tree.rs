//! Trees of files made from a seed, and lists of the files in a tree.
//!
//! Owns: making trees, listing them.
//! Does not own: comparing them (see [`crate::compare`]).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::random::Random;

/// The number of folders in each folder of a tree.
const FOLDERS_PER_LEVEL: usize = 4;

/// A plan for a tree. The same plan writes the same names and bytes everywhere.
///
/// ```
/// let dir = tempfile::tempdir()?;
/// let files = haul_testkit::Tree::seeded(7).files(20).sizes(0..=100).depth(2).write(dir.path())?;
/// assert_eq!(files.len(), 20);
/// assert_eq!(haul_testkit::files_below(dir.path())?.len(), 20);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tree {
    seed: u64,
    file_count: usize,
    sizes: RangeInclusive<usize>,
    depth: usize,
    awkward: bool,
}

impl Tree {
    /// A plan of ten files of at most 4 KiB in one folder.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, file_count: 10, sizes: 0..=4096, depth: 0, awkward: false }
    }

    /// The total number of files.
    pub fn files(mut self, count: usize) -> Self {
        self.file_count = count;
        self
    }

    /// The range of file sizes in bytes.
    pub fn sizes(mut self, sizes: RangeInclusive<usize>) -> Self {
        self.sizes = sizes;
        self
    }

    /// The maximum number of folders above a file.
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// Gives some files difficult names: spaces, a leading dash, a newline, bytes that aren't UTF-8.
    pub fn awkward_names(mut self) -> Self {
        self.awkward = true;
        self
    }

    /// Writes the tree into `dir`, which is created if missing. Returns the paths of the files below `dir`, sorted.
    ///
    /// # Errors
    ///
    /// The file system's error.
    pub fn write(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let mut random = Random(self.seed);
        let mut paths = Vec::with_capacity(self.file_count);
        fs::create_dir_all(dir)?;
        for index in 0..self.file_count {
            let path = self.folder(&mut random).join(self.name(index));
            let full = dir.join(&path);
            fs::create_dir_all(full.parent().unwrap_or(dir))?;
            let len = random.within(self.sizes.clone());
            fs::write(&full, random.bytes(len))?;
            paths.push(path);
        }
        paths.sort();
        Ok(paths)
    }

    fn folder(&self, random: &mut Random) -> PathBuf {
        let depth = random.within(0..=self.depth);
        (0..depth).map(|level| format!("d{level}-{}", random.within(0..=FOLDERS_PER_LEVEL - 1))).collect()
    }

    fn name(&self, index: usize) -> OsString {
        let plain = format!("file{index:06}.bin");
        if !self.awkward {
            return plain.into();
        }
        match index % 8 {
            1 => format!("with space {plain}").into(),
            2 => format!("-{plain}").into(),
            3 => format!("line\nfeed {plain}").into(),
            4 => format!(".{plain}").into(),
            5 => format!("übergröße {plain}").into(),
            6 => OsString::from_vec([b"\xff\xfe ", plain.as_bytes()].concat()),
            7 => format!("quote'\" $(touch x) {plain}").into(),
            _ => plain.into(),
        }
    }
}

/// The paths below `dir` of everything except folders, hidden files included, sorted.
///
/// # Errors
///
/// The file system's error.
pub fn files_below(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(dir.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}
