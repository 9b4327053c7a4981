//! An address that is certain to refuse connections.
//!
//! Owns: keeping the port reserved, so that no other program listens there.
//! Does not own: addresses that drop packets silently; these need support from the network.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

/// Reserves the address of [`refused_address`] until it is dropped.
#[derive(Debug)]
pub struct RefusedGuard(#[expect(dead_code, reason = "held for its port")] OwnedFd);

/// An address that refuses connections while the guard lives: its socket is bound and never listens.
///
/// # Panics
///
/// When no port is available.
pub fn refused_address() -> (RefusedGuard, SocketAddr) {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = getsockname(&socket).expect("a bound socket has an address");
    let address = SocketAddr::try_from(address).expect("an address of the family asked for");
    (RefusedGuard(socket), address)
}
