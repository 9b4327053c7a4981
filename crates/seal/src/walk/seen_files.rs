//! The files that a walk has seen. A job that writes into its sources would otherwise transform a file with several
//! names twice, perhaps from two threads at once.
//!
//! Owns: which files could be seen again, which files were seen.
//! Does not own: reporting the other names ([`crate::SkipReason::OtherName`]).

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use haul_io::Stat;

/// A device and an inode number.
type Id = (u64, u64);

/// The files that were seen. Memory: about 40 bytes for each file that could be seen again.
pub(super) struct SeenFiles {
    seen: HashSet<Id>,
    /// The inputs that are files; they may also lie in another input.
    inputs: HashSet<Id>,
    /// Whether a file with one name may be seen twice: links are followed, or one input may lie in another.
    any_may_recur: bool,
}

impl SeenFiles {
    pub(super) fn new(inputs: &[PathBuf], follows_links: bool) -> Self {
        let found = || inputs.iter().filter_map(|input| input.metadata().ok());
        let directories = found().filter(|metadata| metadata.is_dir()).count();
        let files = found().filter(|metadata| !metadata.is_dir());
        let input_files = files.map(|metadata| (metadata.dev(), metadata.ino())).collect();
        Self { seen: HashSet::new(), inputs: input_files, any_may_recur: follows_links || directories > 1 }
    }

    /// Records the file with `stat`. Returns whether it was recorded before.
    pub(super) fn was_seen(&mut self, stat: &Stat) -> bool {
        let id = (stat.device, stat.inode);
        let may_recur = self.any_may_recur || stat.links > 1 || self.inputs.contains(&id);
        may_recur && !self.seen.insert(id)
    }
}
