//! Receiving and sending with a timeout, by blocking calls.
//!
//! Owns: the first attempt without waiting, and the wait for readiness after it.
//! Does not own: connecting.
//!
//! Source: recv(2), send(2), poll(2).

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use crate::system::deadline::{Deadline, wait};
use crate::{Buf, Cancel, Socket, cancelled};

pub(super) fn recv(socket: &Socket, buf: &mut Buf, timeout: Duration, cancel: &Cancel) -> io::Result<usize> {
    let fd = socket.0.fd()?;
    let count = when_ready(fd, PollFlags::IN, timeout, cancel, || {
        rustix::net::recv(fd, buf.spare_mut(), RecvFlags::DONTWAIT).map(|(count, _)| count)
    })?;
    buf.commit(count);
    Ok(count)
}

pub(super) fn send(socket: &Socket, bytes: &[u8], timeout: Duration, cancel: &Cancel) -> io::Result<usize> {
    let fd = socket.0.fd()?;
    when_ready(fd, PollFlags::OUT, timeout, cancel, || {
        rustix::net::send(fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
    })
}

/// Tries at once, and again whenever `fd` is ready, until the timeout. Data that has arrived costs one system call.
fn when_ready<T>(
    fd: BorrowedFd<'_>,
    readiness: PollFlags,
    timeout: Duration,
    cancel: &Cancel,
    mut attempt: impl FnMut() -> rustix::io::Result<T>,
) -> io::Result<T> {
    let deadline = Deadline::after(timeout);
    loop {
        match attempt() {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if timeout.is_zero() => return Err(io::ErrorKind::TimedOut.into()),
            Err(Errno::AGAIN) => {
                wait(&mut [PollFd::new(&fd, readiness), PollFd::new(cancel, PollFlags::IN)], deadline)?;
                if cancel.is_triggered() {
                    return Err(cancelled());
                }
            }
            result => return Ok(result?),
        }
    }
}
