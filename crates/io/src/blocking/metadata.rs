//! System calls on metadata: attributes and the features of directories.
//!
//! Owns: which file systems report errors when a file is closed, and which have steady inode numbers.
//! Does not own: the other operations ([`super::perform`]).
//!
//! Source: statfs(2), acl(5).

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs;
use rustix::io::Errno;

use crate::{AccessList, Features};

/// File systems whose `close` has nothing to report: what they can't store, a write or a sync reports.
const LOCAL: [u64; 8] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // btrfs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
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
    let kind = fs::fstatfs(fd).map_or(0, |found| found.f_type as u64 & 0xffff_ffff);
    let is_fat = FAT.contains(&kind);
    let is_silent = is_fat || LOCAL.contains(&kind);
    Features { inherits_list, reports_at_close: !is_silent, steady_inodes: is_silent && !is_fat }
}
