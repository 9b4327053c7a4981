//! The closed list of operations.
//!
//! Owns: the shape of each operation, which operations a cancelled run refuses.
//! Does not own: carrying them out ([`crate::blocking`], [`crate::uring`], [`crate::sim`]).

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::completion::Completion;
#[cfg(doc)]
use super::completion::Value;
use super::mode::{Offset, OpenMode};
use crate::{Buf, Directory, File, Names, Pipe, Socket};

/// One request to the operating system.
///
/// Names are relative to `dir` if it is given, else to the working directory. Buffers move in and come back in the
/// [`Completion`]. A timeout is part of the operation; reaching it is the error `TimedOut`. `EINTR` is handled by the
/// execution; short reads and writes are passed on as they are.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are explained once, above and at each variant")]
pub enum Op {
    /// Opens a file: [`Value::File`].
    Open { dir: Option<Directory>, path: PathBuf, mode: OpenMode },
    /// The metadata of an open file: [`Value::Stat`].
    Stat { file: File },
    /// The metadata of a name. Symbolic links aren't followed: [`Value::Stat`].
    StatAt { dir: Option<Directory>, path: PathBuf },
    /// Appends at most `bytes_max` bytes to the buffer: [`Value::Count`]; 0 is the end of the file.
    ReadAt { file: File, buf: Buf, bytes_max: usize, offset: Offset },
    /// Writes the filled bytes, or the first few of them: [`Value::Count`]. The buffer comes back whole.
    WriteAt { file: File, buf: Buf, offset: Offset },
    /// Gives `file` the content of `source`, of which both share the blocks until one is written to; an error unless
    /// the file system can do that: [`Value::Done`].
    CloneFile { source: File, file: File },
    /// Reserves space for the first `bytes` bytes of a file, where its file system gains by that. Afterwards the file
    /// may be that long: [`Value::Done`].
    Allocate { file: File, bytes: u64 },
    /// Makes a file `bytes` bytes long, with a hole where it grows: [`Value::Done`].
    SetLength { file: File, bytes: u64 },
    /// Sets permission bits: [`Value::Done`].
    SetMode { file: File, mode: u32 },
    /// Sets the time of last modification, seconds and nanoseconds since the epoch: [`Value::Done`].
    SetModified { file: File, modified: (i64, u32) },
    /// The user's extended attributes of a file: [`Value::Attributes`].
    Attributes { file: File },
    /// Sets one extended attribute: [`Value::Done`].
    SetAttribute { file: File, name: OsString, value: Vec<u8> },
    /// One extended attribute of a file: [`Value::Attribute`].
    Attribute { file: File, name: OsString },
    /// Sets the group, and the owner if one is given: [`Value::Done`].
    SetOwner { file: File, owner: Option<u32>, group: u32 },
    /// What is known about the file system of a file, or about files in a directory: [`Value::Features`].
    Features { file: File },
    /// Whether syncing a directory of this file's file system also stores the link counts of files that were given
    /// names in it: [`Value::Flag`]; false if that isn't known.
    StoresLinks { file: File },
    /// Keeps what is read and written through this open file from now on out of the page cache, as far as its file
    /// system can. Whether that is done: [`Value::Flag`]. With the length of the file, not if most of it is cached
    /// already, and what is cached already stays so.
    SpareCache { file: File, unless_cached: Option<u64> },
    /// Drops pages of a file with [`Op::SpareCache`] some way before `offset`, or all of them: [`Value::Done`].
    DropBehind { file: File, offset: Option<u64> },
    /// Reports what closing the file would report, and leaves it open: [`Value::Done`].
    Flush { file: File },
    /// Writes the content and metadata of a file, or the names in a directory, to stable storage: [`Value::Done`].
    Sync { file: File },
    /// Gives an unnamed file its name; an existing name is an error: [`Value::Done`].
    Link { file: File, dir: Option<Directory>, path: PathBuf },
    /// Renames within one file system. An existing target is replaced if `replace` is set, else an error:
    /// [`Value::Done`].
    Rename { dir: Option<Directory>, from: PathBuf, to: PathBuf, replace: bool },
    /// Removes a name that isn't a directory: [`Value::Done`].
    Remove { dir: Option<Directory>, path: PathBuf },
    /// Makes a directory with at most these permission bits, less the umask. Its parent must exist: [`Value::Done`].
    MakeDirectory { dir: Option<Directory>, path: PathBuf, mode: u32 },
    /// Resolves a host name or literal by `names`: [`Value::Addresses`], never empty.
    Resolve { names: Names, host: String, port: u16, timeout: Duration },
    /// Connects to the first address that answers (RFC 8305): [`Value::Socket`].
    Connect { addresses: Vec<SocketAddr>, timeout: Duration },
    /// Connects to the local socket at `path` without waiting: [`Value::Socket`].
    ConnectLocal { path: PathBuf },
    /// Appends what has arrived to the buffer: [`Value::Count`]; 0 is the orderly end of the peer's data.
    Recv { socket: Socket, buf: Buf, timeout: Duration },
    /// Moves at most `bytes_max` bytes that have arrived at a socket to `offset` in a file, without waiting for more:
    /// [`Value::Count`]; 0 if none have, or at the end of the peer's data. [`Value::Flag`], false, if nothing can be
    /// moved, and nothing was. After an error, bytes that had arrived are lost.
    Move { socket: Socket, pipe: Pipe, file: File, offset: u64, bytes_max: usize },
    /// Sends the filled bytes, or the first few of them: [`Value::Count`]. The buffer comes back whole.
    Send { socket: Socket, buf: Buf, timeout: Duration },
    /// Sleeps: [`Value::Done`].
    Sleep { duration: Duration },
}

impl Op {
    /// Whether this operation starts or continues work, which a cancelled run refuses. Operations that finish or undo
    /// work are still carried out.
    pub(crate) fn is_refused_when_cancelled(&self) -> bool {
        match self {
            Op::Open { mode, .. } => !matches!(mode, OpenMode::Directory | OpenMode::Anchor { .. }),
            Op::ReadAt { .. }
            | Op::WriteAt { .. }
            | Op::CloneFile { .. }
            | Op::Allocate { .. }
            | Op::SetLength { .. }
            | Op::Resolve { .. }
            | Op::Connect { .. }
            | Op::ConnectLocal { .. }
            | Op::Recv { .. }
            | Op::Move { .. }
            | Op::Send { .. }
            | Op::Sleep { .. } => true,
            Op::Stat { .. }
            | Op::StatAt { .. }
            | Op::Attributes { .. }
            | Op::SetAttribute { .. }
            | Op::Attribute { .. }
            | Op::SetOwner { .. }
            | Op::Features { .. }
            | Op::StoresLinks { .. }
            | Op::SpareCache { .. }
            | Op::DropBehind { .. }
            | Op::Flush { .. }
            | Op::SetMode { .. }
            | Op::SetModified { .. }
            | Op::Sync { .. }
            | Op::Link { .. }
            | Op::Rename { .. }
            | Op::Remove { .. }
            | Op::MakeDirectory { .. } => false,
        }
    }

    /// Whether it may be carried out once more after it failed because something was short: the failed attempt has had
    /// no effect, and the caller doesn't rely on hearing of it. A failed sync must not be repeated, because the second
    /// one doesn't report what the first has lost; connecting waits on its own, after it has closed idle connections.
    pub(crate) fn is_repeatable(&self) -> bool {
        match self {
            Op::Open { .. }
            | Op::Stat { .. }
            | Op::StatAt { .. }
            | Op::ReadAt { .. }
            | Op::WriteAt { .. }
            | Op::Allocate { .. }
            | Op::SetLength { .. }
            | Op::SetMode { .. }
            | Op::SetModified { .. }
            | Op::Attributes { .. }
            | Op::SetAttribute { .. }
            | Op::Attribute { .. }
            | Op::SetOwner { .. }
            | Op::Remove { .. }
            | Op::MakeDirectory { .. }
            | Op::ConnectLocal { .. }
            | Op::Recv { .. }
            | Op::Send { .. } => true,
            Op::Features { .. }
            | Op::StoresLinks { .. }
            | Op::SpareCache { .. }
            | Op::DropBehind { .. }
            | Op::CloneFile { .. }
            | Op::Flush { .. }
            | Op::Sync { .. }
            | Op::Link { .. }
            | Op::Rename { .. }
            | Op::Move { .. }
            | Op::Resolve { .. }
            | Op::Connect { .. }
            | Op::Sleep { .. } => false,
        }
    }

    /// Whether it is to be carried out once more after it failed with `error`.
    pub(crate) fn is_repeatable_after(&self, error: &io::Error) -> bool {
        // The answer for a file that another process has locked.
        let is_answer = matches!(self, Op::Open { mode: OpenMode::Locked, .. })
            && error.kind() == io::ErrorKind::WouldBlock;
        self.is_repeatable() && !is_answer
    }

    /// Whether it makes a descriptor.
    pub(crate) fn makes_descriptor(&self) -> bool {
        matches!(self, Op::Open { .. } | Op::ConnectLocal { .. })
    }

    /// The same operation once more, if it opens a file: what goes to a ring doesn't come back as it was.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Op::Open { dir, path, mode } => {
                Some(Op::Open { dir: dir.clone(), path: path.clone(), mode: *mode })
            }
            _ => None,
        }
    }

    /// Whether a ring may need a worker of the kernel for it, as for everything that blocks.
    pub(crate) fn may_need_kernel_worker(&self) -> bool {
        matches!(self, Op::Open { .. } | Op::ReadAt { .. } | Op::WriteAt { .. } | Op::Sync { .. })
    }

    /// The completion of an operation that isn't carried out, with its buffer.
    pub(crate) fn refuse(self, error: io::Error) -> Completion {
        Completion { result: Err(error), buf: self.into_buf() }
    }

    /// The buffer, if it has one.
    pub(crate) fn into_buf(self) -> Option<Buf> {
        match self {
            Op::ReadAt { buf, .. }
            | Op::WriteAt { buf, .. }
            | Op::Recv { buf, .. }
            | Op::Send { buf, .. } => Some(buf),
            _ => None,
        }
    }
}
