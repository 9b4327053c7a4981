//! Sockets that connect without waiting.
//!
//! Owns: creating a socket and starting its attempt.
//! Does not own: which address is next ([`super::race`]), waiting for the attempt.
//!
//! Source: connect(2), unix(7).

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, ipproto, sockopt};

/// A connection attempt that has been started.
pub(crate) enum Attempt {
    Connected(OwnedFd),
    /// The socket becomes writable when the attempt has succeeded or failed.
    InProgress(OwnedFd),
}

/// Starts an attempt with a non-blocking socket that has `TCP_NODELAY`.
pub(crate) fn start(address: &SocketAddr) -> io::Result<Attempt> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, address) {
        Ok(()) => Ok(Attempt::Connected(socket)),
        Err(Errno::INPROGRESS | Errno::INTR) => Ok(Attempt::InProgress(socket)),
        Err(error) => Err(error.into()),
    }
}

/// A connected, non-blocking socket to the local listener at `path`.
pub(crate) fn local(path: &Path) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_sockets_are_found_by_their_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        assert_eq!(local(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        local(&path).unwrap();
        drop(listener);
        assert_eq!(local(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
