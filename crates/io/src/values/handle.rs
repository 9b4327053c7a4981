//! Handles to open files and sockets, and the metadata of a file.
//!
//! Owns: the descriptor and its closing, what was learned about it.
//! Does not own: operations on it.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// An open file or directory. Clones share the descriptor, which closes with the last clone. An operation in flight
/// holds a clone, so its descriptor can't be closed and reused meanwhile.
#[derive(Clone, Debug)]
pub struct File(pub(crate) Arc<Descriptor>);

/// A connected stream socket. Clones share the descriptor, as with [`File`].
#[derive(Clone, Debug)]
pub struct Socket(pub(crate) Arc<Descriptor>);

#[derive(Debug)]
pub(crate) enum Descriptor {
    Os(OwnedFd, Transfers),
    /// The number of a node or connection in a simulation.
    Simulated(u64),
}

/// How bytes get into and out of an open file.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    /// Whether this process has made the file.
    is_new: bool,
    /// Whether its file system has refused a write without waiting.
    is_refused: AtomicBool,
    /// The parts of the file whose pages are dropped behind reads and writes, once that is wanted.
    dropped_parts: OnceLock<Vec<Range<u64>>>,
    /// The bytes that were read and written since pages were dropped.
    moved_bytes: AtomicU64,
}

/// Pages are dropped each time so many bytes were read and written.
const DROPPED_BYTES: u64 = 8 << 20;

impl Descriptor {
    /// An open file that this process has made.
    pub(crate) fn of_new_file(fd: OwnedFd) -> Self {
        Self::Os(fd, Transfers { is_new: true, ..Transfers::default() })
    }

    /// Whether the file was made by this process.
    pub(crate) fn is_new_file(&self) -> bool {
        matches!(self, Self::Os(_, transfers) if transfers.is_new)
    }

    /// Records that the file system has no writes without waiting.
    pub(crate) fn refuse_unwaited_writes(&self) {
        if let Self::Os(_, transfers) = self {
            transfers.is_refused.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn refuses_unwaited_writes(&self) -> bool {
        matches!(self, Self::Os(_, transfers) if transfers.is_refused.load(Ordering::Relaxed))
    }

    /// From now on, pages of `parts` of the file are dropped behind reads and writes.
    pub(crate) fn drop_behind(&self, parts: Vec<Range<u64>>) {
        if let Self::Os(_, transfers) = self {
            transfers.dropped_parts.get_or_init(|| parts);
        }
    }

    /// The parts of the file whose pages are dropped behind reads and writes; `None` if the system decides.
    pub(crate) fn dropped_parts(&self) -> Option<&[Range<u64>]> {
        match self {
            Self::Os(_, transfers) => transfers.dropped_parts.get().map(Vec::as_slice),
            Self::Simulated(_) => None,
        }
    }

    /// Whether pages are dropped behind reads and writes.
    pub(crate) fn drops_behind(&self) -> bool {
        self.dropped_parts().is_some()
    }

    /// Counts `bytes` that were read or written. Returns whether pages are to be dropped now.
    pub(crate) fn has_moved(&self, bytes: usize) -> bool {
        let Self::Os(_, transfers) = self else { return false };
        if transfers.dropped_parts.get().is_none() {
            return false;
        }
        let before = transfers.moved_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        before / DROPPED_BYTES != (before + bytes as u64) / DROPPED_BYTES
    }

    pub(crate) fn fd(&self) -> io::Result<BorrowedFd<'_>> {
        match self {
            Self::Os(fd, _) => Ok(fd.as_fd()),
            Self::Simulated(_) => Err(io::Error::other("a simulated handle was given to the real system")),
        }
    }

    pub(crate) fn simulated(&self) -> u64 {
        match self {
            Self::Simulated(id) => *id,
            Self::Os(..) => panic!("a real handle was given to the simulation"),
        }
    }
}

impl From<OwnedFd> for File {
    fn from(fd: OwnedFd) -> Self {
        Self(Arc::new(Descriptor::Os(fd, Transfers::default())))
    }
}

impl From<std::fs::File> for File {
    fn from(file: std::fs::File) -> Self {
        OwnedFd::from(file).into()
    }
}

impl From<OwnedFd> for Socket {
    fn from(fd: OwnedFd) -> Self {
        Self(Arc::new(Descriptor::Os(fd, Transfers::default())))
    }
}

/// The type of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A pipe, socket or device.
    Special,
}

/// The metadata of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stat {
    /// The type of the file.
    pub kind: FileKind,
    /// Length in bytes.
    pub bytes: u64,
    /// Permission bits, as `chmod` takes them.
    pub mode: u32,
    /// Last change of content: seconds and nanoseconds since the epoch.
    pub modified: (i64, u32),
    /// Last change of content or metadata: seconds and nanoseconds since the epoch.
    pub changed: (i64, u32),
    /// Device number.
    pub device: u64,
    /// Inode number, unique on its device.
    pub inode: u64,
    /// Number of hard links.
    pub links: u64,
    /// The user ID of the owner.
    pub owner: u32,
    /// The group ID.
    pub group: u32,
}

impl Stat {
    /// Whether this is a regular file with one name that only the user of this process, and root, can have written: the
    /// effective user owns it, and nobody else may write to it.
    pub fn is_private(&self) -> bool {
        let is_ours = self.owner == rustix::process::geteuid().as_raw() && self.mode & 0o022 == 0;
        self.kind == FileKind::Regular && self.links == 1 && is_ours
    }

    /// Whether `self` and `later` describe the same content of the same file, as far as the metadata shows.
    pub fn same_content(&self, later: &Stat) -> bool {
        self.inode == later.inode && self.same_version(later)
    }

    /// As [`same_content`](Self::same_content), for an open file, or for file systems whose inode numbers change.
    pub fn same_version(&self, later: &Stat) -> bool {
        // Removing another hard link changes this time too, but not the content.
        let is_unchanged = self.changed == later.changed || (1..self.links).contains(&later.links);
        is_unchanged
            && (self.device, self.bytes, self.modified) == (later.device, later.bytes, later.modified)
    }

    /// Whether in this directory only the user of this process, and root, can give names to files and take them away.
    pub fn is_private_directory(&self) -> bool {
        const STICKY: u32 = 0o1000;
        let is_ours = self.owner == 0 || self.owner == rustix::process::geteuid().as_raw();
        self.kind == FileKind::Directory && is_ours && (self.mode & 0o022 == 0 || self.mode & STICKY != 0)
    }
}

impl From<rustix::fs::Stat> for Stat {
    fn from(stat: rustix::fs::Stat) -> Self {
        let kind = match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            rustix::fs::FileType::RegularFile => FileKind::Regular,
            rustix::fs::FileType::Directory => FileKind::Directory,
            rustix::fs::FileType::Symlink => FileKind::Symlink,
            _ => FileKind::Special,
        };
        Self {
            kind,
            bytes: u64::try_from(stat.st_size).unwrap_or(0),
            mode: stat.st_mode & 0o7777,
            modified: (stat.st_mtime, u32::try_from(stat.st_mtime_nsec).unwrap_or(0)),
            changed: (stat.st_ctime, u32::try_from(stat.st_ctime_nsec).unwrap_or(0)),
            device: stat.st_dev,
            inode: stat.st_ino,
            links: stat.st_nlink,
            owner: stat.st_uid,
            group: stat.st_gid,
        }
    }
}

impl AsFd for File {
    /// # Panics
    /// For a file of a simulation.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd().expect("a file of the real system")
    }
}

impl AsFd for Socket {
    /// # Panics
    /// For a socket of a simulation.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd().expect("a socket of the real system")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_another_hard_link_is_no_change_of_content() {
        let before = Stat {
            kind: FileKind::Regular,
            bytes: 5,
            mode: 0o600,
            modified: (1, 0),
            changed: (1, 0),
            device: 1,
            inode: 2,
            links: 2,
            owner: 0,
            group: 0,
        };
        let later = Stat { changed: (2, 0), ..before };
        assert!(before.same_content(&before) && !before.same_content(&later));
        for (links, same) in [(0, false), (1, true), (3, false)] {
            assert_eq!(before.same_content(&Stat { links, ..later }), same, "{links} names");
        }
        assert!(!before.same_content(&Stat { links: 1, modified: (2, 0), ..later }));
        assert!(!before.same_content(&Stat { inode: 3, ..before }));
    }
}
