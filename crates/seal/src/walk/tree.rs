//! Walking one tree through directory descriptors. Each directory is opened relative to its parent, so concurrent
//! renames can't lead the walk out of the tree.
//!
//! Owns: open directories, following links on request, detecting loops.
//! Does not own: which entries are taken ([`super::walker`]).
//!
//! Source: openat(2), path_resolution(7).

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use haul_io::{FileKind, Patience, Patient, Room, Stat, is_temporary};
use rustix::fs::{self, AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// The largest number of open levels, where descriptors aren't short. The names of higher levels are read into memory,
/// and these are reopened on the way back.
const OPEN_MAX: usize = 32;
/// Of the descriptors that are left, the walk takes one of this many.
const DESCRIPTORS_PER_LEVEL: usize = 8;

/// One step through a tree.
pub(super) enum Item {
    /// A directory is entered; its content follows.
    Entered(Directory),
    /// A directory is left after its whole content.
    Left(PathBuf),
    /// An entry that is not a directory.
    Other(Entry),
    /// A path that can't be examined.
    Bad(PathBuf, io::Error),
}

/// A directory of the tree.
#[derive(Clone)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) stat: Stat,
}

/// An entry that is not a directory.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    /// The metadata; of a followed link, that of its destination.
    pub(super) stat: Stat,
    /// Length in bytes of the part of the path beneath which no link is followed.
    pub(super) root_bytes: usize,
    pub(super) is_followed_link: bool,
}

/// How a tree is walked.
#[derive(Clone, Copy)]
pub(crate) struct WalkOptions {
    pub(crate) follow: bool,
    pub(crate) one_file_system: bool,
}

/// The walk through a tree, without its root.
pub(super) struct Tree {
    root: PathBuf,
    options: WalkOptions,
    levels: Vec<Level>,
    /// The largest number of open levels.
    open_max: usize,
}

struct Level {
    directory: Directory,
    root_bytes: usize,
    /// `None` while the level is closed.
    dir: Option<Dir>,
    /// The names that were read before it was closed, in reverse order.
    rest: Option<Vec<Name>>,
}

type Name = (CString, FileType);

impl Tree {
    /// Opens `root`; links on its path are followed.
    pub(super) fn open(root: PathBuf, options: WalkOptions) -> io::Result<Self> {
        let fd = patiently(|| Ok(fs::openat(CWD, &root, flags(true), Mode::empty())?), || false)?;
        let root_bytes = root.as_os_str().len();
        let level = Level::new(root.clone(), root_bytes, fd)?;
        let left = Room::left().descriptors.unwrap_or(usize::MAX);
        let open_max = (left / DESCRIPTORS_PER_LEVEL).clamp(1, OPEN_MAX);
        Ok(Self { root, options, levels: vec![level], open_max })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The root, with its metadata from the start of the walk; `None` after the end.
    pub(super) fn root_directory(&self) -> Option<&Directory> {
        self.levels.first().map(|level| &level.directory)
    }

    pub(super) fn is_over(&self) -> bool {
        self.levels.is_empty()
    }

    /// The directory of the last entry.
    pub(super) fn current(&self) -> Option<BorrowedFd<'_>> {
        self.levels.last()?.dir.as_ref()?.fd().ok()
    }

    /// Returns the next item. Enters a directory if `enters` returns true.
    pub(super) fn next(&mut self, enters: impl Fn(&Directory) -> bool) -> Option<Item> {
        loop {
            let level = self.levels.last_mut()?;
            let found = match level.next_name() {
                None => {
                    return self.levels.pop().map(|level| Item::Left(level.directory.path));
                }
                Some(Ok((name, kind))) => {
                    let path = level.directory.path.join(OsStr::from_bytes(name.as_bytes()));
                    self.look(&name, kind, &enters).unwrap_or_else(|error| Some(Item::Bad(path, error)))
                }
                Some(Err(error)) => {
                    level.rest = Some(Vec::new());
                    Some(Item::Bad(level.directory.path.clone(), error))
                }
            };
            if found.is_some() {
                return found;
            }
        }
    }

    fn look(
        &mut self,
        name: &CString,
        kind: FileType,
        enters: impl Fn(&Directory) -> bool,
    ) -> io::Result<Option<Item>> {
        let level = self.levels.last().expect("there is one while its names are looked at");
        let (path, root_bytes) =
            (level.directory.path.join(OsStr::from_bytes(name.as_bytes())), level.root_bytes);
        let fd = level.dir.as_ref().expect("the lowest level is open").fd()?;
        if kind == FileType::Directory {
            return self.enter(path, root_bytes, name, enters);
        }
        let mut stat = match fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Stat::from(stat),
            // A temporary file of this run was published meanwhile.
            Err(Errno::NOENT) if is_temporary(OsStr::from_bytes(name.as_bytes())) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let is_followed_link = stat.kind == FileKind::Symlink && self.options.follow;
        if is_followed_link {
            stat = fs::statat(fd, name, AtFlags::empty())?.into();
        }
        if stat.kind == FileKind::Directory {
            let root_bytes = if is_followed_link { path.as_os_str().len() } else { root_bytes };
            return self.enter(path, root_bytes, name, enters);
        }
        Ok(Some(Item::Other(Entry { path, stat, root_bytes, is_followed_link })))
    }

    fn enter(
        &mut self,
        path: PathBuf,
        root_bytes: usize,
        name: &CString,
        enters: impl Fn(&Directory) -> bool,
    ) -> io::Result<Option<Item>> {
        let follow = root_bytes == path.as_os_str().len();
        let opened =
            self.open_in_current(name, flags(follow)).map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::NOTDIR | Errno::LOOP) => {
                    io::Error::other("something else has taken the place of a directory")
                }
                _ => error,
            });
        let level = Level::new(path, root_bytes, opened?)?;
        let stat = &level.directory.stat;
        let is_same = |above: &Level| {
            (above.directory.stat.device, above.directory.stat.inode) == (stat.device, stat.inode)
        };
        if self.levels.iter().any(is_same) {
            return Err(io::Error::other("a loop"));
        }
        let is_elsewhere = self.root_directory().is_some_and(|root| root.stat.device != stat.device);
        if self.options.one_file_system && is_elsewhere || !enters(&level.directory) {
            return Ok(None);
        }
        let directory = level.directory.clone();
        self.levels.push(level);
        if let Some(upper) = self.levels.len().checked_sub(self.open_max + 1) {
            self.levels[upper].close();
        }
        Ok(Some(Item::Entered(directory)))
    }
}

impl Tree {
    /// Opens a directory in the current one. If descriptors are short, it closes higher levels.
    fn open_in_current(&mut self, name: &CString, flags: OFlags) -> io::Result<OwnedFd> {
        let (current, above) = self.levels.split_last_mut().expect("it lies in a directory");
        let fd = current.dir.as_ref().expect("the lowest level is open").fd()?;
        let mut open = above.iter_mut().filter(|level| level.dir.is_some());
        patiently(
            || Ok(fs::openat(fd, name, flags, Mode::empty())?),
            || open.next().map(Level::close).is_some(),
        )
    }
}

/// Tries `open` until descriptors are no longer short, or have been for too long. `frees` gives up one, if it can.
///
/// The other workers go on meanwhile: a worker that ends a job frees its descriptors before it needs the source.
fn patiently(open: impl Fn() -> io::Result<OwnedFd>, mut frees: impl FnMut() -> bool) -> io::Result<OwnedFd> {
    let patience = Patience::default();
    loop {
        let error = match open() {
            Ok(fd) => return Ok(fd),
            Err(error) => error,
        };
        match patience.after(&error, &mut frees) {
            Patient::TryAgain => {}
            Patient::Wait(pause) => std::thread::sleep(pause),
            Patient::GiveUp => return Err(error),
        }
    }
}

impl Level {
    fn new(path: PathBuf, root_bytes: usize, fd: OwnedFd) -> io::Result<Self> {
        let stat = fs::fstat(&fd)?.into();
        let directory = Directory { path, stat };
        Ok(Self { directory, root_bytes, dir: Some(Dir::new(fd)?), rest: None })
    }

    /// Returns the next name, from the directory or from memory. Afterwards the directory is open.
    fn next_name(&mut self) -> Option<io::Result<Name>> {
        match &mut self.rest {
            None => read_name(self.dir.as_mut()?),
            Some(rest) => {
                let name = rest.pop()?;
                if self.dir.is_none()
                    && let Err(error) = self.open_again()
                {
                    self.rest = Some(Vec::new());
                    return Some(Err(error));
                }
                Some(Ok(name))
            }
        }
    }

    fn close(&mut self) {
        let Some(mut dir) = self.dir.take() else { return };
        self.rest.get_or_insert_with(|| {
            // Reading on would repeat the error, so the names before it are all there is.
            let mut names: Vec<_> = std::iter::from_fn(|| read_name(&mut dir)?.ok()).collect();
            names.reverse();
            names
        });
    }

    fn open_again(&mut self) -> io::Result<()> {
        let fd = patiently(|| open_beneath(&self.directory.path, self.root_bytes), || false)?;
        let now = Stat::from(fs::fstat(&fd)?);
        if (now.device, now.inode) != (self.directory.stat.device, self.directory.stat.inode) {
            return Err(io::Error::other("another directory has taken its place"));
        }
        self.dir = Some(Dir::new(fd)?);
        Ok(())
    }
}

fn read_name(dir: &mut Dir) -> Option<io::Result<Name>> {
    loop {
        return Some(match dir.read()? {
            Ok(entry) if [c".", c".."].contains(&entry.file_name()) => continue,
            Ok(entry) => Ok((entry.file_name().to_owned(), entry.file_type())),
            Err(error) => Err(error.into()),
        });
    }
}

/// Opens the directory at `path`. Links are followed in its first `root_bytes` bytes and not beneath.
fn open_beneath(path: &Path, root_bytes: usize) -> io::Result<OwnedFd> {
    let (root, rest) = path.as_os_str().as_bytes().split_at(root_bytes);
    let mut fd = fs::openat(CWD, OsStr::from_bytes(root), flags(true), Mode::empty())?;
    for part in Path::new(OsStr::from_bytes(rest)).components() {
        if let Component::Normal(name) = part {
            fd = fs::openat(&fd, name, flags(false), Mode::empty())?;
        }
    }
    Ok(fd)
}

fn flags(follow: bool) -> OFlags {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if follow { flags } else { flags | OFlags::NOFOLLOW }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vanished_file_is_reported_unless_it_was_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let temporary = |number| dir.path().join(format!(".haul-{number:016x}.tmp"));
        (0..9).for_each(|number| std::fs::write(temporary(number), "x").unwrap());
        let gone = dir.path().join("gone");
        std::fs::write(&gone, "x").unwrap();
        let options = WalkOptions { follow: false, one_file_system: false };
        let mut tree = Tree::open(dir.path().to_owned(), options).unwrap();
        // The names have been read by now.
        let Some(Item::Other(first)) = tree.next(|_| true) else { panic!("ten files") };
        (0..9).for_each(|number| std::fs::remove_file(temporary(number)).unwrap());
        std::fs::remove_file(&gone).unwrap();
        let mut reported = Vec::new();
        while let Some(item) = tree.next(|_| true) {
            match item {
                Item::Bad(path, error) => reported.push((path, error.kind())),
                Item::Left(path) => assert_eq!(path, dir.path()),
                Item::Entered(_) | Item::Other(_) => panic!("nothing is left"),
            }
        }
        let expected = (first.path != gone).then_some((gone, io::ErrorKind::NotFound));
        assert_eq!(reported, Vec::from_iter(expected));
    }
}
