//! Extended attributes that belong to users: names in the namespace `user`, each with a value.
//!
//! Owns: reading all attributes of a file, within a bound.
//! Does not own: which files keep them.
//!
//! Source: xattr(7), listxattr(2).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::fs::{fgetxattr, flistxattr};
use rustix::io::Errno;

/// The attributes of a file, as far as they could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Names, with their namespace, and values.
    pub values: Vec<(OsString, Vec<u8>)>,
    /// Names of those that couldn't be read, or exceed [`Attributes::BYTES_MAX`].
    pub unread: Vec<OsString>,
}

/// The namespace that any user with write permission on the file may write.
const NAMESPACE: &[u8] = b"user.";
/// The largest list of names, and the largest value: XATTR_LIST_MAX and XATTR_SIZE_MAX.
const BUFFER_BYTES: usize = 64 * 1024;

impl Attributes {
    /// Names and values of a file take at most this many bytes; the rest is left out. Some file systems have no bound
    /// of their own.
    pub const BYTES_MAX: usize = 1 << 20;

    pub(crate) fn of(file: BorrowedFd<'_>) -> io::Result<Self> {
        let mut found = Self::default();
        let mut names = vec![0; BUFFER_BYTES];
        let names_bytes = match flistxattr(file, &mut names[..]) {
            // The file system has no attributes.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => 0,
            result => result?,
        };
        let mut value = Vec::new();
        let names = names[..names_bytes].split(|byte| *byte == 0);
        for name in names.filter(|name| name.starts_with(NAMESPACE)) {
            value.resize(BUFFER_BYTES, 0);
            match fgetxattr(file, OsStr::from_bytes(name), &mut value[..]) {
                Ok(bytes) => found.add(name, &value[..bytes]),
                // It was removed after the list was read.
                Err(Errno::NODATA) => {}
                Err(_) => found.unread.push(OsString::from_vec(name.to_vec())),
            }
        }
        Ok(found)
    }

    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) {
        let so_far: usize = self.values.iter().map(|(name, value)| name.len() + value.len()).sum();
        let name_text = OsString::from_vec(name.to_vec());
        if so_far + name.len() + value.len() <= Self::BYTES_MAX {
            self.values.push((name_text, value.to_vec()))
        } else {
            self.unread.push(name_text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_beyond_the_bound_are_listed_as_unread() {
        let mut found = Attributes::default();
        for index in 0..20 {
            found.add(format!("user.{index:02}").as_bytes(), &vec![0; 64 * 1024]);
        }
        assert_eq!((found.values.len(), found.unread.len()), (15, 5));
        assert_eq!(found.unread[0], "user.15");
    }
}
