//! Operations as blocking system calls.
//!
//! Owns: the mapping from [`Op`] to system calls, `EINTR`.
//! Does not own: the account of the calls ([`super::worker`]), the waits of sockets ([`super::transfer`]).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{
    self, AtFlags, CWD, FallocateFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags, Timestamps,
    XattrFlags,
};
use rustix::io::{Errno, retry_on_intr};

use super::connect::connect;
use super::metadata::{self, BTRFS, RAMFS, TMPFS};
use super::moving::move_arrived;
use super::transfer::{recv, send};
use crate::connect::socket;
use crate::files::temporary::is_temporary;
use crate::stream::write_some;
use crate::system::close::flush;
use crate::system::deadline::{Deadline, wait};
use crate::system::page_cache;
use crate::values::handle::Descriptor;
use crate::{Attributes, Buf, Cancel, Directory, File, Offset, Op, OpenMode, Value, cancelled};

/// Carries out `op`. Returns when it has succeeded or failed, or, if it waits, when `cancel` is triggered. The caller
/// can carry it out once more if it fails.
pub(crate) fn attempt(op: &mut Op, cancel: &Cancel) -> io::Result<Value> {
    #[cfg(test)]
    crate::system::shortage::faults::injected()?;
    match op {
        Op::ReadAt { file, buf, bytes_max, offset } => read(file, buf, *bytes_max, *offset).map(Value::Count),
        Op::WriteAt { file, buf, offset } => write(file, buf, *offset, cancel).map(Value::Count),
        Op::Recv { socket, buf, timeout } => recv(socket, buf, *timeout, cancel).map(Value::Count),
        Op::Send { socket, buf, timeout } => send(socket, buf.filled(), *timeout, cancel).map(Value::Count),
        without_buffer => attempt_unbuffered(without_buffer, cancel),
    }
}

fn attempt_unbuffered(op: &Op, cancel: &Cancel) -> io::Result<Value> {
    match op {
        Op::Open { dir, path, mode } => open(base(dir)?, path, *mode).map(Value::File),
        Op::Stat { file } => Ok(Value::Stat(fs::fstat(file.0.fd()?)?.into())),
        Op::StatAt { dir, path } => {
            Ok(Value::Stat(fs::statat(base(dir)?, path, AtFlags::SYMLINK_NOFOLLOW)?.into()))
        }
        Op::CloneFile { source, file } => done(fs::ioctl_ficlone(file.0.fd()?, source.0.fd()?)),
        Op::Allocate { file, bytes } => allocate(file.0.fd()?, *bytes).map(|()| Value::Done),
        Op::SetLength { file, bytes } => done(fs::ftruncate(file.0.fd()?, *bytes)),
        Op::SetMode { file, mode } => done(fs::fchmod(file.0.fd()?, Mode::from_raw_mode(*mode))),
        Op::SetModified { file, modified } => done(set_modified(file.0.fd()?, modified.0, modified.1)),
        Op::Attributes { file } => Attributes::of(file.0.fd()?).map(Value::Attributes),
        Op::SetAttribute { file, name, value } => {
            done(fs::fsetxattr(file.0.fd()?, name, value, XattrFlags::empty()))
        }
        Op::Attribute { file, name } => metadata::attribute(file.0.fd()?, name).map(Value::Attribute),
        Op::SetOwner { file, owner, group } => {
            let owner = owner.map(fs::Uid::from_raw);
            done(fs::fchown(file.0.fd()?, owner, Some(fs::Gid::from_raw(*group))))
        }
        Op::Features { file } => Ok(Value::Features(metadata::features(file.0.fd()?))),
        Op::StoresLinks { file } => Ok(Value::Flag(metadata::stores_links(file.0.fd()?))),
        Op::SpareCache { file, unless_cached } => spare_cache(file, *unless_cached).map(Value::Flag),
        Op::DropBehind { file, offset } => drop_behind(file, *offset).map(|()| Value::Done),
        Op::Flush { file } => flush(file.0.fd()?).map(|()| Value::Done),
        Op::Sync { file } => done(fs::fsync(file.0.fd()?)),
        Op::Link { file, dir, path } => done(link(file.0.fd()?, base(dir)?, path)),
        Op::Rename { dir, from, to, replace } => done(rename(base(dir)?, from, to, *replace)),
        Op::Remove { dir, path } => done(fs::unlinkat(base(dir)?, path, AtFlags::empty())),
        Op::MakeDirectory { dir, path, mode } => {
            done(fs::mkdirat(base(dir)?, path, Mode::from_raw_mode(*mode)))
        }
        Op::Resolve { names, host, port, timeout } => {
            names.find(host, *port, *timeout, cancel).map(Value::Addresses)
        }
        Op::Connect { addresses, timeout } => {
            connect(addresses, *timeout, cancel).map(|socket| Value::Socket(socket.into()))
        }
        Op::ConnectLocal { path } => socket::local(path).map(|socket| Value::Socket(socket.into())),
        Op::Move { socket, pipe, file, offset, bytes_max } => {
            let moved = move_arrived(socket, pipe, file, *offset, *bytes_max)?;
            Ok(moved.map_or(Value::Flag(false), Value::Count))
        }
        Op::Sleep { duration } => sleep(*duration, cancel).map(|()| Value::Done),
        Op::ReadAt { .. } | Op::WriteAt { .. } | Op::Recv { .. } | Op::Send { .. } => {
            unreachable!("operations with a buffer are handled above")
        }
    }
}

fn done(result: rustix::io::Result<()>) -> io::Result<Value> {
    result?;
    Ok(Value::Done)
}

pub(crate) fn base(dir: &Option<Directory>) -> io::Result<BorrowedFd<'_>> {
    match dir {
        Some(dir) => dir.file().0.fd(),
        None => Ok(CWD),
    }
}

fn open(base: BorrowedFd<'_>, path: &Path, mode: OpenMode) -> io::Result<File> {
    let private = Mode::from_raw_mode(0o600);
    let open = || retry_on_intr(|| fs::openat(base, path, mode.flags(), private));
    let mut fd = open()?;
    if let OpenMode::CreateNew | OpenMode::Staged = mode {
        let mut is_held = hold(&fd);
        // A process that removes leftovers may have locked the file, and perhaps removed it, before it was locked here:
        // `crate::remove_if_left`. As long as the name is there, the caller has to choose another one.
        while mode == OpenMode::CreateNew && (!is_held || fs::fstat(&fd)?.st_nlink == 0) {
            fd = open()?;
            is_held = hold(&fd);
        }
        if mode == OpenMode::Staged && (!is_held || fs::fstat(&fd)?.st_nlink == 0) {
            return Err(Errno::NOENT.into());
        }
    }
    if mode == OpenMode::Locked {
        // A file system without locks has nothing to respect.
        if fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(Errno::WOULDBLOCK.into());
        }
    }
    Ok(match mode {
        OpenMode::CreateNew | OpenMode::Unnamed => File(Descriptor::of_new_file(fd).into()),
        _ => fd.into(),
    })
}

/// Locks a file with a temporary name, which marks it as in use. On a file system without locks, no file is ever taken
/// for a leftover. Returns false if another process is about to remove the file.
fn hold(fd: impl AsFd) -> bool {
    fs::flock(fd, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK)
}

fn read(file: &File, buf: &mut Buf, bytes_max: usize, offset: Offset) -> io::Result<usize> {
    let fd = file.0.fd()?;
    let spare = buf.spare_mut();
    let bytes_max = bytes_max.min(spare.len());
    let spare = &mut spare[..bytes_max];
    let count = match offset {
        Offset::At(offset) => retry_on_intr(|| rustix::io::pread(fd, &mut *spare, offset))?,
        Offset::Stream => retry_on_intr(|| rustix::io::read(fd, &mut *spare))?,
    };
    buf.commit(count);
    Ok(count)
}

fn write(file: &File, buf: &Buf, offset: Offset, cancel: &Cancel) -> io::Result<usize> {
    let fd = file.0.fd()?;
    match offset {
        Offset::At(offset) => Ok(retry_on_intr(|| rustix::io::pwrite(fd, buf.filled(), offset))?),
        // The reader of a pipe may pause for as long as it likes.
        Offset::Stream => {
            let is_regular = FileType::from_raw_mode(fs::fstat(fd)?.st_mode).is_file();
            write_some(fd, buf.filled(), is_regular, cancel)
        }
    }
}

fn spare_cache(file: &File, unless_cached: Option<u64>) -> io::Result<bool> {
    let fd = file.0.fd()?;
    if is_in_memory(fd) {
        return Ok(false);
    }
    let parts = match unless_cached {
        Some(bytes) => {
            let parts = page_cache::uncached(fd, bytes);
            if parts.iter().map(|part| part.end - part.start).sum::<u64>() < bytes / 2 {
                return Ok(false);
            }
            parts
        }
        None => std::iter::once(0..i64::MAX as u64).collect(),
    };
    file.0.drop_behind(parts);
    Ok(true)
}

fn drop_behind(file: &File, offset: Option<u64>) -> io::Result<()> {
    let fd = file.0.fd()?;
    let Some(parts) = file.0.dropped_parts() else { return Ok(()) };
    if is_writable(fd)? {
        page_cache::start_writing_back(fd);
    }
    // Nobody reads a new file, which may be written at several places: what is stored of it goes, wherever it lies.
    let offset = offset.filter(|_| !file.0.is_new_file());
    page_cache::drop_behind(fd, parts, offset);
    Ok(())
}

fn is_writable(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(fs::fcntl_getfl(fd)?.contains(OFlags::RDWR))
}

fn allocate(fd: BorrowedFd<'_>, bytes: u64) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    match metadata::kind_of(fd) {
        // In memory, reserving space means clearing every page on this thread, shortly before each is written anyway.
        TMPFS | RAMFS => return Ok(fs::ftruncate(fd, bytes)?),
        // Writing into reserved extents, or into a hole, takes half as long again as growing the file.
        BTRFS => return Ok(()),
        _ => {}
    }
    match retry_on_intr(|| fs::fallocate(fd, FallocateFlags::empty(), 0, bytes)) {
        // A file system that can't reserve space; setting the length is all that can be done.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(fs::ftruncate(fd, bytes)?),
        result => Ok(result?),
    }
}

/// Whether a file lies on a file system without a device.
pub(crate) fn is_in_memory(fd: BorrowedFd<'_>) -> bool {
    [TMPFS, RAMFS].contains(&metadata::kind_of(fd))
}

fn set_modified(fd: BorrowedFd<'_>, seconds: i64, nanoseconds: u32) -> rustix::io::Result<()> {
    let omit = fs::Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT };
    let modified = fs::Timespec { tv_sec: seconds, tv_nsec: i64::from(nanoseconds) };
    fs::futimens(fd, &Timestamps { last_access: omit, last_modification: modified })
}

fn link(fd: BorrowedFd<'_>, base: BorrowedFd<'_>, path: &Path) -> rustix::io::Result<()> {
    if path.file_name().is_some_and(is_temporary) {
        hold(fd);
    }
    match fs::linkat(fd, "", base, path, AtFlags::EMPTY_PATH) {
        // Kernels before 6.10 allow an empty path only with CAP_DAC_READ_SEARCH.
        Err(Errno::NOENT | Errno::PERM) => {
            use std::os::fd::AsRawFd;
            let by_number = format!("/proc/self/fd/{}", fd.as_raw_fd());
            fs::linkat(CWD, by_number, base, path, AtFlags::SYMLINK_FOLLOW)
        }
        result => result,
    }
}

fn rename(base: BorrowedFd<'_>, from: &Path, to: &Path, replace: bool) -> rustix::io::Result<()> {
    if replace {
        return fs::renameat(base, from, base, to);
    }
    match fs::renameat_with(base, from, base, to, RenameFlags::NOREPLACE) {
        // On a file system without NOREPLACE, and where a filter forbids the call, a hard link refuses an existing name
        // as well.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
            match fs::linkat(base, from, base, to, AtFlags::empty()) {
                // Nothing here refuses an existing name: `crate::Staged` has another way.
                Err(Errno::PERM | Errno::NOSYS) => Err(Errno::OPNOTSUPP),
                result => result.and_then(|()| fs::unlinkat(base, from, AtFlags::empty())),
            }
        }
        result => result,
    }
}

fn sleep(duration: Duration, cancel: &Cancel) -> io::Result<()> {
    match wait(&mut [PollFd::new(cancel, PollFlags::IN)], Deadline::after(duration)) {
        Ok(()) => Err(cancelled()),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(()),
        Err(error) => Err(error),
    }
}
