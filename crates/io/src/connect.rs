//! Connecting to the first of several addresses that answers.
//!
//! Owns: the race between attempts and its delays.
//! Does not own: name resolution; TLS.
//!
//! Source: RFC 8305 (Happy Eyeballs), sections 4 (interleaving) and 5 (connection attempt delay).

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, ipproto, sockopt};

use crate::perform::{Deadline, wait};
use crate::{Cancel, cancelled};

/// How long one attempt runs alone before the next is started (RFC 8305 section 5 recommends 250 ms).
pub(crate) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A connected, non-blocking socket with `TCP_NODELAY`, to the first address that answers within `timeout`.
///
/// # Errors
/// `TimedOut`, the error of the attempt that failed last, or that of [`crate::is_cancelled`].
pub(crate) fn race(addresses: &[SocketAddr], timeout: Duration, cancel: &Cancel) -> io::Result<OwnedFd> {
    let deadline = Deadline::after(timeout);
    let mut waiting = interleaved(addresses).into_iter();
    let mut attempts: Vec<OwnedFd> = Vec::new();
    let mut last_error = no_addresses();
    let mut next_start = Deadline::after(Duration::ZERO);
    loop {
        if (attempts.is_empty() || next_start.is_over())
            && let Some(address) = waiting.next()
        {
            next_start = Deadline::after(ATTEMPT_DELAY);
            match start(&address) {
                Ok(Attempt::Connected(socket)) => return Ok(socket),
                Ok(Attempt::Underway(socket)) => attempts.push(socket),
                Err(error) => last_error = error,
            }
            continue;
        }
        if attempts.is_empty() {
            return Err(last_error);
        }
        let until = if waiting.len() == 0 { deadline } else { deadline.earlier(next_start) };
        match first_ready(&attempts, cancel, until) {
            Ok(index) => {
                let socket = attempts.swap_remove(index);
                match sockopt::socket_error(&socket)? {
                    Ok(()) => return Ok(socket),
                    Err(error) => last_error = error.into(),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut && !deadline.is_over() => {}
            Err(error) => return Err(error),
        }
    }
}

/// A connected, non-blocking socket to the one that listens under `path`.
pub(crate) fn local(path: &Path) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket)
}

pub(crate) fn no_addresses() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "no addresses to connect to")
}

pub(crate) enum Attempt {
    Connected(OwnedFd),
    Underway(OwnedFd),
}

pub(crate) fn start(address: &SocketAddr) -> io::Result<Attempt> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    match rustix::net::connect(&socket, address) {
        Ok(()) => Ok(Attempt::Connected(socket)),
        Err(Errno::INPROGRESS | Errno::INTR) => Ok(Attempt::Underway(socket)),
        Err(error) => Err(error.into()),
    }
}

/// The index of an attempt that has come to an end, well or badly.
fn first_ready(attempts: &[OwnedFd], cancel: &Cancel, until: Deadline) -> io::Result<usize> {
    let mut fds: Vec<_> = attempts.iter().map(|socket| PollFd::new(socket, PollFlags::OUT)).collect();
    fds.push(PollFd::new(cancel, PollFlags::IN));
    wait(&mut fds, until)?;
    if cancel.is_triggered() {
        return Err(cancelled());
    }
    fds.iter()
        .position(|fd| !fd.revents().is_empty())
        .ok_or_else(|| io::Error::other("poll reported readiness but named no descriptor"))
}

/// The addresses with their families alternating, starting with the family of the first (RFC 8305 section 4).
pub(crate) fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let (preferred, other): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv4() == first.is_ipv4());
    let mut other = other.into_iter();
    let mut mixed = Vec::with_capacity(addresses.len());
    for address in preferred {
        mixed.push(address);
        mixed.extend(other.next());
    }
    mixed.extend(other);
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn families_alternate() {
        let mixed = interleaved(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(addr));
        assert_eq!(mixed, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(addr));
        assert!(interleaved(&[]).is_empty());
    }

    /// A port that stays ours and refuses: bound, never listening.
    fn refusing() -> (OwnedFd, SocketAddr) {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &addr("127.0.0.1:0")).unwrap();
        let address = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
        (socket, address)
    }

    #[test]
    fn a_refused_address_leads_on_to_the_next() {
        let (_held, gone) = refusing();
        let alive = TcpListener::bind("127.0.0.1:0").unwrap();
        let cancel = Cancel::new().unwrap();
        let addresses = [gone, alive.local_addr().unwrap()];
        race(&addresses, Duration::from_secs(5), &cancel).expect("the second address answers");
        let error = race(&[gone], Duration::from_secs(5), &cancel).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

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

    #[test]
    fn no_addresses_is_an_error() {
        let error = race(&[], Duration::from_secs(1), &Cancel::new().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
