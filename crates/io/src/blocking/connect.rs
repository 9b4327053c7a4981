//! The race of connection attempts, by `poll`.
//!
//! Owns: the sockets of attempts in progress, waiting for them and for the run's cancellation.
//! Does not own: the order and timing of attempts ([`crate::connect::race`]).

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::net::sockopt;

use crate::connect::race::{Race, Step};
use crate::connect::socket::{Attempt, start};
use crate::system::deadline::{Deadline, wait};
use crate::{Cancel, cancelled};

/// A connected, non-blocking socket with `TCP_NODELAY`, to the first address that answers within `timeout`.
///
/// # Errors
/// `TimedOut`, the error of the attempt that failed last, or that of [`crate::is_cancelled`].
pub(super) fn connect(addresses: &[SocketAddr], timeout: Duration, cancel: &Cancel) -> io::Result<OwnedFd> {
    let mut race = Race::new(addresses, timeout, Instant::now());
    let mut attempts: Vec<OwnedFd> = Vec::new();
    loop {
        match race.next(Instant::now()) {
            Step::Start(address) => match start(&address) {
                Ok(Attempt::Connected(socket)) => return Ok(socket),
                Ok(Attempt::InProgress(socket)) => attempts.push(socket),
                Err(error) => race.failed(error),
            },
            Step::Wait { until } => match first_ready(&attempts, cancel, Deadline::at(until)) {
                Ok(index) => {
                    let socket = attempts.swap_remove(index);
                    match sockopt::socket_error(&socket)? {
                        Ok(()) => return Ok(socket),
                        Err(error) => race.failed(error.into()),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => race.waited(Instant::now()),
                Err(error) => return Err(error),
            },
            Step::Failed(error) => return Err(error),
        }
    }
}

/// The index of an attempt that has succeeded or failed.
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use rustix::net::{AddressFamily, SocketType};

    use super::*;

    /// A bound socket that never listens: its port is reserved, and connecting to it is refused.
    fn refusing() -> (OwnedFd, SocketAddr) {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &"127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
        let address = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
        (socket, address)
    }

    #[test]
    fn a_refused_address_leads_on_to_the_next() {
        let (_held, gone) = refusing();
        let alive = TcpListener::bind("127.0.0.1:0").unwrap();
        let cancel = Cancel::new().unwrap();
        let addresses = [gone, alive.local_addr().unwrap()];
        connect(&addresses, Duration::from_secs(5), &cancel).expect("the second address answers");
        let error = connect(&[gone], Duration::from_secs(5), &cancel).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn no_addresses_is_an_error() {
        let error = connect(&[], Duration::from_secs(1), &Cancel::new().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
