//! Files of a tree to be sealed whose names end like those of sealed files.
//!
//! Owns: looking at such a file, and at the one whose result it may be.
//! Does not own: what follows from it ([`super::walker`]).

use std::ffi::OsStr;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, statat};

use super::tree::Tree;

/// Whether the file `name` in the current directory of `tree` starts like an age file. True if it can't be read.
pub(super) fn starts_like_age_file(tree: &Tree, name: &OsStr, follow: bool) -> bool {
    let Some(directory) = tree.current() else { return true };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let flags = if follow { flags } else { flags | OFlags::NOFOLLOW };
    let Ok(file) = openat(directory, name, flags, Mode::empty()) else { return true };
    let mut start = [0; 32];
    let Ok(count) = rustix::io::read(&file, &mut start) else { return true };
    let start = start[..count].trim_ascii_start();
    start.starts_with(b"age-encryption.org/") || start.starts_with(b"-----BEGIN AGE")
}

/// Whether `name` in the current directory of `tree` is a regular file.
pub(super) fn is_file(tree: &Tree, name: &OsStr, follow: bool) -> bool {
    let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    let Some(directory) = tree.current() else { return false };
    statat(directory, name, flags)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}
