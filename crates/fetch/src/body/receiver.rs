//! The interface between a transfer and whatever receives the content of its response.
//!
//! A [`Receiver`] takes the content of one response after another, in order. [`crate::body::download::Download`]
//! receives a whole representation, over several attempts where necessary; `segments::part::PartReceiver`
//! receives one range of a file.
//!
//! A receiver may wrap another one: it transforms the bytes and passes the result on. Such a receiver
//!
//! - holds back no more than one bounded buffer, and writes that out in [`Receiver::end`] before it ends the inner one;
//! - counts in [`Receiver::bytes`] what it took, not what it passed on;
//! - answers [`Receiver::check_room`] for the length that its output will have.
//!
//! Owns: this contract.
//! Does not own: framing and content codings (`transfer::receive`), what happens after the last response.

use haul_io::{Buf, Io, Pipe, Socket};

use crate::Error;

/// Receives the content of responses.
pub(crate) trait Receiver {
    /// Bytes received so far; the content of the next response follows them.
    fn bytes(&self) -> u64;

    /// Checks that there is room for `bytes` in total.
    fn check_room(&self, bytes: u64) -> Result<(), Error>;

    /// Sees the next bytes of encoded content, before they are decoded and taken.
    fn see_encoded(&mut self, _bytes: &[u8]) {}

    /// Takes the first `count` filled bytes of `input`, and returns a buffer for the next ones: `input` without what
    /// was taken, or an empty one of the same capacity in exchange.
    async fn take(&mut self, io: &impl Io, input: Buf, count: usize) -> (Result<(), Error>, Buf);

    /// Whether it takes bytes in pieces of several MiB without computing on them: a piece of work on a ring's thread
    /// must be short.
    fn takes_large_pieces(&self) -> bool {
        false
    }

    /// Takes at most `bytes_max` bytes that have arrived at `socket`, by way of `pipe`. Returns how many; `None` if the
    /// receiver must see them.
    async fn move_arrived(
        &mut self,
        _io: &impl Io,
        _socket: &Socket,
        _pipe: &Pipe,
        _bytes_max: usize,
    ) -> Result<Option<usize>, Error> {
        Ok(None)
    }

    /// How many of the bytes taken last were not needed.
    fn surplus(&self) -> usize {
        0
    }

    /// Whether nothing more of this response is needed.
    fn is_full(&self) -> bool {
        false
    }

    /// Ends the content of one response: it has arrived completely, or the receiver is full.
    ///
    /// # Errors
    /// If the content doesn't match the digest that its response announced.
    async fn end(&mut self, io: &impl Io) -> Result<(), Error>;
}
