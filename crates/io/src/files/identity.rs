//! The identity of a staged file that has a name, by which another process or a later step recognises it.
//!
//! Another user who may write in the directory can put any file under a temporary name. So what the name leads to is
//! compared with the file that was created.
//!
//! Owns: taking the identity of a new file, comparing it.
//! Does not own: when it is compared ([`super::staged`]).

use std::io;

use crate::{FileKind, Stat};

/// Device, inode and number of links of a staged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StagedIdentity {
    device: u64,
    inode: u64,
    links: u64,
    /// The file system shows other inode numbers from one look to the next.
    is_unsteady: bool,
}

impl From<&Stat> for StagedIdentity {
    fn from(stat: &Stat) -> Self {
        Self { device: stat.device, inode: stat.inode, links: stat.links, is_unsteady: false }
    }
}

impl StagedIdentity {
    /// This identity on a file system whose inode numbers identify nothing.
    pub(super) fn unsteady(self) -> Self {
        Self { is_unsteady: true, ..self }
    }

    /// Whether `found` belongs to the regular file that was staged, and has no other name.
    pub(super) fn is_of(self, found: &Stat) -> bool {
        self.may_be(found) && self.inode == found.inode
    }

    /// As [`is_of`](Self::is_of), whatever the number of names: some file systems count the name that a rename has
    /// replaced until the file is closed.
    pub(super) fn is_of_renamed(self, found: &Stat) -> bool {
        found.kind == FileKind::Regular && (self.device, self.inode) == (found.device, found.inode)
    }

    /// Whether `found` may belong to that file although its inode number differs.
    pub(super) fn may_be_of(self, found: &Stat) -> bool {
        self.is_unsteady && self.may_be(found)
    }

    fn may_be(self, found: &Stat) -> bool {
        found.kind == FileKind::Regular && (self.device, self.links) == (found.device, found.links)
    }

    /// The error that a name leads to another file.
    pub(super) fn exchanged() -> io::Error {
        io::Error::other("another file was put in the place of the temporary file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_file_with_one_name_passes() {
        let staged = Stat {
            kind: FileKind::Regular,
            bytes: 0,
            mode: 0o600,
            modified: (1, 0),
            changed: (1, 0),
            device: 1,
            inode: 2,
            links: 1,
            owner: 0,
            group: 0,
        };
        let identity = StagedIdentity::from(&staged);
        assert!(identity.is_of(&Stat { bytes: 9, mode: 0o644, changed: (2, 0), ..staged }));
        let others = [
            Stat { device: 2, ..staged },
            Stat { inode: 3, ..staged },
            Stat { links: 2, ..staged },
            Stat { kind: FileKind::Special, ..staged },
        ];
        for other in others {
            assert!(!identity.is_of(&other) && !identity.may_be_of(&other));
        }
        let unsteady = identity.unsteady();
        let is_accepted = others.map(|other| unsteady.may_be_of(&other));
        assert_eq!(is_accepted, [false, true, false, false], "only the inode number may differ");
    }
}
