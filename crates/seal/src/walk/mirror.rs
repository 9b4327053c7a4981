//! Directories of a mirror: made as the walk comes by, completed when everything below them is done.
//!
//! A directory's time can be set when nothing is made in it any more, and that is known by the ends of its tasks: workers end
//! long after the walk has left. So each directory counts its tasks and directories that haven't ended. What is remembered is
//! bounded: a directory is forgotten as soon as it is complete, and those that aren't are on the walk's way, or have a task that
//! was given to the engine, which has few at a time.
//!
//! Owns: making directories, when they are complete, their mode, time and extended attributes.
//! Does not own: files in them, finding them.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use haul_engine::{Next, Source};
use haul_io::{Attributes, Blocking, Directory, File, Io, Location, Op, OpenMode, run_ready};

use super::tree::Tree;
use super::{Mirrored, Visit, Walk};
use crate::task::texts;
use crate::{FileOptions, Task};

/// The tasks of a walk, and on the way the directories that mirror what is walked. Needs to be told of the ends of its tasks, as
/// engines do.
pub struct Mirror {
    walk: Walk,
    io: Blocking,
    /// Mode and time are kept.
    preserves: bool,
    /// Extended attributes are kept.
    keeps_attributes: bool,
    /// By their names in the mirror, those that aren't complete.
    directories: HashMap<PathBuf, Open>,
    /// What couldn't be done for a directory, to be reported.
    told: VecDeque<Task>,
}

struct Open {
    mirrored: Mirrored,
    attributes: Attributes,
    /// Whether it was made, or was there.
    is_there: bool,
    /// Whether it was there before as the output, and keeps what it is.
    is_users: bool,
    /// Tasks and directories in it that haven't ended.
    pending: usize,
    /// The walk has left it.
    left: bool,
}

impl Mirror {
    pub(super) fn new(walk: Walk, io: Blocking, options: &FileOptions) -> Self {
        let (preserves, keeps_attributes) = (options.preserve, options.xattrs);
        Self { walk, io, preserves, keeps_attributes, directories: HashMap::new(), told: VecDeque::new() }
    }

    fn entered(&mut self, mirrored: Mirrored) {
        let target = mirrored.target.clone();
        // Two inputs may have one name.
        if let Some(open) = self.directories.get_mut(&target) {
            open.left = false;
            return;
        }
        if let Some(above) = target.parent().and_then(|above| self.directories.get_mut(above)) {
            above.pending += 1;
        }
        let is_output = self.walk.placement.output.as_ref() == Some(&target);
        let is_users = is_output && target.symlink_metadata().is_ok();
        let attributes = match self.attributes() {
            Ok(attributes) if !is_users => attributes,
            Ok(_) => Attributes::default(),
            Err(error) => {
                self.fail(mirrored.source.clone(), &error);
                Attributes::default()
            }
        };
        let open = Open { mirrored, attributes, is_there: is_users, is_users, pending: 0, left: false };
        self.directories.insert(target, open);
    }

    /// Of the directory that the walk has just entered, if they are kept.
    fn attributes(&self) -> io::Result<Attributes> {
        match self.walk.current.as_ref().and_then(Tree::current) {
            Some(directory) if self.keeps_attributes => {
                run_ready(self.io.attributes(&directory.try_clone_to_owned()?.into()))
            }
            _ => Ok(Attributes::default()),
        }
    }

    fn fail(&mut self, source: PathBuf, error: &io::Error) {
        let error = io::Error::other(format!("the directory that mirrors it: {}", haul_io::reason(error)));
        self.told.push_back(Task::Bad { source, error: Some(error.into()) });
    }

    fn left(&mut self, target: &Path) {
        if let Some(open) = self.directories.get_mut(target) {
            open.left = true;
        }
        self.settle(target);
    }

    /// Sees to the directory of a task that is about to be given.
    fn begun(&mut self, target: &Path) {
        let Some(directory) = target.parent() else { return };
        if let Some(open) = self.directories.get_mut(directory) {
            open.pending += 1;
            // If it can't be made, the task finds that out too, and says so.
            let _ = self.make(directory);
        }
    }

    /// Makes the mirror of a directory, and those above it. Until it is complete its owner may do anything there, and others what
    /// they may in the source.
    fn make(&mut self, target: &Path) -> io::Result<()> {
        let Some(open) = self.directories.get(target).filter(|open| !open.is_there) else { return Ok(()) };
        let mode = if self.preserves { open.mirrored.stat.mode & 0o777 | 0o700 } else { 0o777 };
        let root_bytes = open.mirrored.root_bytes;
        target.parent().map_or(Ok(()), |above| self.make(above))?;
        let location = Location::beneath(target, root_bytes);
        let above = run_ready(self.io.make_directory(location))?;
        match run_ready(self.io.make_one_directory(Some(&above), location.name(), mode)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if let Some(open) = self.directories.get_mut(target) {
            open.is_there = true;
        }
        Ok(())
    }

    /// Something in the directory `target` has ended.
    fn one_ended(&mut self, target: &Path) {
        if let Some(open) = self.directories.get_mut(target) {
            open.pending -= 1;
            self.settle(target);
        }
    }

    /// Completes the directory `target` if nothing more will be made in it.
    fn settle(&mut self, target: &Path) {
        let is_over = |open: &Open| open.left && open.pending == 0;
        if !self.directories.get(target).is_some_and(is_over) {
            return;
        }
        let completed = self.complete(target);
        let source = self.directories.remove(target).expect("looked at above").mirrored.source;
        match completed {
            Ok(lost) if lost.is_empty() => {}
            Ok(lost) => self.told.push_back(Task::Mirrored { source, lost_attributes: texts(&lost) }),
            Err(error) => self.fail(source, &error),
        }
        if let Some(above) = target.parent() {
            self.one_ended(above);
        }
    }

    /// The names of attributes that the mirror lacks.
    fn complete(&mut self, target: &Path) -> io::Result<Vec<OsString>> {
        if self.walk.filter.takes_empty() {
            self.make(target)?;
        }
        let Open { mirrored, attributes, is_there, is_users, .. } = &self.directories[target];
        if !(self.preserves || self.keeps_attributes) || !is_there || *is_users {
            return Ok(Vec::new());
        }
        let location = Location::beneath(target, mirrored.root_bytes);
        let file = run_ready(open_itself(&self.io, location))?;
        // In front of the mode, which may forbid it.
        let lost = run_ready(self.io.set_attributes(&file, attributes));
        if self.preserves {
            let (mode, modified) = (mirrored.stat.mode & 0o777, mirrored.stat.modified);
            run_ready(self.io.done(Op::SetMode { file: file.clone(), mode }))?;
            run_ready(self.io.done(Op::SetModified { file, modified }))?;
        }
        Ok(lost)
    }
}

/// Opens the directory that is at `location`, no link to one.
async fn open_itself(io: &impl Io, location: Location<'_>) -> io::Result<File> {
    let above = io.directory(location).await?;
    let anchor = io.open(Some(&above), location.name(), OpenMode::Anchor { follow: false }).await?;
    let itself = Directory::new(anchor, location.path(), location.root_bytes());
    io.open(Some(&itself), Path::new("."), OpenMode::Directory).await
}

impl Source<Task> for Mirror {
    fn next(&mut self) -> Next<Task> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Next::Task(told);
            }
            match self.walk.step() {
                Some(Visit::Entered(mirrored)) => self.entered(mirrored),
                Some(Visit::Left(target)) => self.left(&target),
                Some(Visit::Task(task)) => {
                    if let Task::File { target, .. } = &task {
                        self.begun(target);
                    }
                    return Next::Task(task);
                }
                None if self.directories.is_empty() => return Next::End,
                None => return Next::Later,
            }
        }
    }

    fn ended(&mut self, task: &Task) {
        if let Task::File { target, .. } | Task::Refused { target, .. } = task
            && let Some(directory) = target.parent()
        {
            self.one_ended(directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Direction, Placement};

    #[test]
    fn few_directories_are_remembered_and_the_end_waits_for_the_last() {
        let dir = tempfile::tempdir().unwrap();
        for index in 0..200 {
            let place = dir.path().join(format!("tree/{}/{index}", index % 7));
            std::fs::create_dir_all(place.join("empty")).unwrap();
            std::fs::write(place.join("file"), "x").unwrap();
        }
        let output = dir.path().join("out");
        let placement =
            Placement { direction: Direction::Seal, suffix: ".age".into(), output: Some(output.clone()) };
        let io = || Blocking::new(haul_io::Cancel::new().unwrap());
        let walk = Walk::new(vec![dir.path().join("tree")], placement).unwrap();
        let mut mirror = walk.mirroring(io(), &FileOptions::default());
        let (mut under_way, mut remembered_max, mut count) = (VecDeque::new(), 0, 0);
        loop {
            let next = mirror.next();
            remembered_max = remembered_max.max(mirror.directories.len());
            let is_waiting = matches!(next, Next::Later);
            match next {
                Next::Task(task) => under_way.push_back(task),
                Next::Later => {}
                Next::End => break,
                Next::Again(_) => unreachable!("nothing came back"),
            }
            if under_way.len() > 5 || is_waiting {
                count += 1;
                let task: Task = under_way.pop_front().expect("something is under way until the end");
                mirror.ended(&task);
            }
        }
        assert_eq!((count, under_way.len()), (200, 0));
        // The output, the directory below it, and for each task its own and the one above; and the empty one in it.
        assert!(remembered_max <= 3 + 6 * 2, "{remembered_max}");
    }
}
