//! The answer to a lookup, and where it goes.
//!
//! Owns: the answer's shape, its ports.
//! Does not own: lookups.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// What a lookup came to.
pub(crate) type Answer = Result<Arc<[SocketAddr]>, Arc<io::Error>>;
/// What is done with an answer. Called once, on the thread that has it.
pub(crate) type Callback = Box<dyn FnOnce(&Answer) + Send>;

/// What an answer is to somebody who wants to connect to `port`.
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
