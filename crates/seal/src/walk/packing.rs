//! The tasks of a walk whose files are packed.
//!
//! Owns: the names of members, which directories become members.
//! Does not own: finding files ([`super::walker`]), packing ([`crate::jobs`]).

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use haul_pack::{Entry, Packer};

use super::visit::{MirroredDirectory, Visit};
use super::walker::Walk;
use crate::jobs::{PackTask, kept};
use crate::task::{FileOptions, Task};

/// The bits of a directory that are kept: permissions and sticky.
const MODE_BITS: u32 = 0o1777;

/// The tasks of a walk, with the names of their members: those that the results would have in the output, without the
/// suffix.
pub struct PackWalk {
    walk: Walk,
    packer: Packer,
    options: FileOptions,
    /// The directories that the walk is in and that are no members yet, the outermost first.
    above: Vec<(PathBuf, Option<Entry>)>,
}

impl Walk {
    /// Packs files with `packer` instead of giving each a result. Directories become members too, empty ones included
    /// if no pattern chooses files. The placement must have an output.
    pub fn packing(self, packer: Packer, options: &FileOptions) -> PackWalk {
        PackWalk { walk: self, packer, options: *options, above: Vec::new() }
    }
}

impl PackWalk {
    /// The name in the shard of what would be `target`.
    fn name(&self, target: &Path) -> Vec<u8> {
        let output = self.walk.output().unwrap_or(Path::new(""));
        target.strip_prefix(output).unwrap_or(target).as_os_str().as_bytes().to_vec()
    }

    fn entered(&mut self, mirrored: &MirroredDirectory) {
        let mut name = self.name(&mirrored.target);
        // The directory itself that shards are unpacked into.
        let entry = (!name.is_empty()).then(|| {
            name.push(b'/');
            let entry = self.packer.entry(&name, 0, None);
            // Users that may read its files may enter it.
            let mode = entry.mode | (entry.mode & 0o444) >> 2;
            if self.options.preserve {
                Entry { mode: mirrored.stat.mode & MODE_BITS, ..kept(entry, &mirrored.stat) }
            } else {
                Entry { mode, ..entry }
            }
        });
        self.above.push((mirrored.target.clone(), entry));
        if self.walk.tree_filter().takes_empty() {
            self.add_directories();
        }
    }

    fn add_directories(&mut self) {
        for (_, entry) in &mut self.above {
            if let Some(entry) = entry.take() {
                self.packer.add_directory(entry);
            }
        }
    }

    fn packed(&mut self, task: Task) -> PackTask {
        let Task::File { target, .. } = &task else { return PackTask::new(task, Vec::new()) };
        let mut name = self.name(target);
        name.truncate(name.len().saturating_sub(self.walk.naming.suffix().len()));
        self.add_directories();
        PackTask::new(task, name)
    }
}

impl Iterator for PackWalk {
    type Item = PackTask;

    fn next(&mut self) -> Option<PackTask> {
        loop {
            match self.walk.step()? {
                Visit::Entered(mirrored) => self.entered(&mirrored),
                Visit::Left(target) => self.above.retain(|(path, _)| *path != target),
                Visit::Task(task) => return Some(self.packed(task)),
            }
        }
    }
}
