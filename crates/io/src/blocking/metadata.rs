//! System calls on metadata: attributes and the features of directories.
//!
//! Owns: which file systems report errors when a file is closed, which have steady inode numbers, and on which a sync
//! of a directory stores the link counts of the files in it.
//! Does not own: the other operations ([`super::perform`]).
//!
//! Source: statfs(2), acl(5); ext4's files in /sys/fs/ext4 and /proc/fs/ext4.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use rustix::fs;
use rustix::io::Errno;

use crate::{AccessList, Ext4, Features};

const EXT4: u64 = 0xef53;
const XFS: u64 = 0x5846_5342;
pub(super) const BTRFS: u64 = 0x9123_683e;
pub(super) const TMPFS: u64 = 0x0102_1994;
pub(super) const RAMFS: u64 = 0x8584_58f6;

/// File systems whose `close` has nothing to report: what they can't store, a write or a sync reports.
const LOCAL: [u64; 8] = [
    EXT4, // and ext2, ext3
    XFS,
    BTRFS,
    TMPFS,
    RAMFS,
    0xf2f5_2010, // F2FS
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
];
/// Likewise; but here a file has no number of its own.
const FAT: [u64; 2] = [
    0x4d44,      // FAT
    0x2011_bab0, // exFAT
];

/// The space for most values of attributes, and the largest value (XATTR_SIZE_MAX).
const VALUE_BYTES: usize = 512;
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// The value of the attribute `name`; `None` if the file has none, or its file system has no attributes.
pub(super) fn attribute(fd: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<Vec<u8>>> {
    let mut value = [0; VALUE_BYTES];
    let found = match fs::fgetxattr(fd, name, &mut value) {
        Ok(bytes) => Ok(value[..bytes].to_vec()),
        Err(Errno::RANGE) => {
            let mut value = vec![0; VALUE_BYTES_MAX];
            fs::fgetxattr(fd, name, &mut value[..]).map(|bytes| value[..bytes].to_vec())
        }
        Err(error) => Err(error),
    };
    match found {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The features of an open file or directory, which may be an anchor of names only.
pub(super) fn features(fd: BorrowedFd<'_>) -> Features {
    // An anchor has no attributes itself; without /proc, no list is seen.
    let name = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let inherits_list = match fs::getxattr(name, AccessList::INHERITED_NAME, &mut [0; VALUE_BYTES]) {
        Ok(_) | Err(Errno::RANGE) => true,
        Err(_) => false,
    };
    let kind = kind_of(fd);
    let is_fat = FAT.contains(&kind);
    let is_silent = is_fat || LOCAL.contains(&kind);
    Features { inherits_list, reports_at_close: !is_silent, steady_inodes: is_silent && !is_fat }
}

/// The magic number of the file system of `fd`; 0 if it isn't known.
pub(super) fn kind_of(fd: BorrowedFd<'_>) -> u64 {
    fs::fstatfs(fd).map_or(0, |found| found.f_type as u64 & 0xffff_ffff)
}

/// Whether syncing a directory on the file system of `fd` also stores the link counts of the files in it.
///
/// | file system | a link is | so |
/// |---|---|---|
/// | XFS, ext4 with a journal | one transaction for the directory and the inode | the sync stores both |
/// | tmpfs, ramfs | nowhere but in memory | there is nothing to store |
/// | ext4 without a journal, ext2 | a change of two blocks | the inode is synced by itself |
/// | any other, as btrfs and ext4 with fast commits | not known | likewise |
pub(super) fn stores_links(fd: BorrowedFd<'_>) -> bool {
    match kind_of(fd) {
        XFS | TMPFS | RAMFS => true,
        EXT4 => has_whole_journal(fd).unwrap_or(false),
        _ => false,
    }
}

/// Whether ext4 is known to journal whole transactions.
fn has_whole_journal(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let Ext4 { name, journal_task } = Ext4::on(fs::fstat(fd)?.st_dev, Path::new("/sys"))?;
    let options = std::fs::read_to_string(Path::new("/proc/fs/ext4").join(name).join("options"))?;
    // The kernel shows the feature under the name of the option that enforces it.
    let is_fast = |option: &str| ["fast_commit", "fc_debug_force"].contains(&option);
    let is_whole = !options.lines().any(is_fast);
    Ok(is_whole && journal_task.parse::<u32>().is_ok())
}
