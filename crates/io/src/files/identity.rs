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
}

impl From<&Stat> for StagedIdentity {
    fn from(stat: &Stat) -> Self {
        Self { device: stat.device, inode: stat.inode, links: stat.links }
    }
}

impl StagedIdentity {
    /// Fails unless `found` belongs to the regular file that was staged, and has no other name.
    pub(super) fn check(self, found: &Stat) -> io::Result<()> {
        if found.kind == FileKind::Regular && Self::from(found) == self {
            return Ok(());
        }
        Err(io::Error::other("another file was put in the place of the temporary file"))
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
        };
        let identity = StagedIdentity::from(&staged);
        identity.check(&Stat { bytes: 9, mode: 0o644, changed: (2, 0), ..staged }).unwrap();
        let others = [
            Stat { device: 2, ..staged },
            Stat { inode: 3, ..staged },
            Stat { links: 2, ..staged },
            Stat { kind: FileKind::Special, ..staged },
        ];
        for other in others {
            identity.check(&other).unwrap_err();
        }
    }
}
