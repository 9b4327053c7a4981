//! Where each operation is carried out: on the ring's thread, by the ring, or by a pool thread.
//!
//! Whether a file system can do something without blocking isn't guessed from its type; each read and write is tried
//! with `RWF_NOWAIT`:
//!
//! - Success: the data was cached. The one call costs what a blocking one costs.
//! - `EAGAIN`: it would block, so the operation goes to the ring.
//! - `EOPNOTSUPP`: on this file system the ring would hand the operation to a kernel worker.
//!
//! A write that is sure to be refused is not tried:
//!
//! - a file that has answered `EOPNOTSUPP` once is written to by plain calls;
//! - so is the start of a file that this process has just made: room for it has to be found, for which no file system
//!   promises not to wait, and the ring would hand every small file to a kernel worker.
//!
//! A write that leaves nothing in the page cache goes to a pool thread, because it waits for room in the device's
//! queue.
//!
//! Opening is tried with `RESOLVE_CACHED` in the same way. So a warm file costs what it costs without a ring, and a
//! cold one leaves the thread free.
//!
//! Owns: the table, the trial, the counts.
//! Does not own: carrying anything out on the ring or in the pool.
//!
//! Source: preadv2(2), openat2(2).

use std::io::{self, IoSlice, IoSliceMut};

use rustix::fs::{Mode, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags};

use crate::blocking::perform::{attempt, base, is_in_memory};
#[cfg(test)]
use crate::system::shortage::faults;
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
    /// By a pool thread: it blocks, or is a sequence of calls that are expensive one by one.
    Pool,
    /// By the ring's timers, in user space.
    Timer,
}

impl Placement {
    /// The placement table.
    pub fn of(op: &Op) -> Self {
        match op {
            Op::Open {
                mode: OpenMode::CreateNew | OpenMode::Unnamed | OpenMode::Staged | OpenMode::Locked,
                ..
            } => Self::Inline,
            Op::Open { .. } | Op::ReadAt { .. } | Op::WriteAt { .. } => Self::CachedElseRing,
            Op::Stat { .. } | Op::StatAt { .. } | Op::SetMode { .. } | Op::SetModified { .. } => Self::Inline,
            Op::Attributes { .. } | Op::SetAttribute { .. } | Op::Attribute { .. } => Self::Inline,
            Op::SetOwner { .. } | Op::Features { .. } => Self::Inline,
            Op::Allocate { .. } | Op::SetLength { .. } | Op::Link { .. } | Op::Rename { .. } => Self::Inline,
            Op::Remove { .. } | Op::MakeDirectory { .. } | Op::ConnectLocal { .. } => Self::Inline,
            Op::Sync { .. } | Op::Connect { .. } | Op::Recv { .. } | Op::Send { .. } => Self::Ring,
            // By threads that all rings share, unless the name is remembered.
            Op::Resolve { .. } => Self::Pool,
            Op::SpareCache { .. } | Op::StoresLinks { .. } => Self::Inline,
            // They wait for a server, another process or a device; the ring has no such operations.
            Op::Flush { .. } | Op::DropBehind { .. } | Op::CloneFile { .. } => Self::Pool,
            // The ring would hand both halves to kernel workers.
            Op::Move { .. } => Self::Pool,
            Op::Sleep { .. } => Self::Timer,
        }
    }
}

/// Counts of operations by placement, for the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlacementCounts {
    /// By a system call on the ring's thread.
    pub inline: u64,
    /// By the ring.
    pub ring: u64,
    /// By pool threads; writing a whole file counts once.
    pub pool: u64,
    /// By timers.
    pub timer: u64,
}

/// The start of a new file up to this length is written by a plain call.
const NEW_BYTES_MAX: usize = 128 * 1024;

/// The outcome of a trial: a completion, or where the operation goes.
pub(super) enum Trial {
    Completed(Completion),
    Failed(Refused),
    Ring(Op),
    Pool(Op),
}

/// An operation that failed, for another attempt.
pub(super) struct Refused {
    pub(super) error: io::Error,
    pub(super) op: Op,
}

/// Carries out `op` by a plain call.
fn carry_out(mut op: Op, cancel: &Cancel) -> Trial {
    match attempt(&mut op, cancel) {
        Ok(value) => Trial::Completed(Completion { result: Ok(value), buf: op.into_buf() }),
        Err(error) => Trial::Failed(Refused { error, op }),
    }
}

/// Carries out `op` if that doesn't block, or if the ring would do no better.
pub(super) fn try_at_once(op: Op, cancel: &Cancel) -> Trial {
    match op {
        Op::ReadAt { file, mut buf, bytes_max, offset } => {
            let tried = try_read(&file, &mut buf, bytes_max, offset);
            let op = Op::ReadAt { file, buf, bytes_max, offset };
            match tried {
                Err(Errno::OPNOTSUPP | Errno::NOSYS) if !is_read_in_memory(&op) => Trial::Pool(op),
                tried => judge(op, tried, cancel),
            }
        }
        Op::WriteAt { ref file, ref buf, offset } if is_futile(file, buf, offset) => carry_out(op, cancel),
        Op::WriteAt { file, buf, offset } => {
            let tried = try_write(&file, &buf, offset);
            if matches!(tried, Err(Errno::OPNOTSUPP | Errno::NOSYS)) {
                file.0.refuse_unwaited_writes();
            }
            let op = Op::WriteAt { file, buf, offset };
            match (tried, offset) {
                // A terminal, for example, which may block for any time.
                (Err(Errno::OPNOTSUPP | Errno::NOSYS), Offset::Stream) => Trial::Pool(op),
                (tried, _) => judge(op, tried, cancel),
            }
        }
        // A cached lookup can't create a file.
        Op::Open { mode: OpenMode::CreateNew | OpenMode::Unnamed, .. } => carry_out(op, cancel),
        Op::Open { dir, path, mode } => {
            let flags = mode.flags();
            #[cfg(test)]
            if faults::injected_errno().is_err() {
                return carry_out(Op::Open { dir, path, mode }, cancel);
            }
            let tried = match base(&dir) {
                Ok(base) => rustix::fs::openat2(base, &path, flags, Mode::empty(), ResolveFlags::CACHED),
                Err(_) => Err(Errno::NOSYS),
            };
            match tried {
                Ok(fd) => Trial::Completed(Completion::new(Ok(Value::File(fd.into())))),
                Err(Errno::AGAIN) => Trial::Ring(Op::Open { dir, path, mode }),
                Err(_) => carry_out(Op::Open { dir, path, mode }, cancel),
            }
        }
        other => carry_out(other, cancel),
    }
}

fn judge(op: Op, tried: rustix::io::Result<usize>, cancel: &Cancel) -> Trial {
    match (tried, op) {
        (Err(Errno::AGAIN), op) => Trial::Ring(op),
        (Ok(count), Op::ReadAt { buf, .. } | Op::WriteAt { buf, .. }) => {
            Trial::Completed(Completion::counted(Ok(count), buf))
        }
        // For any other error, the plain call gives the result and its error.
        (_, op) => carry_out(op, cancel),
    }
}

/// Whether a write without waiting would be refused for certain. Streams are tried in any case: they may block for any
/// time.
fn is_futile(file: &File, buf: &Buf, offset: Offset) -> bool {
    let is_start = offset == Offset::At(0) && buf.filled().len() <= NEW_BYTES_MAX;
    match offset {
        Offset::At(_) => file.0.refuses_unwaited_writes() || is_start && file.0.is_new_file(),
        Offset::Stream => false,
    }
}

fn try_read(file: &File, buf: &mut Buf, bytes_max: usize, offset: Offset) -> rustix::io::Result<usize> {
    #[cfg(test)]
    faults::injected_errno()?;
    let fd = file.0.fd().map_err(|_| Errno::BADF)?;
    let spare = buf.spare_mut();
    let bytes_max = bytes_max.min(spare.len());
    let mut slices = [IoSliceMut::new(&mut spare[..bytes_max])];
    let count = rustix::io::preadv2(fd, &mut slices, offset.raw(), ReadWriteFlags::NOWAIT)?;
    buf.commit(count);
    Ok(count)
}

fn try_write(file: &File, buf: &Buf, offset: Offset) -> rustix::io::Result<usize> {
    #[cfg(test)]
    faults::injected_errno()?;
    let fd = file.0.fd().map_err(|_| Errno::BADF)?;
    rustix::io::pwritev2(fd, &[IoSlice::new(buf.filled())], offset.raw(), ReadWriteFlags::NOWAIT)
}

/// Whether a read is of a file on a file system without a device: there is nothing to wait for, only a copy.
fn is_read_in_memory(op: &Op) -> bool {
    let Op::ReadAt { file, .. } = op else { return false };
    file.0.fd().map_or(true, is_in_memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `bytes` at `offset`; whether it was completed at once, and whether the file refuses unwaited writes now.
    fn write(file: &File, bytes: usize, offset: u64) -> (bool, bool) {
        let op = Op::WriteAt { file: file.clone(), buf: vec![7; bytes].into(), offset: Offset::At(offset) };
        let trial = try_at_once(op, &Cancel::new().unwrap());
        if let Trial::Completed(Completion { result, .. }) = &trial {
            assert!(matches!(result, Ok(Value::Count(count)) if *count == bytes), "{result:?}");
        }
        (matches!(trial, Trial::Completed(_)), file.0.refuses_unwaited_writes())
    }

    fn new_file(directory: &str) -> File {
        let (path, mode) = (directory.into(), OpenMode::Unnamed);
        let opened = attempt(&mut Op::Open { dir: None, path, mode }, &Cancel::new().unwrap());
        let Ok(Value::File(file)) = opened else { panic!("{opened:?}") };
        file
    }

    #[test]
    #[allow(clippy::print_stderr, reason = "a skipped test says so")]
    fn a_file_that_refuses_unwaited_writes_is_asked_once() {
        // tmpfs has no such writes.
        let file = new_file("/dev/shm");
        if !is_in_memory(file.0.fd().unwrap()) {
            eprintln!("SKIPPED: /dev/shm is no tmpfs");
            return;
        }
        assert_eq!(write(&file, 10, 0), (true, false), "the start of a new file isn't tried");
        assert_eq!(write(&file, 10, 10), (true, true), "what comes later is tried, and refused");
        assert!(is_futile(&file, &vec![7].into(), Offset::At(20)), "and not tried again");
        assert!(!is_futile(&file, &vec![7].into(), Offset::Stream), "a stream may block for any time");
    }

    #[test]
    fn only_the_start_of_a_new_file_is_never_tried() {
        let new = new_file("/dev/shm");
        let (small, large) = (vec![7; NEW_BYTES_MAX].into(), vec![7; NEW_BYTES_MAX + 1].into());
        assert!(is_futile(&new, &small, Offset::At(0)));
        assert!(!is_futile(&new, &large, Offset::At(0)));
        assert!(!is_futile(&new, &small, Offset::At(1)));
        let old = File::from(std::fs::File::open("/dev/null").unwrap());
        assert!(!is_futile(&old, &small, Offset::At(0)));
    }
}
