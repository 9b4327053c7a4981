//! A byte stream in both directions: a socket, or TLS over another wire.
//!
//! Owns: sending and receiving, as a trait.
//! Does not own: TLS ([`crate::route::tls`]), the choice of the peer ([`crate::route::connection`]).

use std::io;
use std::time::Duration;

use haul_io::{Buf, Io, Socket};

/// Carries bytes in both directions, in order.
pub(crate) trait Wire {
    /// Sends all of `bytes`.
    async fn send(&mut self, io: &impl Io, bytes: Buf, timeout: Duration) -> (io::Result<()>, Buf);

    /// Appends received bytes to `buf` and returns their number; 0 is the end of the stream.
    async fn receive(&mut self, io: &impl Io, buf: Buf, timeout: Duration) -> (io::Result<usize>, Buf);
}

impl Wire for Socket {
    async fn send(&mut self, io: &impl Io, bytes: Buf, timeout: Duration) -> (io::Result<()>, Buf) {
        io.send_all(self, bytes, timeout).await
    }

    async fn receive(&mut self, io: &impl Io, buf: Buf, timeout: Duration) -> (io::Result<usize>, Buf) {
        io.recv(self, buf, timeout).await
    }
}
