//! Directories that are held open, and the way to them: links are followed as far as a root, and refused beneath.
//!
//! A name below a held directory leads to what lies in that directory, whatever happens to the names above it meanwhile. So
//! nobody who can write in a tree can make a run read or write outside it by putting a symbolic link in a directory's place.
//!
//! Owns: where a name's root ends, the directories a worker keeps open.
//! Does not own: walking the way ([`crate::Io::directory`]).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::File;

/// A name, and how much of it is its root's: the part that a user wrote, where links mean what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    path: &'a Path,
    /// Invariant: at most the length of `path`, and where it ends a component does.
    root_bytes: usize,
}

/// A directory held open, and the name it was reached by. Clones share the descriptor.
#[derive(Clone, Debug)]
pub struct Directory {
    file: File,
    path: Arc<Path>,
    root_bytes: usize,
}

/// The directories that a worker used last. A tree is walked in order, so that most files lie where the one before did.
#[derive(Debug)]
pub struct DirectoryCache {
    /// The one used last is the last.
    directories: Vec<Directory>,
    count_max: usize,
}

impl<'a> Location<'a> {
    /// A name that a user wrote: its root is the directory it lies in.
    pub fn named(path: &'a Path) -> Self {
        Self::beneath(path, usize::MAX)
    }

    /// A name below the root that its first `root_bytes` bytes are, at most all of its directory.
    pub fn beneath(path: &'a Path, root_bytes: usize) -> Self {
        let directory = Self { path, root_bytes: 0 }.directory();
        Self { path, root_bytes: root_bytes.min(directory.as_os_str().len()) }
    }

    /// The whole name.
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// The directory it lies in.
    pub fn directory(&self) -> &'a Path {
        self.path.parent().filter(|_| self.path.file_name().is_some()).unwrap_or(self.path)
    }

    /// The name in that directory.
    pub fn name(&self) -> &'a Path {
        Path::new(self.path.file_name().unwrap_or(OsStr::new(".")))
    }

    /// How much of the name is the root's.
    pub fn root_bytes(&self) -> usize {
        self.root_bytes
    }

    /// The root as the system takes it.
    pub(crate) fn root(&self) -> &'a Path {
        openable(self.root_path())
    }

    /// The root as it is written.
    pub(crate) fn root_path(&self) -> &'a Path {
        self.prefix(self.root_bytes)
    }

    /// The directory and those above it, as far as the root, from below.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = &'a Path> {
        let root_bytes = self.root_bytes;
        self.directory().ancestors().take_while(move |path| path.as_os_str().len() >= root_bytes)
    }

    /// The names on the way from the directory `above`, one of [`Location::ancestors`], to the directory: each with the whole name.
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
    /// `file`, an open directory that was reached by `path`, of which the first `root_bytes` are its root.
    pub fn new(file: File, path: &Path, root_bytes: usize) -> Self {
        Self { file, path: path.into(), root_bytes }
    }

    /// The open directory: an anchor of names. It can't be read or synced.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The name it was reached by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How much of that name is the root's.
    pub fn root_bytes(&self) -> usize {
        self.root_bytes
    }
}

impl DirectoryCache {
    /// Room for `count_max`; beyond it, the one that was used longest ago is closed.
    pub fn new(count_max: usize) -> Self {
        Self { directories: Vec::new(), count_max }
    }

    pub(crate) fn find(&mut self, path: &Path, root_bytes: usize) -> Option<Directory> {
        let index = self
            .directories
            .iter()
            .rposition(|kept| kept.root_bytes == root_bytes && kept.path.as_os_str() == path.as_os_str())?;
        self.directories[index..].rotate_left(1);
        self.directories.last().cloned()
    }

    pub(crate) fn keep(&mut self, directory: Directory) {
        // Two jobs of a ring may have gone the same way.
        self.directories
            .retain(|kept| kept.path != directory.path || kept.root_bytes != directory.root_bytes);
        if self.directories.len() >= self.count_max {
            self.directories.remove(0);
        }
        self.directories.push(directory);
    }

    /// Closes all directories, because names may lead elsewhere by now.
    pub(crate) fn clear(&mut self) {
        self.directories.clear();
    }
}

/// The working directory is written as nothing in front of a name.
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
    fn what_was_used_last_is_kept() {
        let mut kept = DirectoryCache::new(2);
        let directory = |path: &str| {
            let null = std::fs::File::open("/dev/null").unwrap();
            Directory::new(null.into(), Path::new(path), 1)
        };
        kept.keep(directory("a"));
        kept.keep(directory("a/b"));
        assert!(kept.find(Path::new("a"), 1).is_some());
        assert!(kept.find(Path::new("a"), 0).is_none(), "another root is another way");
        kept.keep(directory("a/c"));
        assert!(kept.find(Path::new("a/b"), 1).is_none(), "used longest ago");
        assert!(kept.find(Path::new("a"), 1).is_some() && kept.find(Path::new("a/c"), 1).is_some());
    }
}
