//! Moving bytes from a socket to a file within the kernel.
//!
//! The pages that hold what has arrived pass through a pipe; their content is copied once, into the file. Receiving and
//! writing copies it twice.
//!
//! Owns: both halves of the way, and what happens to bytes that are in the pipe when the second half fails.
//! Does not own: waiting for bytes ([`super::transfer`]), the pipe ([`crate::Pipe`]).
//!
//! Source: splice(2).

use std::io;
use std::os::fd::AsFd;

use rustix::io::{Errno, ioctl_fionread, retry_on_intr};
use rustix::pipe::{SpliceFlags, splice};

use crate::{File, Pipe, Socket};

/// Moves at most `bytes_max` bytes that have arrived at `socket` to `offset` in `file`. Returns how many; 0 if none
/// have. `None` if nothing can be moved that way, and nothing was.
pub(super) fn move_arrived(
    socket: &Socket,
    pipe: &Pipe,
    file: &File,
    mut offset: u64,
    bytes_max: usize,
) -> io::Result<Option<usize>> {
    let mut pipe = pipe.lock();
    let Some(ends) = pipe.ends() else { return Ok(None) };
    let (socket, target) = (socket.0.fd()?, file.0.fd()?);
    // The flag of splice concerns the pipe only: it waits for a socket that has nothing.
    let arrived = ioctl_fionread(socket).and_then(|count| match count {
        0 => Ok(0),
        _ => {
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            retry_on_intr(|| splice(socket, None, &ends.write, None, bytes_max, flags))
        }
    });
    let arrived = match arrived {
        Ok(count) => count,
        Err(_) => {
            // Whatever it is, receiving works or says it better.
            pipe.close();
            return Ok(None);
        }
    };
    let mut left = arrived;
    while left > 0 {
        let moved =
            retry_on_intr(|| splice(&ends.read, None, target, Some(&mut offset), left, SpliceFlags::MOVE));
        match moved {
            Ok(count) if count > 0 => left -= count,
            // The file system can't take pages.
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => {
                let copied = copy(&ends.read, target, offset, left);
                pipe.close();
                return copied.map(|()| Some(arrived));
            }
            moved => {
                pipe.close();
                return Err(moved.err().map_or(io::ErrorKind::WriteZero.into(), io::Error::from));
            }
        }
    }
    Ok(Some(arrived))
}

/// Reads the `left` bytes that `pipe` holds, and writes them.
fn copy(pipe: impl AsFd, target: impl AsFd, mut offset: u64, mut left: usize) -> io::Result<()> {
    let mut piece = vec![0; left.min(128 * 1024)];
    while left > 0 {
        let count = piece.len().min(left);
        let count = retry_on_intr(|| rustix::io::read(&pipe, &mut piece[..count]))?;
        let mut rest = &piece[..count];
        while !rest.is_empty() {
            let written = match retry_on_intr(|| rustix::io::pwrite(&target, rest, offset))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => written,
            };
            offset += written as u64;
            rest = &rest[written..];
        }
        left -= count;
    }
    Ok(())
}
