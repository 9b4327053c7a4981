//! A download as the receiver of one response after another.
//!
//! Owns: counting what arrives, which bytes need not be seen.
//! Does not own: what stores them ([`crate::body::store`]), what they are held against ([`crate::body::expectation`]).

use haul_io::{Buf, Io, Pipe, Socket};

use super::Download;
use crate::Error;
use crate::body::receiver::Receiver;
use crate::body::sink::Sink;

impl Receiver for Download {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn check_room(&self, bytes: u64) -> Result<(), Error> {
        self.store.sink.check_room(bytes)
    }

    fn see_encoded(&mut self, bytes: &[u8]) {
        self.expectation.update_encoded(bytes);
    }

    fn takes_large_pieces(&self) -> bool {
        let is_stored = matches!(&self.store.sink, Sink::File(_) | Sink::Discard { .. });
        is_stored && !self.expectation.hashes() && !self.store.is_encoded()
    }

    async fn take(&mut self, io: &impl Io, input: Buf, count: usize) -> (Result<(), Error>, Buf) {
        self.bytes += count as u64;
        self.store.take(io, &mut self.expectation, input, count).await
    }

    async fn move_arrived(
        &mut self,
        io: &impl Io,
        socket: &Socket,
        pipe: &Pipe,
        bytes_max: usize,
    ) -> Result<Option<usize>, Error> {
        if !self.takes_large_pieces() {
            return Ok(None);
        }
        let Some(sink) = self.store.file_mut() else { return Ok(None) };
        let moved = sink.move_arrived(io, socket, pipe, bytes_max).await?;
        self.bytes += moved.unwrap_or(0) as u64;
        Ok(moved)
    }

    async fn end(&mut self, _io: &impl Io) -> Result<(), Error> {
        self.expectation.end_content()
    }
}
