//! What survives: syncs, syncs that fail, power cuts.
//!
//! Owns: which names and contents of the simulated file system its disk has.
//! Does not own: the blocks of a file ([`super::content`]).

use std::path::Path;

use super::files::{Files, Node};
use super::random::Random;

impl Files {
    /// Makes the names as they are now survive a power cut.
    pub(super) fn sync_names(&mut self) {
        self.synced_names = self.names.clone();
    }

    /// A possible state after a power cut at this moment.
    pub(super) fn after_power_cut(&self, random: &mut Random) -> Files {
        let mut left = self.clone();
        left.names = self.synced_names.clone();
        for path in self.names.keys().chain(self.synced_names.keys()) {
            if self.names.get(path) != self.synced_names.get(path) && random.below(2) == 0 {
                match self.names.get(path) {
                    Some(node) => left.names.insert(path.clone(), *node),
                    None => left.names.remove(path),
                };
            }
        }
        for node in left.nodes.values_mut() {
            if let Node::Regular(regular) = node {
                regular.content = regular.content.after_power_cut(random);
            }
        }
        left.synced_names = left.names.clone();
        left
    }

    /// Stores the content of a file, or the names in a directory.
    pub(super) fn sync(&mut self, node: u64) {
        match self.nodes.get_mut(&node).expect("nodes are never removed") {
            Node::Regular(regular) => regular.content.sync(),
            Node::Symlink(_) => {}
            Node::Directory(directory) => {
                let inside = |path: &Path| path.parent() == Some(directory.as_path());
                self.synced_names.retain(|path, _| !inside(path));
                let now = self.names.iter().filter(|(path, _)| inside(path));
                self.synced_names.extend(now.map(|(path, node)| (path.clone(), *node)));
            }
        }
    }

    /// What a sync leaves behind that fails.
    pub(super) fn fail_sync(&mut self, node: u64, random: &mut Random) {
        if let Some(Node::Regular(regular)) = self.nodes.get_mut(&node) {
            regular.content.fail_sync(random);
        }
    }
}
