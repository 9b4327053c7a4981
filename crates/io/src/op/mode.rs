//! How a file is opened, and where in it an operation works.
//!
//! Owns: the modes and their flags, offsets.
//! Does not own: opening.
//!
//! Source: open(2).

use rustix::fs::OFlags;

/// How [`Op::Open`](crate::Op::Open) opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file for reading.
    Read {
        /// Follow a final symbolic link (else: the error `ELOOP`).
        follow: bool,
    },
    /// An existing directory, to be read or synced.
    Directory,
    /// An existing directory that serves only as the anchor of names. It needs no read permission.
    Anchor {
        /// Follow symbolic links (else: the error `ENOTDIR`, for one in the last component).
        follow: bool,
    },
    /// A new file of mode 0600 for reading and writing; an existing name is an error.
    CreateNew,
    /// A new file without a name, on the file system of the given directory.
    Unnamed {
        /// Its permission bits, less those that the umask or the directory takes away.
        mode: u32,
    },
    /// An existing file for reading and writing in place.
    ReadWrite {
        /// Follow a final symbolic link (else: the error `ELOOP`).
        follow: bool,
    },
    /// A file that another process staged, for reading and writing.
    Staged,
    /// An existing file for reading and writing, not behind a symbolic link, that no other process works on: it is
    /// locked for as long as it is open (else: the error `WouldBlock`). Where the file system has no locks, it is
    /// only opened.
    Locked,
}

/// Where in a file an operation works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// This many bytes from the start.
    At(u64),
    /// At the current position: pipes, terminals.
    Stream,
}

/// The permission bits of a new file that nobody else may open.
pub(crate) const PRIVATE: u32 = 0o600;

impl OpenMode {
    /// The flags of open(2).
    pub(crate) fn flags(self) -> OFlags {
        // O_NONBLOCK: opening a pipe that has replaced a file must not hang; regular files ignore the flag.
        let reading = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK;
        let in_place = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK;
        let flags = match self {
            Self::Read { follow: true } => reading,
            Self::Read { follow: false } => reading | OFlags::NOFOLLOW,
            Self::Directory => OFlags::RDONLY | OFlags::DIRECTORY,
            Self::Anchor { follow: true } => OFlags::PATH | OFlags::DIRECTORY,
            Self::Anchor { follow: false } => OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW,
            Self::CreateNew => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
            Self::Unnamed { .. } => OFlags::RDWR | OFlags::TMPFILE,
            Self::ReadWrite { follow: true } => in_place,
            Self::ReadWrite { follow: false } | Self::Staged | Self::Locked => in_place | OFlags::NOFOLLOW,
        };
        flags | OFlags::CLOEXEC
    }
}

impl Offset {
    pub(crate) fn plus(self, bytes: usize) -> Self {
        match self {
            Self::At(offset) => Self::At(offset + bytes as u64),
            Self::Stream => Self::Stream,
        }
    }

    /// The offset of preadv2(2) and of an entry in the ring: all ones stand for the stream's own position.
    pub(crate) fn raw(self) -> u64 {
        match self {
            Self::At(offset) => offset,
            Self::Stream => u64::MAX,
        }
    }
}
