//! Directories that are held open. Symbolic links are followed up to a root and refused beneath it.
//!
//! A name in an open directory leads to what lies in that directory, whatever happens to the names above it meanwhile.
//! So a user who can write in a tree can't replace a directory by a symbolic link and make a run read or write outside
//! the tree.
//!
//! Owns: where the root of a name ends, the cache of open directories.
//! Does not own: opening directories step by step ([`crate::Io::directory`]).

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::features::Learned;
use crate::File;

/// A name and the length of its root: the part that the user wrote, in which symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    path: &'a Path,
    /// Invariant: at most the length of `path`, at the end of a component.
    root_bytes: usize,
}

/// An open directory and the name by which it was reached. Clones share the descriptor.
#[derive(Clone, Debug)]
pub struct Directory {
    file: File,
    path: Arc<Path>,
    root_bytes: usize,
    learned: Arc<Learned>,
    /// A second descriptor, for syncing: the first can't be synced. Opened once it is needed.
    readable: Arc<OnceLock<File>>,
}

/// The directories that a worker used last. A tree is walked in order, so most files lie in the same directory as the
/// file before.
#[derive(Debug)]
pub struct DirectoryCache {
    /// In the order of use; the most recent is the last.
    directories: Vec<Directory>,
    count_max: usize,
    /// Directories whose own names were synced. Invariant: at most [`SYNCED_NAMES_MAX`].
    synced_names: HashSet<PathBuf>,
}

/// How many directories are remembered as synced. One that is forgotten is synced once more.
const SYNCED_NAMES_MAX: usize = 1024;

impl<'a> Location<'a> {
    /// A name that the user wrote: its root is its directory.
    pub fn named(path: &'a Path) -> Self {
        Self::beneath(path, usize::MAX)
    }

    /// A name whose root is its first `root_bytes` bytes, or its whole directory if that is shorter.
    pub fn beneath(path: &'a Path, root_bytes: usize) -> Self {
        let directory = Self { path, root_bytes: 0 }.directory();
        Self { path, root_bytes: root_bytes.min(directory.as_os_str().len()) }
    }

    /// The whole name.
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// The directory part of the name.
    pub fn directory(&self) -> &'a Path {
        self.path.parent().filter(|_| self.path.file_name().is_some()).unwrap_or(self.path)
    }

    /// The last component.
    pub fn name(&self) -> &'a Path {
        Path::new(self.path.file_name().unwrap_or(OsStr::new(".")))
    }

    /// The length of the root in bytes.
    pub fn root_bytes(&self) -> usize {
        self.root_bytes
    }

    /// The root as the system takes it: `.` for an empty one.
    pub(crate) fn root(&self) -> &'a Path {
        openable(self.root_path())
    }

    /// The root as the user wrote it.
    pub(crate) fn root_path(&self) -> &'a Path {
        self.prefix(self.root_bytes)
    }

    /// The directory and its ancestors, from the innermost to the root.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = &'a Path> {
        let root_bytes = self.root_bytes;
        self.directory().ancestors().take_while(move |path| path.as_os_str().len() >= root_bytes)
    }

    /// The components between `above`, one of [`Location::ancestors`], and the directory; each with the whole name up
    /// to it.
    pub(crate) fn steps_from(&self, above: &Path) -> Vec<(&'a Path, &'a Path)> {
        let below = self.ancestors().take_while(|path| path.as_os_str().len() > above.as_os_str().len());
        let mut steps: Vec<_> = below
            .filter_map(|path| Some((Path::new(path.components().next_back()?.as_os_str()), path)))
            .collect();
        steps.reverse();
        steps
    }

    fn prefix(&self, bytes: usize) -> &'a Path {
        Path::new(OsStr::from_bytes(&self.path.as_os_str().as_bytes()[..bytes]))
    }
}

impl Directory {
    /// `file`, an open directory that was reached by `path`, whose root has `root_bytes` bytes.
    pub fn new(file: File, path: &Path, root_bytes: usize) -> Self {
        let (learned, readable) = (Arc::default(), Arc::default());
        Self { file, path: path.into(), root_bytes, learned, readable }
    }

    /// The open directory, an anchor for names. It can't be read or synced.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The descriptor for syncing, if it has been opened.
    pub(crate) fn readable(&self) -> Option<&File> {
        self.readable.get()
    }

    /// Keeps `readable` for all clones; returns the one that is kept.
    pub(crate) fn keep_readable(&self, readable: File) -> File {
        self.readable.get_or_init(|| readable).clone()
    }

    /// The name by which it was reached.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The length of that name's root in bytes.
    pub fn root_bytes(&self) -> usize {
        self.root_bytes
    }

    /// What is known about the files in it.
    pub(crate) fn learned(&self) -> &Learned {
        &self.learned
    }
}

impl DirectoryCache {
    /// A cache of `count_max` directories; adding one more closes the least recently used.
    pub fn new(count_max: usize) -> Self {
        Self { directories: Vec::new(), count_max, synced_names: HashSet::new() }
    }

    pub(crate) fn find(&mut self, path: &Path, root_bytes: usize) -> Option<Directory> {
        let index = self.directories.iter().rposition(|cached| {
            cached.root_bytes == root_bytes && cached.path.as_os_str() == path.as_os_str()
        })?;
        self.directories[index..].rotate_left(1);
        self.directories.last().cloned()
    }

    pub(crate) fn keep(&mut self, directory: Directory) {
        // Two jobs of a ring may have opened the same directory.
        self.directories
            .retain(|cached| cached.path != directory.path || cached.root_bytes != directory.root_bytes);
        if self.directories.len() >= self.count_max {
            self.directories.remove(0);
        }
        self.directories.push(directory);
    }

    /// Closes all directories, for their descriptors. Returns whether there were any.
    pub(crate) fn close_all(&mut self) -> bool {
        let any = !self.directories.is_empty();
        self.directories.clear();
        any
    }

    /// Closes all directories, because names may lead elsewhere by now.
    pub(crate) fn clear(&mut self) {
        self.directories.clear();
        self.synced_names.clear();
    }

    /// Whether the entry that names `directory` was synced.
    pub(crate) fn is_name_synced(&self, directory: &Path) -> bool {
        self.synced_names.contains(directory)
    }

    pub(crate) fn name_synced(&mut self, directory: &Path) {
        if self.synced_names.len() >= SYNCED_NAMES_MAX {
            self.synced_names.clear();
        }
        self.synced_names.insert(directory.to_owned());
    }
}

/// A name without a directory part lies in the working directory.
fn openable(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(location: Location<'_>, root: &str, directory: &str, name: &str, steps: &[(&str, &str)]) {
        assert_eq!(location.root(), Path::new(root));
        assert_eq!((location.directory(), location.name()), (Path::new(directory), Path::new(name)));
        let above = location.prefix(location.root_bytes);
        let found: Vec<_> = location
            .steps_from(above)
            .into_iter()
            .map(|(name, path)| (name.to_str().unwrap(), path.to_str().unwrap()))
            .collect();
        assert_eq!(found, steps);
    }

    #[test]
    fn a_name_has_a_root_and_steps_below_it() {
        check(Location::named(Path::new("a")), ".", "", "a", &[]);
        check(Location::named(Path::new("/a")), "/", "/", "a", &[]);
        check(Location::named(Path::new("x/y/a")), "x/y", "x/y", "a", &[]);
        check(Location::named(Path::new("x/..")), "x/..", "x/..", ".", &[]);
        check(Location::beneath(Path::new("x/y/z/a"), 1), "x", "x/y/z", "a", &[("y", "x/y"), ("z", "x/y/z")]);
        check(Location::beneath(Path::new("x//y/a"), 2), "x/", "x//y", "a", &[("y", "x//y")]);
        check(Location::beneath(Path::new("./y/a"), 1), ".", "./y", "a", &[("y", "./y")]);
        check(Location::beneath(Path::new("/y/a"), 1), "/", "/y", "a", &[("y", "/y")]);
        check(Location::beneath(Path::new("x/a"), 1), "x", "x", "a", &[]);
        check(Location::beneath(Path::new("x/../a"), 1), "x", "x/..", "a", &[("..", "x/..")]);
    }

    #[test]
    fn the_least_recently_used_directory_is_closed() {
        let mut cached = DirectoryCache::new(2);
        let directory = |path: &str| {
            let null = std::fs::File::open("/dev/null").unwrap();
            Directory::new(null.into(), Path::new(path), 1)
        };
        cached.keep(directory("a"));
        cached.keep(directory("a/b"));
        assert!(cached.find(Path::new("a"), 1).is_some());
        assert!(cached.find(Path::new("a"), 0).is_none(), "another root is another entry");
        cached.keep(directory("a/c"));
        assert!(cached.find(Path::new("a/b"), 1).is_none(), "the least recently used");
        assert!(cached.find(Path::new("a"), 1).is_some() && cached.find(Path::new("a/c"), 1).is_some());
    }
}
