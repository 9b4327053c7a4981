//! Finding what to seal or open, and naming the results.
//!
//! Owns: walking trees, the suffix, results beside their sources or mirrored into a directory, clearing away what killed
//! runs left there.
//! Does not own: what happens to a file.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::{Filter, SkipReason, Symlinks, Task};

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

/// The tasks for some inputs, found while the run goes on. Memory: one open directory for each level.
pub struct Walk {
    placement: Placement,
    filter: Filter,
    inputs: std::vec::IntoIter<PathBuf>,
    /// Whether each input gets a name of its own in the output directory.
    several: bool,
    /// The output directory, where it lies inside what is walked it is left out.
    output_identity: Option<PathBuf>,
    current: Option<Tree>,
    /// Whether what killed runs left is removed on the way.
    sweeps: bool,
    /// Where that was done last.
    swept: PathBuf,
}

struct Tree {
    root: PathBuf,
    entries: walkdir::IntoIter,
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
        let output_identity = output.and_then(|output| output.canonicalize().ok());
        let (current, sweeps, swept) = (None, false, PathBuf::new());
        let (filter, inputs) = (Filter::default(), inputs.into_iter());
        Ok(Self { placement, filter, inputs, several, output_identity, current, sweeps, swept })
    }

    /// Takes of trees what `filter` takes.
    pub fn filtered(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Removes, in each directory of sources or results, the temporary files of runs that were killed.
    pub fn sweeping(mut self) -> Self {
        self.sweeps = true;
        self
    }

    fn sweep(&mut self, directory: &Path) {
        if !self.sweeps || self.swept == directory {
            return;
        }
        directory.clone_into(&mut self.swept);
        // A directory that can't be read, or isn't there yet, has nothing that could be removed.
        for entry in std::fs::read_dir(readable(directory)).into_iter().flatten().flatten() {
            if haul_io::is_temporary(&entry.file_name()) {
                remove_if_left(&entry.path());
            }
        }
    }

    fn next_input(&mut self) -> Option<Task> {
        let input = self.inputs.next()?;
        match std::fs::metadata(&input) {
            Err(error) => Some(Task::Bad { source: input, error: Some(error.into()) }),
            Ok(metadata) if metadata.is_dir() => {
                let entries = WalkDir::new(&input)
                    .min_depth(1)
                    .follow_links(self.filter.symlinks == Symlinks::Follow)
                    .same_file_system(self.filter.one_file_system)
                    .into_iter();
                if let Some(output) = self.placement.output.clone() {
                    self.sweep(&if self.several { output.join(name_of(&input)) } else { output });
                }
                self.current = Some(Tree { root: input, entries });
                self.next()
            }
            Ok(_) => {
                let task = self.task_of_file(input);
                if let Task::File { target, .. } = &task {
                    self.sweep(target.parent().unwrap_or(Path::new("")));
                }
                Some(task)
            }
        }
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

    /// The task for an entry of a tree, if it is one.
    fn task_of_entry(&mut self, root: &Path, entry: DirEntry) -> Option<Task> {
        let kind = entry.file_type();
        if kind.is_dir() {
            if self.placement.output.is_some() {
                self.sweep(&self.mirrored(root, entry.path()));
            }
            return None;
        }
        if haul_io::is_temporary(entry.file_name()) {
            if self.sweeps {
                remove_if_left(entry.path());
            }
            return None;
        }
        let below = entry.path().strip_prefix(root).expect("entries lie below their root");
        if !self.filter.takes(below) {
            return None;
        }
        if kind.is_symlink() && self.filter.symlinks == Symlinks::Refuse {
            let error = io::Error::other("a symbolic link");
            return Some(Task::Bad { source: entry.into_path(), error: Some(error.into()) });
        }
        if !kind.is_file() {
            let reason = if kind.is_symlink() { SkipReason::Symlink } else { SkipReason::Special };
            return Some(Task::Skip { source: entry.into_path(), reason });
        }
        let sealed = has_suffix(entry.file_name(), &self.placement.suffix);
        let is_identity = entry.file_name() == TREE_IDENTITY_NAME;
        let left_out = match self.placement.direction {
            Direction::Seal => sealed || is_identity,
            Direction::Open => !sealed || is_identity,
            Direction::Replace => false,
        };
        if left_out {
            return None;
        }
        let source = entry.into_path();
        let renamed = self.renamed(&source)?;
        let target = self.mirrored(root, &renamed);
        Some(Task::file(source, target))
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

    /// Whether it is a directory that isn't entered.
    fn is_left_out(&self, root: &Path, entry: &DirEntry) -> bool {
        let below = entry.path().strip_prefix(root).expect("entries lie below their root");
        entry.file_type().is_dir() && !self.filter.enters(below)
    }

    fn is_output(&self, entry: &DirEntry) -> bool {
        match &self.output_identity {
            Some(output) if entry.file_type().is_dir() && Some(entry.file_name()) == output.file_name() => {
                entry.path().canonicalize().is_ok_and(|path| path == *output)
            }
            _ => false,
        }
    }
}

impl Iterator for Walk {
    type Item = Task;

    fn next(&mut self) -> Option<Task> {
        loop {
            let Some(mut tree) = self.current.take() else { return self.next_input() };
            let task = match tree.entries.next() {
                None => continue,
                Some(Ok(entry)) if self.is_output(&entry) || self.is_left_out(&tree.root, &entry) => {
                    tree.entries.skip_current_dir();
                    None
                }
                Some(Ok(entry)) => self.task_of_entry(&tree.root, entry),
                Some(Err(error)) => Some(bad(&tree.root, error)),
            };
            self.current = Some(tree);
            if task.is_some() {
                return task;
            }
        }
    }
}

fn bad(root: &Path, error: walkdir::Error) -> Task {
    let source = error.path().unwrap_or(root).to_owned();
    Task::Bad {
        source,
        error: Some(error.into_io_error().unwrap_or_else(|| io::Error::other("a loop")).into()),
    }
}

/// What can't be removed is somebody's work, or stays for the next run.
fn remove_if_left(path: &Path) {
    let _ = haul_io::remove_if_left(path);
}

/// The working directory has an empty name in front of a file's.
fn readable(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

fn has_suffix(name: &OsStr, suffix: &OsStr) -> bool {
    name.len() > suffix.len() && name.as_bytes().ends_with(suffix.as_bytes())
}

/// The name of an input, also where it is written as `.` or `dir/..`.
fn name_of(root: &Path) -> OsString {
    let canonical = || root.canonicalize().ok()?.file_name().map(OsStr::to_owned);
    root.file_name().map(OsStr::to_owned).or_else(canonical).unwrap_or_default()
}
