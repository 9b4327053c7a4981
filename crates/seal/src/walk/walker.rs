//! The tasks for a list of inputs.
//!
//! Owns: the order of inputs and trees, which entries become tasks.
//! Does not own: reading directories ([`super::tree`]), names of results ([`super::placement`]), filters
//! ([`super::filter`]).

use std::fs::Metadata;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use haul_age_format::Identity;
use haul_io::{Blocking, FileKind, Leftovers, Location, Stat};

use super::claims::{self, Claims};
use super::filter::{Filter, Symlinks};
use super::placement::{Direction, NameError, Naming, Placement, is_identity_name};
use super::secrets::Secrets;
use super::seen_files::SeenFiles;
use super::suffixed;
use super::sweep::Sweeper;
use super::tally::Tally;
use super::tree::{Directory, Entry, Item, Tree};
use super::visit::{MirroredDirectory, Visit};
use crate::hidden::HiddenNames;
use crate::stream::StreamOptions;
use crate::task::{FoundFile, SkipReason, Task};

/// The tasks for some inputs, found while the run works on them. Memory: one open directory for each level; in trees
/// deeper than 32 levels, also the remaining names of the upper directories.
pub struct Walk {
    pub(super) naming: Naming,
    filter: Filter,
    pub(super) inputs: std::vec::IntoIter<PathBuf>,
    current: Option<Tree>,
    /// Removes temporary files of killed runs; `None`: they stay.
    sweeper: Option<Sweeper>,
    leftovers: Leftovers,
    /// The files met so far; `None`: each name counts.
    seen: Option<SeenFiles>,
    /// Whether the tasks have results.
    has_results: bool,
    /// The files that hold secrets of the run.
    secrets: Secrets,
    /// The results so far; `None`: publishing refuses to replace a file.
    pub(super) claims: Option<Claims>,
    tally: Tally,
    /// The inputs that are directories, without links; empty if no file is replaced.
    pub(super) roots: Vec<PathBuf>,
}

impl Walk {
    /// Prepares a walk over `inputs`.
    ///
    /// # Errors
    /// If the placement doesn't fit the inputs.
    pub fn new(inputs: Vec<PathBuf>, placement: Placement) -> Result<Self, NameError> {
        let naming = Naming::new(placement, inputs.len())?;
        Ok(Self {
            naming,
            filter: Filter::default(),
            inputs: inputs.into_iter(),
            current: None,
            sweeper: None,
            leftovers: Leftovers::default(),
            seen: None,
            has_results: true,
            secrets: Secrets::default(),
            claims: None,
            tally: Tally::default(),
            roots: Vec::new(),
        })
    }

    /// Prepares tasks for a job that writes no results, so names of results don't matter.
    pub fn without_results(self) -> Self {
        Self { has_results: false, ..self }
    }

    /// Gives files back the names that were hidden, as the lists in the inputs and below them say that one of
    /// `identities` opens, with the plugins of `options` if no other fits. Reads the names in all directories.
    ///
    /// # Errors
    /// If an input or a list can't be read, or a plugin fails.
    pub fn restoring(mut self, identities: &[Identity], options: &StreamOptions) -> io::Result<Self> {
        let suffix = self.naming.suffix().to_owned();
        for root in self.inputs.as_slice().iter().filter(|input| input.is_dir()) {
            for (directory, names) in HiddenNames::below(root, &suffix, identities, options)? {
                self.naming.restore(directory, names);
            }
        }
        Ok(self)
    }

    /// Leaves out `files`, which hold secrets of the run, under any of their names. An input among them fails, unless
    /// it is to be opened.
    pub fn sparing(mut self, files: &[PathBuf]) -> Self {
        self.secrets.add(files);
        self
    }

    /// Sets which entries of trees are taken. Defaults to all.
    pub fn filtered(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Takes each file once, under the first of its names, and skips its other names. Jobs that write into their
    /// sources need this. Call it after [`filtered`](Self::filtered). Memory: about 40 bytes for each file with several
    /// names; for each file if links are followed or several inputs are directories.
    pub fn once(mut self) -> Self {
        let follows_links = self.filter.symlinks == Symlinks::Follow;
        self.seen = Some(SeenFiles::new(self.inputs.as_slice(), follows_links));
        self
    }

    /// Removes, through `io`, the temporary files of killed runs in each directory of sources or results.
    pub fn sweeping(self, io: Blocking) -> Self {
        Self { sweeper: Some(Sweeper::new(io)), ..self }
    }

    /// The counts of this walk.
    pub fn tally(&self) -> Tally {
        self.tally.clone()
    }

    /// Which entries of trees are taken.
    pub fn tree_filter(&self) -> &Filter {
        &self.filter
    }

    pub(super) fn output(&self) -> Option<&Path> {
        self.naming.output()
    }

    /// The directory that the walk is in.
    pub(super) fn current_directory(&self) -> Option<BorrowedFd<'_>> {
        self.current.as_ref()?.current()
    }

    fn sweep(&mut self, target: Location<'_>) {
        if let Some(sweeper) = &mut self.sweeper {
            sweeper.sweep(target);
        }
    }

    /// Begins the next input; `None` after the last.
    fn next_input(&mut self) -> Option<Option<Visit>> {
        let input = self.inputs.next()?;
        let is_directory = std::fs::metadata(&input).map(|metadata| metadata.is_dir());
        let tree = match is_directory {
            Ok(false) => return Some(Some(Visit::Task(self.task_of_input(input)))),
            // Without trailing slashes and dots.
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

    /// The task for an input that is a file.
    fn task_of_input(&mut self, source: PathBuf) -> Task {
        if self.was_seen(&source) {
            return Task::Skip { source, reason: SkipReason::OtherName };
        }
        let may_be_secret = self.naming.direction() == Direction::Open;
        let is_secret = |stat: rustix::fs::Stat| self.secrets.contains(&source, &stat.into());
        if !may_be_secret && rustix::fs::stat(&source).is_ok_and(is_secret) {
            return bad(source, "it holds a key or passphrase of this run");
        }
        let Some(target) = self.naming.target_of_file(&source) else {
            return Task::Bad { source, error: None };
        };
        if let Some(reason) = self.conflict(&source, &target, true) {
            return bad(source, reason);
        }
        self.sweep(Location::named(&target));
        Task::file(source, target)
    }

    /// Claims the result `target` of `source`. Returns why there can't be such a result.
    fn conflict(&mut self, source: &Path, target: &Path, is_input: bool) -> Option<&'static str> {
        if !self.has_results || self.naming.direction().keeps_names() {
            return None;
        }
        if self.naming.is_dots(source, is_input) {
            return Some("the result would have no name");
        }
        let name = target.file_name().unwrap_or_default();
        let suffix = self.naming.suffix();
        if let Some(reason) = claims::unfit(name, suffix) {
            return Some(reason);
        }
        let claims = self.claims.as_mut()?;
        let looks_sealed = name.as_encoded_bytes().ends_with(suffix.as_encoded_bytes());
        let is_free = match self.filter.symlinks {
            Symlinks::Follow => claims.claim(&claims::real_name(target)),
            // Beside its source, a result has a name of its own, unless names are given back.
            _ => !self.naming.may_share_names() || claims.claim(target),
        };
        if !is_free {
            return Some("another source has the same result");
        }
        let is_secret = |stat: rustix::fs::Stat| self.secrets.contains(target, &stat.into());
        if !self.secrets.is_empty() && rustix::fs::stat(target).is_ok_and(is_secret) {
            return Some("the result would replace a key or passphrase of this run");
        }
        let lies_in_source = |directory: PathBuf| self.roots.iter().any(|root| directory.starts_with(root));
        let is_source = self.naming.direction() == Direction::Open
            && looks_sealed
            && target.symlink_metadata().is_ok()
            && target.canonicalize().is_ok_and(lies_in_source);
        is_source.then_some("the result would replace another source")
    }

    fn was_seen(&mut self, input: &Path) -> bool {
        let Some(seen) = &mut self.seen else { return false };
        rustix::fs::stat(input).is_ok_and(|stat| seen.was_seen(&stat.into()))
    }

    /// Returns the next visit; `None` at the end.
    pub(super) fn step(&mut self) -> Option<Visit> {
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
                if matches!(visit, Some(Visit::Task(_))) {
                    self.tally.take();
                }
                return visit;
            }
        }
    }

    fn visit(&mut self, tree: &Tree, item: Item) -> Option<Visit> {
        match item {
            Item::Entered(directory) => self.entered(tree, directory),
            Item::Left(path) => {
                self.naming.output().map(|_| Visit::Left(self.naming.mirrored(tree.root(), &path)))
            }
            Item::Other(entry) => self.task_of_entry(tree, entry).map(Visit::Task),
            // One that isn't taken may go: where renaming isn't atomic, a result is gone while it is replaced.
            Item::Bad(source, error)
                if error.kind() == io::ErrorKind::NotFound
                    && source.file_name().is_some_and(|name| self.naming.leaves_out(name)) =>
            {
                self.tally.leave_out();
                None
            }
            Item::Bad(source, error) => Some(Visit::Task(Task::Bad { source, error: Some(error.into()) })),
        }
    }

    fn entered(&mut self, tree: &Tree, directory: Directory) -> Option<Visit> {
        let root_bytes = self.naming.output()?.as_os_str().len();
        let target = self.naming.mirrored(tree.root(), &directory.path);
        self.sweep(Location::beneath(&target.join("x"), root_bytes));
        let Directory { path: source, stat } = directory;
        Some(Visit::Entered(MirroredDirectory { source, target, root_bytes, stat }))
    }

    /// The task for an entry of a tree; `None` if the entry is left out.
    fn task_of_entry(&mut self, tree: &Tree, entry: Entry) -> Option<Task> {
        let name = entry.path.file_name().expect("entries have names");
        if let Some(directory) = tree.current()
            && self.leftovers.contains(directory, name, &entry.stat)
        {
            if self.sweeper.is_some() {
                haul_io::remove_leftover(directory, name);
            }
            return None;
        }
        let below = entry.path.strip_prefix(tree.root()).expect("entries lie below their root");
        if self.tally.exclude(!self.filter.takes(below)) {
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
        if self.secrets.contains(&entry.path, &entry.stat) {
            return Some(Task::Skip { source: entry.path, reason: SkipReason::Secret });
        }
        if self.naming.is_list_of_names(&entry.path) {
            return None;
        }
        if self.naming.leaves_out(name) {
            let is_followed = entry.is_followed_link;
            let is_as_named = || {
                is_identity_name(name)
                    // First: a source is removed only once its result is an age file.
                    || self.is_result(tree, &entry.path, below)
                    || suffixed::starts_like_age_file(tree, name, is_followed)
            };
            if self.naming.direction() == Direction::Seal && !is_as_named() {
                return Some(Task::Skip { source: entry.path, reason: SkipReason::Suffixed });
            }
            self.tally.leave_out();
            return None;
        }
        if self.seen.as_mut().is_some_and(|seen| seen.was_seen(&entry.stat)) {
            return Some(Task::Skip { source: entry.path, reason: SkipReason::OtherName });
        }
        let target = self.naming.target_in_tree(tree.root(), &entry.path)?;
        if let Some(reason) = self.conflict(&entry.path, &target, false) {
            return Some(bad(entry.path, reason));
        }
        let Entry { path: source, stat, root_bytes, is_followed_link } = entry;
        let output_bytes = self.naming.output().map(|output| output.as_os_str().len());
        let found = FoundFile {
            source_root_bytes: root_bytes,
            target_root_bytes: output_bytes.unwrap_or(root_bytes),
            is_link: is_followed_link,
            is_named: false,
            stat,
        };
        Some(Task::File { source, target, found: Some(found), plugin_key: None })
    }

    /// Whether `path` is the name of the result of a file beside it that this walk takes. That file's task reports what
    /// becomes of it.
    fn is_result(&self, tree: &Tree, path: &Path, below: &Path) -> bool {
        self.naming.source_beside(path).is_some_and(|source| {
            let follow = self.filter.symlinks == Symlinks::Follow;
            self.filter.takes(&below.with_file_name(source)) && suffixed::is_file(tree, source, follow)
        })
    }

    /// Whether `directory` in the tree at `root` is walked. The output is not, if it lies in the tree.
    fn enters(&self, root: &Path, directory: &Directory) -> bool {
        let below = directory.path.strip_prefix(root).expect("entries lie below their root");
        !self.tally.exclude(!self.filter.enters(below)) && !self.is_output(&directory.stat, &directory.path)
    }

    /// Whether `path` is the output, which may have been created after the walk began.
    fn is_output(&self, stat: &Stat, path: &Path) -> bool {
        let Some(output) = self.naming.output() else { return false };
        let is_same = |output: Metadata| (output.dev(), output.ino()) == (stat.device, stat.inode);
        // Only a link can give the output another name; comparing names first saves a system call for each directory.
        (path.file_name() == output.file_name()
            || self.filter.symlinks == Symlinks::Follow
            || output.is_symlink())
            && output.metadata().is_ok_and(is_same)
    }
}

/// A task that fails for `reason`.
fn bad(source: PathBuf, reason: &'static str) -> Task {
    Task::Bad { source, error: Some(io::Error::other(reason).into()) }
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
