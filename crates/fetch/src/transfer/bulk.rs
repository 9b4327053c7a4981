//! Receiving large bodies at little cost.
//!
//! | what holds | how the next bytes come |
//! |---|---|
//! | the body is small or slow, or there is no permit | in pieces of 128 KiB |
//! | its length is known, nothing is computed on it, there is no TLS | moved by the kernel from socket to file |
//! | otherwise | in pieces of [`LARGE_BYTES`] |
//!
//! Bytes are moved only if enough have arrived already; waiting is left to receiving.
//!
//! Owns: the choice.
//! Does not own: the budget ([`crate::transfer::bulk::pieces`]), receiving ([`crate::transfer::receive`]).

pub(crate) mod pieces;

use haul_http1::{Body, Framing};
use haul_io::{Buf, Io, Pipe};

use crate::Error;
use crate::body::receiver::Receiver;
use crate::route::connection::Connection;
use crate::transfer::attempt::Attempt;
use crate::transfer::bulk::pieces::{LARGE_BYTES, LargePiece};

/// If less was moved at once, the server is slow.
const MOVED_BYTES_MIN: usize = 64 * 1024;

/// How one body is received.
pub(crate) struct Bulk<'a, I> {
    attempt: &'a Attempt<'a, I>,
    /// The length of the body, if it is known.
    expected_bytes: Option<u64>,
    is_allowed: bool,
    permit: Option<LargePiece<'a>>,
    /// Moves bytes, if these can be moved.
    pipe: Option<Pipe>,
    /// What was moved last, unless something was received since.
    moved_bytes: usize,
}

impl<'a, I: Io> Bulk<'a, I> {
    /// Nothing grows unless `is_allowed`.
    pub(crate) fn new(attempt: &'a Attempt<'a, I>, framing: Framing, is_allowed: bool) -> Self {
        let expected_bytes = match framing {
            Framing::Length(bytes) => Some(bytes),
            _ => None,
        };
        Self { attempt, expected_bytes, is_allowed, permit: None, pipe: None, moved_bytes: 0 }
    }

    /// Moves the next bytes of `body` to `receiver` if that can be done at once. Returns how many, and a buffer to
    /// receive more into: the empty `input` or a larger one. `was_full` says that the last piece was as long as it
    /// could be.
    pub(crate) async fn advance(
        &mut self,
        connection: &Connection,
        body: &mut Body,
        receiver: &mut impl Receiver,
        input: Buf,
        was_full: bool,
    ) -> (Result<usize, Error>, Buf) {
        let is_fast = was_full || self.moved_bytes >= MOVED_BYTES_MIN;
        self.moved_bytes = 0;
        if !self.is_allowed || !is_fast {
            return (Ok(0), input);
        }
        if self.permit.is_none() {
            let pieces = &self.attempt.shared.large_pieces;
            self.permit = pieces.take(self.expected_bytes, body.received_bytes(), was_full);
            if self.permit.is_none() {
                return (Ok(0), input);
            }
            self.pipe = self.expected_bytes.map(|_| Pipe::default());
        }
        match self.moved(connection, body, receiver).await {
            Ok(Some(count)) => {
                self.moved_bytes = count;
                return (Ok(count), input);
            }
            Ok(None) => self.pipe = None,
            Err(error) => return (Err(error), input),
        }
        if input.capacity() >= LARGE_BYTES {
            return (Ok(0), input);
        }
        let io = self.attempt.io;
        io.give_buf(input);
        (Ok(0), io.take_buf(LARGE_BYTES))
    }

    /// `None` if nothing can be moved.
    async fn moved(
        &self,
        connection: &Connection,
        body: &mut Body,
        receiver: &mut impl Receiver,
    ) -> Result<Option<usize>, Error> {
        let (Some(pipe), Some(socket)) = (&self.pipe, connection.plain_socket()) else { return Ok(None) };
        let left = body.run_bytes().and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        let moved = receiver.move_arrived(self.attempt.io, socket, pipe, left.min(Pipe::BYTES)).await?;
        body.skip(moved.unwrap_or(0) as u64);
        Ok(moved)
    }
}
