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
use crate::{Buf, Directory, File, Names, Socket};

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
    /// Makes a file `bytes` bytes long and, on a device, reserves the space: [`Value::Done`].
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
            | Op::Send { .. }
            | Op::Sleep { .. } => true,
            Op::Stat { .. }
            | Op::StatAt { .. }
            | Op::Attributes { .. }
            | Op::SetAttribute { .. }
            | Op::Attribute { .. }
            | Op::SetOwner { .. }
            | Op::Features { .. }
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

    /// The same operation once more, if it makes a descriptor of a file: to be tried again once one is free.
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
        let buf = match self {
            Op::ReadAt { buf, .. }
            | Op::WriteAt { buf, .. }
            | Op::Recv { buf, .. }
            | Op::Send { buf, .. } => Some(buf),
            _ => None,
        };
        Completion { result: Err(error), buf }
    }
}
