//! The directories of a mirror: created during the walk, completed after everything below them.
//!
//! The modification time of a directory can be set only when nothing more is created in it. Workers finish long after
//! the walk has left a directory, so each directory counts its tasks and subdirectories that haven't ended. Memory is
//! bounded: a directory is forgotten when it is complete, and an incomplete one is on the walk's path or has a task in
//! flight.
//!
//! Owns: creating directories, when they are complete, their mode, time and extended attributes.
//! Does not own: the files in them, finding them ([`super::walker`]).

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use haul_engine::{Next, Source};
use haul_io::{
    Access, Blocking, Directory, File, Io, Location, OpenMode, Preserve, Published, Shortfalls, Stat,
    access_list, run_ready, set_metadata,
};

use super::visit::{MirroredDirectory, Visit};
use super::walker::Walk;
use crate::task::{FileOptions, Task, texts};

/// The bits of a directory that are kept: permissions, sticky and set-group-ID.
const MODE_BITS: u32 = 0o3777;

/// The tasks of a walk that also creates the directories of a mirror. It must learn of the end of each task, as engines
/// ensure.
pub struct Mirror {
    walk: Walk,
    io: Blocking,
    options: FileOptions,
    /// What was reported of the mirror's file system.
    shortfalls: Shortfalls,
    /// The incomplete directories by their names in the mirror.
    directories: HashMap<PathBuf, Incomplete>,
    /// Tasks that report problems with directories.
    reports: VecDeque<Task>,
}

/// A directory that is not complete.
struct Incomplete {
    mirrored: MirroredDirectory,
    /// What is kept of the directory.
    preserve: Preserve,
    /// Whether the mirror exists.
    exists: bool,
    /// Whether it is the output and existed before the run. It then keeps its own metadata.
    is_users: bool,
    /// The number of tasks and directories in it that haven't ended.
    pending: usize,
    /// Whether the walk has left it.
    left: bool,
}

impl Walk {
    /// Also mirrors directories through `io`, including empty ones. `options` say what to keep of them. An
    /// output that existed before the run keeps its own.
    pub fn mirroring(self, io: Blocking, options: &FileOptions) -> Mirror {
        Mirror {
            walk: self,
            io,
            options: *options,
            shortfalls: Shortfalls::default(),
            directories: HashMap::new(),
            reports: VecDeque::new(),
        }
    }
}

impl Mirror {
    fn entered(&mut self, mirrored: MirroredDirectory) {
        let target = mirrored.target.clone();
        // Two inputs may have the same name.
        if let Some(open) = self.directories.get_mut(&target) {
            open.left = false;
            return;
        }
        if let Some(above) = target.parent().and_then(|above| self.directories.get_mut(above)) {
            above.pending += 1;
        }
        let is_output = self.walk.output() == Some(&target);
        let is_users = is_output && target.symlink_metadata().is_ok();
        let preserve = match self.preserve(&mirrored.stat) {
            Ok(preserve) if !is_users => preserve,
            Ok(_) => Preserve::default(),
            Err(error) => {
                self.fail(mirrored.source.clone(), &target, &error);
                Preserve::default()
            }
        };
        let open = Incomplete { mirrored, preserve, exists: is_users, is_users, pending: 0, left: false };
        self.directories.insert(target, open);
    }

    /// What is kept of the directory with `stat`, which the walk has just entered.
    fn preserve(&self, stat: &Stat) -> io::Result<Preserve> {
        let mut preserve = Preserve::default();
        let Some(directory) = self.walk.current_directory() else { return Ok(preserve) };
        let directory = File::from(directory.try_clone_to_owned()?);
        if self.options.xattrs {
            preserve.attributes = run_ready(self.io.attributes(&directory))?;
        }
        if self.options.preserve {
            let list = run_ready(access_list(&self.io, &directory))?;
            preserve.access = Some(Access { owner: stat.owner, group: stat.group, list });
            preserve.mode = Some(stat.mode & MODE_BITS & !self.options.umask);
            preserve.modified = Some(stat.modified);
        }
        Ok(preserve)
    }

    fn fail(&mut self, source: PathBuf, target: &Path, error: &io::Error) {
        let reason = haul_io::reason(error);
        let error = io::Error::other(format!("the directory that mirrors it, {target:?}: {reason}"));
        self.reports.push_back(Task::Bad { source, error: Some(error.into()) });
    }

    fn left(&mut self, target: &Path) {
        if let Some(open) = self.directories.get_mut(target) {
            open.left = true;
        }
        self.settle(target);
    }

    /// Creates the directory for a task that is about to be returned.
    fn begun(&mut self, target: &Path) {
        let Some(directory) = target.parent() else { return };
        if let Some(open) = self.directories.get_mut(directory) {
            open.pending += 1;
            // If this fails, the task fails for the same reason and reports it.
            let _ = self.create(directory);
        }
    }

    /// Creates the mirror of a directory and those above it. Until it is complete, its owner has all permissions, and
    /// others have those of the source.
    fn create(&mut self, target: &Path) -> io::Result<()> {
        let Some(open) = self.directories.get(target).filter(|open| !open.exists) else { return Ok(()) };
        let mode = open.preserve.mode.map_or(0o777, |mode| mode & 0o777 | 0o700);
        let root_bytes = open.mirrored.root_bytes;
        target.parent().map_or(Ok(()), |above| self.create(above))?;
        let location = Location::beneath(target, root_bytes);
        let above = run_ready(self.io.make_directory(location))?;
        match run_ready(self.io.make_one_directory(Some(&above), location.name(), mode)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if let Some(open) = self.directories.get_mut(target) {
            open.exists = true;
        }
        Ok(())
    }

    /// Records the end of a task or directory in the directory `target`.
    fn one_ended(&mut self, target: &Path) {
        if let Some(open) = self.directories.get_mut(target) {
            open.pending -= 1;
            self.settle(target);
        }
    }

    /// Completes the directory `target` if nothing more will be created in it.
    fn settle(&mut self, target: &Path) {
        let is_over = |open: &Incomplete| open.left && open.pending == 0;
        if !self.directories.get(target).is_some_and(is_over) {
            return;
        }
        let completed = self.complete(target);
        let source = self.directories.remove(target).expect("checked above").mirrored.source;
        match completed {
            Ok(Published { lost_attributes, shortfalls }) => {
                let shortfalls = self.shortfalls.merge(shortfalls);
                if !(lost_attributes.is_empty() && shortfalls.is_empty()) {
                    let lost_attributes = texts(&lost_attributes);
                    self.reports.push_back(Task::Mirrored { source, lost_attributes, shortfalls });
                }
            }
            Err(error) => self.fail(source, target, &error),
        }
        if let Some(above) = target.parent() {
            self.one_ended(above);
        }
    }

    /// Sets the metadata of a mirror.
    fn complete(&mut self, target: &Path) -> io::Result<Published> {
        if self.walk.tree_filter().takes_empty() {
            self.create(target)?;
        }
        let Incomplete { mirrored, preserve, exists, is_users, .. } = &self.directories[target];
        if *preserve == Preserve::default() || !exists || *is_users {
            return Ok(Published::default());
        }
        let location = Location::beneath(target, mirrored.root_bytes);
        let above = run_ready(self.io.directory(location))?;
        let file = run_ready(open_itself(&self.io, &above, location))?;
        run_ready(set_metadata(&self.io, &file, Some(&above), preserve))
    }
}

/// Opens the directory at `location` without following a link.
async fn open_itself(io: &impl Io, above: &Directory, location: Location<'_>) -> io::Result<File> {
    let anchor = io.open(Some(above), location.name(), OpenMode::Anchor { follow: false }).await?;
    let itself = Directory::new(anchor, location.path(), location.root_bytes());
    io.open(Some(&itself), Path::new("."), OpenMode::Directory).await
}

impl Source<Task> for Mirror {
    fn next(&mut self) -> Next<Task> {
        loop {
            if let Some(report) = self.reports.pop_front() {
                return Next::Task(report);
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

    /// Only the ends of tasks complete directories.
    fn ask_again_in(&mut self) -> Duration {
        Duration::MAX
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
    use crate::walk::placement::{Direction, Placement};

    #[test]
    fn few_directories_are_remembered_and_the_end_waits_for_the_last() {
        let dir = tempfile::tempdir().unwrap();
        for index in 0..200 {
            let directory = dir.path().join(format!("tree/{}/{index}", index % 7));
            std::fs::create_dir_all(directory.join("empty")).unwrap();
            std::fs::write(directory.join("file"), "x").unwrap();
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
        // The output and the directory below it, an empty directory, and two directories for each task.
        assert!(remembered_max <= 3 + 6 * 2, "{remembered_max}");
    }
}
