//! An address where nobody listens, for certain.
//!
//! Owns: keeping the port so that nobody else begins to listen there.
//! Does not own: addresses that swallow connections; those need a network's help.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

/// Keeps the address of [`refused_address`] its own until dropped.
#[derive(Debug)]
pub struct RefusedGuard(#[expect(dead_code, reason = "held for its port")] OwnedFd);

/// An address where connecting is refused while the guard lives: bound, never listening.
///
/// # Panics
///
/// When there is no port to be had.
pub fn refused_address() -> (RefusedGuard, SocketAddr) {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = getsockname(&socket).expect("a bound socket has an address");
    let address = SocketAddr::try_from(address).expect("an address of the family asked for");
    (RefusedGuard(socket), address)
}
