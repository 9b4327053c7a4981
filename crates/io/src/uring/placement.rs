//! Where each operation is carried out: on the ring's thread, by the ring, or by a pool thread.
//!
//! What a file system can do without blocking isn't guessed from its type: the kernel says so for each read and write, when
//! it is tried with `RWF_NOWAIT`. What is cached is done by that one call, as cheaply as by a blocking one; `EAGAIN` means
//! that it would block, and the operation goes to the ring; `EOPNOTSUPP` means that on this file system the ring would hand it to a
//! kernel worker. The same holds for opening with `RESOLVE_CACHED`. So a warm file costs what it costs without a ring,
//! and a cold one leaves the thread free.
//!
//! Owns: the table, the attempt, the counts.
//! Does not own: carrying anything out on the ring or in the pool.
//!
//! Source: preadv2(2), openat2(2).

use std::io::{IoSlice, IoSliceMut};

use rustix::fs::{Mode, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags};

use crate::blocking::perform::{base, is_in_memory, perform};
use crate::{Buf, Cancel, Completion, File, Offset, Op, OpenMode, Value};

/// Where an operation is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// At once, by a system call on the ring's thread: it is short, or the ring would hand it to a kernel worker.
    Inline,
    /// At once if that doesn't block, else by the ring.
    CachedElseRing,
    /// By the ring.
    Ring,
    /// By a thread of the pool: it blocks, or is a sequence of calls that are dear one by one.
    Pool,
    /// By the list of timers, in user space.
    Timer,
}

impl Placement {
    /// The table.
    pub fn of(op: &Op) -> Self {
        match op {
            Op::Open {
                mode: OpenMode::CreateNew | OpenMode::Unnamed | OpenMode::Staged | OpenMode::Locked,
                ..
            } => Self::Inline,
            Op::Open { .. } | Op::ReadAt { .. } | Op::WriteAt { .. } => Self::CachedElseRing,
            Op::Stat { .. } | Op::StatAt { .. } | Op::SetMode { .. } | Op::SetModified { .. } => Self::Inline,
            Op::Attributes { .. } | Op::SetAttribute { .. } => Self::Inline,
            Op::Allocate { .. } | Op::Link { .. } | Op::Rename { .. } => Self::Inline,
            Op::Remove { .. } | Op::MakeDirectory { .. } | Op::ConnectLocal { .. } => Self::Inline,
            Op::Sync { .. } | Op::Connect { .. } | Op::Recv { .. } | Op::Send { .. } => Self::Ring,
            Op::Resolve { .. } => Self::Pool, // a name that is known costs nothing anywhere
            Op::Sleep { .. } => Self::Timer,
        }
    }
}

/// How many operations were carried out where, for the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlacementCounts {
    /// By a system call on the ring's thread.
    pub inline: u64,
    /// By the ring.
    pub ring: u64,
    /// By pool threads; a whole file written counts once.
    pub pool: u64,
    /// By the list of timers.
    pub timer: u64,
}

/// What an attempt came to.
pub(super) enum Trial {
    Done(Completion),
    Ring(Op),
    Pool(Op),
}

/// Carries out `op` if that doesn't block, or if the ring would be no better at it.
pub(super) fn attempt(op: Op, cancel: &Cancel) -> Trial {
    match op {
        Op::ReadAt { file, mut buf, bytes_max, offset } => {
            let tried = try_read(&file, &mut buf, bytes_max, offset);
            let op = Op::ReadAt { file, buf, bytes_max, offset };
            match tried {
                Err(Errno::OPNOTSUPP | Errno::NOSYS) if !is_read_in_memory(&op) => Trial::Pool(op),
                tried => judge(op, tried, cancel),
            }
        }
        Op::WriteAt { file, buf, offset } => {
            let tried = try_write(&file, &buf, offset);
            let op = Op::WriteAt { file, buf, offset };
            match (tried, offset) {
                // A terminal or the like, which may block for as long as it pleases.
                (Err(Errno::OPNOTSUPP | Errno::NOSYS), Offset::Stream) => Trial::Pool(op),
                (tried, _) => judge(op, tried, cancel),
            }
        }
        // The kernel refuses to create by a cached look-up.
        Op::Open { mode: OpenMode::CreateNew | OpenMode::Unnamed, .. } => Trial::Done(perform(op, cancel)),
        Op::Open { dir, path, mode } => {
            let flags = mode.flags();
            let tried = match base(&dir) {
                Ok(base) => rustix::fs::openat2(base, &path, flags, Mode::empty(), ResolveFlags::CACHED),
                Err(_) => Err(Errno::NOSYS),
            };
            match tried {
                Ok(fd) => Trial::Done(Completion::new(Ok(Value::File(fd.into())))),
                Err(Errno::AGAIN) => Trial::Ring(Op::Open { dir, path, mode }),
                Err(_) => Trial::Done(perform(Op::Open { dir, path, mode }, cancel)),
            }
        }
        other => Trial::Done(perform(other, cancel)),
    }
}

fn judge(op: Op, tried: rustix::io::Result<usize>, cancel: &Cancel) -> Trial {
    match (tried, op) {
        (Err(Errno::AGAIN), op) => Trial::Ring(op),
        (Ok(count), Op::ReadAt { buf, .. } | Op::WriteAt { buf, .. }) => {
            Trial::Done(Completion::counted(Ok(count), buf))
        }
        // Whatever else the trial failed of, the plain call finds the words for.
        (_, op) => Trial::Done(perform(op, cancel)),
    }
}

fn try_read(file: &File, buf: &mut Buf, bytes_max: usize, offset: Offset) -> rustix::io::Result<usize> {
    let fd = file.0.fd().map_err(|_| Errno::BADF)?;
    let spare = buf.spare_mut();
    let bytes_max = bytes_max.min(spare.len());
    let mut slices = [IoSliceMut::new(&mut spare[..bytes_max])];
    let count = rustix::io::preadv2(fd, &mut slices, offset.raw(), ReadWriteFlags::NOWAIT)?;
    buf.commit(count);
    Ok(count)
}

fn try_write(file: &File, buf: &Buf, offset: Offset) -> rustix::io::Result<usize> {
    let fd = file.0.fd().map_err(|_| Errno::BADF)?;
    rustix::io::pwritev2(fd, &[IoSlice::new(buf.filled())], offset.raw(), ReadWriteFlags::NOWAIT)
}

/// Whether the file of a read lies in a file system without a device: it can't be waited for, only copied.
fn is_read_in_memory(op: &Op) -> bool {
    let Op::ReadAt { file, .. } = op else { return false };
    file.0.fd().map_or(true, is_in_memory)
}
