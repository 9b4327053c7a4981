//! Finding what to seal or open, and naming the results.
//!
//! Owns: walking trees, the suffix, results beside their sources or mirrored into a directory, clearing away what killed
//! runs left there.
//! Does not own: what happens to a file.

mod mirror;
mod once;
mod tree;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use haul_io::{Blocking, FileKind, Io, Location, OpenMode, Stat, run_ready};
use rustix::fs::Dir;

pub use self::mirror::Mirror;
use self::once::Once;
pub(crate) use self::tree::WalkOptions;
use self::tree::{Directory, Entry, Item, Tree};
use crate::{FileOptions, Filter, Found, SkipReason, Symlinks, Task};

/// The name of the identity that opens a tree, where a passphrase sealed it. Left out when trees are sealed or opened: sealed
/// to itself it would be lost, and its plaintext is a secret.
pub const TREE_IDENTITY_NAME: &str = "haul-identity.age";

/// Which way names change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The suffix is added; in trees, files that have it are left out.
    Seal,
    /// The suffix is taken off; in trees, files without it are left out.
    Open,
    /// Names stay; results take the place of their sources.
    Replace,
}

/// Where results go.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Which way names change.
    pub direction: Direction,
    /// What results of sealing end in, with its dot. Not empty.
    pub suffix: OsString,
    /// The one file, or the directory that mirrors what is walked; `None`: beside the sources.
    pub output: Option<PathBuf>,
}

/// Why nothing can be walked.
#[derive(Debug)]
#[non_exhaustive]
pub enum NameError {
    /// The suffix is empty or holds a slash.
    BadSuffix,
    /// Several inputs, but the output is a file.
    OutputIsAFile(PathBuf),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadSuffix => f.write_str("the suffix must be a part of a file name"),
            Self::OutputIsAFile(path) => {
                write!(f, "the output {path:?} is a file, but there are several inputs")
            }
        }
    }
}

impl std::error::Error for NameError {}

/// The tasks for some inputs, found while the run goes on. Memory: one open directory for each level; of trees deeper than 32
/// levels, also the names in those further up.
pub struct Walk {
    placement: Placement,
    filter: Filter,
    inputs: std::vec::IntoIter<PathBuf>,
    /// Whether each input gets a name of its own in the output directory.
    several: bool,
    current: Option<Tree>,
    /// What removes on the way what killed runs left; `None`: it stays.
    sweeper: Option<Blocking>,
    /// Where that was done last.
    swept: PathBuf,
    /// The files met so far; `None`: each name counts.
    once: Option<Once>,
}

/// What a walk comes by.
enum Visit {
    Task(Task),
    /// A directory that has a mirror. Its tasks follow, and those of directories in it.
    Entered(Mirrored),
    /// All tasks of the directory whose mirror this is were given.
    Left(PathBuf),
}

/// A directory, and what mirrors it.
struct Mirrored {
    source: PathBuf,
    target: PathBuf,
    /// How much of the target's name is the output's.
    root_bytes: usize,
    stat: Stat,
}

impl Walk {
    /// Prepares to walk `inputs`.
    ///
    /// # Errors
    /// If the placement doesn't fit the inputs.
    pub fn new(inputs: Vec<PathBuf>, placement: Placement) -> Result<Self, NameError> {
        if placement.suffix.is_empty() || placement.suffix.as_bytes().contains(&b'/') {
            return Err(NameError::BadSuffix);
        }
        let several = inputs.len() > 1;
        let output = placement.output.as_deref();
        if let Some(output) = output.filter(|output| several && output.exists() && !output.is_dir()) {
            return Err(NameError::OutputIsAFile(output.to_owned()));
        }
        let (current, sweeper, swept, once) = (None, None, PathBuf::new(), None);
        let (filter, inputs) = (Filter::default(), inputs.into_iter());
        Ok(Self { placement, filter, inputs, several, current, sweeper, swept, once })
    }

    /// Takes of trees what `filter` takes.
    pub fn filtered(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Takes each file once, under the first of its names; the others are skipped. For jobs that write into files themselves.
    /// Memory: some 40 bytes for each file that has several names; for each at all where links are followed or there are several
    /// directories among the inputs.
    pub fn once(mut self) -> Self {
        let follows_links = self.filter.symlinks == Symlinks::Follow;
        self.once = Some(Once::new(self.inputs.as_slice(), follows_links));
        self
    }

    /// Removes, in each directory of sources or results, the temporary files of runs that were killed, by `io`.
    pub fn sweeping(self, io: Blocking) -> Self {
        Self { sweeper: Some(io), ..self }
    }

    /// Mirrors directories as well, by `io`: empty ones too, and with what the `options` want kept: mode and time of modification,
    /// extended attributes. An output that was there before keeps its own.
    pub fn mirroring(self, io: Blocking, options: &FileOptions) -> Mirror {
        Mirror::new(self, io, options)
    }

    /// Sweeps the directory that `target` lies in.
    fn sweep(&mut self, target: Location<'_>) {
        let Some(io) = &self.sweeper else { return };
        if self.swept == target.directory() {
            return;
        }
        target.directory().clone_into(&mut self.swept);
        // A directory that can't be read, or isn't there yet, has nothing that could be removed.
        let _ = sweep(io, target);
    }

    /// What the next input begins with; `None` behind the last.
    fn next_input(&mut self) -> Option<Option<Visit>> {
        let input = self.inputs.next()?;
        let is_directory = std::fs::metadata(&input).map(|metadata| metadata.is_dir());
        let tree = match is_directory {
            Ok(false) => {
                let task = match self.is_met_again(&input) {
                    true => Task::Skip { source: input, reason: SkipReason::OtherName },
                    false => self.task_of_file(input),
                };
                if let Task::File { target, .. } = &task {
                    self.sweep(Location::named(target));
                }
                return Some(Some(Visit::Task(task)));
            }
            // Without what a name may end in besides.
            Ok(true) => Tree::open(input.components().as_path().to_owned(), self.filter.walk_options()),
            Err(error) => Err(error),
        };
        match tree {
            Err(error) => Some(Some(Visit::Task(Task::Bad { source: input, error: Some(error.into()) }))),
            Ok(tree) => {
                let entered = tree.root_directory().and_then(|root| self.entered(&tree, root.clone()));
                self.current = Some(tree);
                Some(entered)
            }
        }
    }

    fn is_met_again(&mut self, input: &Path) -> bool {
        let Some(once) = &mut self.once else { return false };
        rustix::fs::stat(input).is_ok_and(|stat| once.is_met_again(&stat.into()))
    }

    fn task_of_file(&self, source: PathBuf) -> Task {
        let target = match &self.placement.output {
            Some(output) if !self.several && !output.is_dir() => Some(output.clone()),
            Some(output) => {
                self.renamed(Path::new(source.file_name().unwrap_or_default())).map(|name| output.join(name))
            }
            None => self.renamed(&source),
        };
        match target {
            Some(target) => Task::file(source, target),
            None => Task::Bad { source, error: None },
        }
    }

    /// What comes next; `None` at the end.
    fn step(&mut self) -> Option<Visit> {
        loop {
            let visit = match self.current.take() {
                None => self.next_input()?,
                Some(mut tree) => {
                    let root = tree.root().to_owned();
                    let item = tree.next(|directory| self.enters(&root, directory));
                    let visit = item.and_then(|item| self.visit(&tree, item));
                    self.current = (!tree.is_over()).then_some(tree);
                    visit
                }
            };
            if visit.is_some() {
                return visit;
            }
        }
    }

    fn visit(&mut self, tree: &Tree, item: Item) -> Option<Visit> {
        match item {
            Item::Entered(directory) => self.entered(tree, directory),
            Item::Left(path) => {
                self.placement.output.as_ref().map(|_| Visit::Left(self.mirrored(tree.root(), &path)))
            }
            Item::Other(entry) => self.task_of_entry(tree, entry).map(Visit::Task),
            Item::Bad(source, error) => Some(Visit::Task(Task::Bad { source, error: Some(error.into()) })),
        }
    }

    fn entered(&mut self, tree: &Tree, directory: Directory) -> Option<Visit> {
        let root_bytes = self.placement.output.as_ref()?.as_os_str().len();
        let target = self.mirrored(tree.root(), &directory.path);
        self.sweep(Location::beneath(&target.join("x"), root_bytes));
        let Directory { path: source, stat } = directory;
        Some(Visit::Entered(Mirrored { source, target, root_bytes, stat }))
    }

    /// The task for an entry of a tree, if it is one.
    fn task_of_entry(&mut self, tree: &Tree, entry: Entry) -> Option<Task> {
        let name = entry.path.file_name().expect("entries have names");
        if haul_io::is_temporary(name) {
            if let (Some(_), Some(directory)) = (&self.sweeper, tree.current()) {
                // What can't be removed is somebody's work, or stays for the next run.
                let _ = haul_io::remove_if_left(directory, Path::new(name));
            }
            return None;
        }
        let below = entry.path.strip_prefix(tree.root()).expect("entries lie below their root");
        if !self.filter.takes(below) {
            return None;
        }
        let is_symlink = entry.stat.kind == FileKind::Symlink;
        if is_symlink && self.filter.symlinks == Symlinks::Refuse {
            let error = io::Error::other("a symbolic link");
            return Some(Task::Bad { source: entry.path, error: Some(error.into()) });
        }
        if entry.stat.kind != FileKind::Regular {
            let reason = if is_symlink { SkipReason::Symlink } else { SkipReason::Special };
            return Some(Task::Skip { source: entry.path, reason });
        }
        let sealed = has_suffix(name, &self.placement.suffix);
        let is_identity = name == TREE_IDENTITY_NAME;
        let left_out = match self.placement.direction {
            Direction::Seal => sealed || is_identity,
            Direction::Open => !sealed || is_identity,
            Direction::Replace => false,
        };
        if left_out {
            return None;
        }
        if self.once.as_mut().is_some_and(|once| once.is_met_again(&entry.stat)) {
            return Some(Task::Skip { source: entry.path, reason: SkipReason::OtherName });
        }
        let target = self.mirrored(tree.root(), &self.renamed(&entry.path)?);
        let Entry { path: source, stat, root_bytes, is_followed_link } = entry;
        let output_bytes = self.placement.output.as_ref().map(|output| output.as_os_str().len());
        let found = Found {
            source_root_bytes: root_bytes,
            target_root_bytes: output_bytes.unwrap_or(root_bytes),
            is_link: is_followed_link,
            device: stat.device,
            inode: stat.inode,
        };
        Some(Task::File { source, target, found: Some(found), keyed: None })
    }

    /// Where `path`, which lies below `root`, is in the output.
    fn mirrored(&self, root: &Path, path: &Path) -> PathBuf {
        let Some(output) = &self.placement.output else { return path.to_owned() };
        let relative = path.strip_prefix(root).expect("entries lie below their root");
        if self.several { output.join(name_of(root)).join(relative) } else { output.join(relative) }
    }

    /// `path` with the suffix added or taken off; `None` where there is none to take off.
    fn renamed(&self, path: &Path) -> Option<PathBuf> {
        let name = path.file_name()?;
        let suffix = self.placement.suffix.as_os_str();
        let renamed = match self.placement.direction {
            Direction::Seal => [name, suffix].into_iter().collect(),
            Direction::Replace => name.to_owned(),
            Direction::Open if !has_suffix(name, suffix) => return None,
            Direction::Open => {
                let bytes = name.as_bytes();
                OsStr::from_bytes(&bytes[..bytes.len() - suffix.len()]).to_owned()
            }
        };
        Some(path.with_file_name::<OsString>(renamed))
    }

    /// Whether `directory` of `tree` is walked: the output, where it lies in what is walked, is not.
    fn enters(&self, root: &Path, directory: &Directory) -> bool {
        let below = directory.path.strip_prefix(root).expect("entries lie below their root");
        self.filter.enters(below) && !self.is_output(&directory.stat, &directory.path)
    }

    /// The output may come into being after the walk has begun.
    fn is_output(&self, stat: &Stat, path: &Path) -> bool {
        let Some(output) = &self.placement.output else { return false };
        let is_same = |output: Metadata| (output.dev(), output.ino()) == (stat.device, stat.inode);
        // Links are few; but what the output is called, it may be called elsewhere.
        (path.file_name() == output.file_name()
            || self.filter.symlinks == Symlinks::Follow
            || output.is_symlink())
            && output.metadata().is_ok_and(is_same)
    }
}

impl Iterator for Walk {
    type Item = Task;

    fn next(&mut self) -> Option<Task> {
        loop {
            if let Visit::Task(task) = self.step()? {
                return Some(task);
            }
        }
    }
}

/// Removes what killed runs left in the directory of `target`.
fn sweep(io: &Blocking, target: Location<'_>) -> io::Result<()> {
    let directory = run_ready(io.directory(target))?;
    let readable = run_ready(io.open(Some(&directory), Path::new("."), OpenMode::Directory))?;
    for entry in Dir::read_from(&readable)? {
        let name = entry?;
        let name = OsStr::from_bytes(name.file_name().to_bytes());
        if haul_io::is_temporary(name) {
            // What can't be removed is somebody's work, or stays for the next run.
            let _ = haul_io::remove_if_left(readable.as_fd(), Path::new(name));
        }
    }
    Ok(())
}

fn has_suffix(name: &OsStr, suffix: &OsStr) -> bool {
    name.len() > suffix.len() && name.as_bytes().ends_with(suffix.as_bytes())
}

/// The name of an input, also where it is written as `.` or `dir/..`.
fn name_of(root: &Path) -> OsString {
    let canonical = || root.canonicalize().ok()?.file_name().map(OsStr::to_owned);
    root.file_name().map(OsStr::to_owned).or_else(canonical).unwrap_or_default()
}
