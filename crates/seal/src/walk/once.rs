//! Files that must not be met twice in one walk, whatever they are called: whoever writes into a file itself would do its work on
//! it twice, or from two threads at once.
//!
//! Owns: which files could be met again, which have been met.
//! Does not own: what is said of the other names ([`crate::SkipReason::OtherName`]).

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use haul_io::Stat;

/// A device, and a file's number there.
type Id = (u64, u64);

/// What was met. Memory: some 40 bytes for each file that could be met again.
pub(super) struct Once {
    met: HashSet<Id>,
    /// Files that are inputs, which may lie in another input too.
    named: HashSet<Id>,
    /// One name is enough for a file to be met twice: links are followed, or one input may lie in another.
    is_any_met_again: bool,
}

impl Once {
    pub(super) fn new(inputs: &[PathBuf], follows_links: bool) -> Self {
        let found = || inputs.iter().filter_map(|input| input.metadata().ok());
        let directories = found().filter(|metadata| metadata.is_dir()).count();
        let files = found().filter(|metadata| !metadata.is_dir());
        let named = files.map(|metadata| (metadata.dev(), metadata.ino())).collect();
        Self { met: HashSet::new(), named, is_any_met_again: follows_links || directories > 1 }
    }

    /// Meets the file that `stat` is of. True if it was met before.
    pub(super) fn is_met_again(&mut self, stat: &Stat) -> bool {
        let id = (stat.device, stat.inode);
        let may_come_again = self.is_any_met_again || stat.links > 1 || self.named.contains(&id);
        may_come_again && !self.met.insert(id)
    }
}
