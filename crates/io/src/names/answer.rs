//! The answer to a lookup, and who receives it.
//!
//! Owns: the answer's shape, its ports.
//! Does not own: lookups.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// The result of a lookup, shared by all callers.
pub(crate) type Answer = Result<Arc<[SocketAddr]>, Arc<io::Error>>;
/// Receives an answer. Called once, on the thread that has the answer; it must not block.
pub(crate) type Callback = Box<dyn FnOnce(&Answer) + Send>;

/// The addresses of an answer, with `port`.
pub(crate) fn at_port(answer: &Answer, port: u16) -> io::Result<Vec<SocketAddr>> {
    match answer {
        Ok(addresses) => Ok(addresses
            .iter()
            .copied()
            .map(|mut address| {
                address.set_port(port);
                address
            })
            .collect()),
        Err(error) => Err(io::Error::new(error.kind(), error.clone())),
    }
}
