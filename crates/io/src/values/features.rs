//! What a directory is known to do with the files in it. Found out once for each open directory, not for each file.
//!
//! Owns: remembering it for as long as the directory is open.
//! Does not own: finding it out ([`crate::Op::Features`], [`crate::Staged`]).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Properties of a directory that decide how files are made in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// New files inherit an access control list.
    pub inherits_list: bool,
    /// Closing a file may report that its content wasn't stored: NFS, FUSE, quotas on servers.
    pub reports_at_close: bool,
    /// The inode number of a file is known to stay the same as long as the file exists.
    pub steady_inodes: bool,
}

/// What is known about an open directory. Clones of the directory share it.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    features: OnceLock<Features>,
    stores_links: OnceLock<bool>,
    keeps_metadata: AtomicBool,
    lacks_links: AtomicBool,
}

impl Learned {
    pub(crate) fn features(&self) -> Option<Features> {
        self.features.get().copied()
    }

    /// Remembers the features. Another worker may have done so meanwhile.
    pub(crate) fn learn_features(&self, features: Features) -> Features {
        *self.features.get_or_init(|| features)
    }

    pub(crate) fn stores_links(&self) -> Option<bool> {
        self.stores_links.get().copied()
    }

    /// Remembers whether syncing the directory stores the link counts of its files.
    pub(crate) fn learn_stores_links(&self, stores: bool) -> bool {
        *self.stores_links.get_or_init(|| stores)
    }

    /// Whether a file in the directory was seen to have the metadata that it was given.
    pub(crate) fn keeps_metadata(&self) -> bool {
        self.keeps_metadata.load(Ordering::Relaxed)
    }

    pub(crate) fn learn_keeps_metadata(&self) {
        self.keeps_metadata.store(true, Ordering::Relaxed);
    }

    /// Whether a file without a name couldn't be given one.
    pub(crate) fn lacks_links(&self) -> bool {
        self.lacks_links.load(Ordering::Relaxed)
    }

    pub(crate) fn learn_lacks_links(&self) {
        self.lacks_links.store(true, Ordering::Relaxed);
    }
}
