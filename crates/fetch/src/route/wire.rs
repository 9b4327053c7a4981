//! What carries bytes: a socket, or TLS over whatever carries bytes.
//!
//! Owns: the two things that both can do.
//! Does not own: TLS ([`crate::route::tls`]), who is at the other end ([`crate::route::connection`]).

use std::io;
use std::time::Duration;

use haul_io::{Buf, Io, Socket};

/// Carries bytes both ways, in order.
pub(crate) trait Wire {
    /// Sends all of `bytes`.
    async fn send(&mut self, io: &impl Io, bytes: Buf, timeout: Duration) -> (io::Result<()>, Buf);

    /// Appends what arrives to `buf`; 0 is the end.
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
