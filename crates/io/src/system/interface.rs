//! Network interfaces.
//!
//! Owns: their numbers.
//! Does not own: addresses.

use std::io;

use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// The number of the network interface `name`.
///
/// # Errors
/// The system's error if there is none.
pub fn interface_index(name: &str) -> io::Result<u32> {
    // Any socket will do: it says which network namespace is meant.
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(name_to_index(socket, name)?)
}
