//! A reader of the plaintext of an age file that arrives in order.
//!
//! Owns: holding a piece of plaintext, and what a read returns after an error.
//! Does not own: dividing the file ([`super::pieces`]), authentication ([`crate::payload`]), reading at any position
//! ([`super::sealed_file`]).

use std::io::{self, Read};

use haul_age_format::{Identity, SEALED_CHUNK_BYTES};
use haul_io::Buf;

use super::accept::{Accepted, accept};
use super::options::StreamOptions;
use super::pieces::Pieces;
use crate::error::Error;
use crate::payload::Payload;
use crate::reader::{Unarmored, unarmored};

/// Opens an age file as it is read from a source, armored or not, on the thread that reads. For code that takes a
/// [`Read`]; [`open_stream`](crate::open_stream) uses several threads, and [`SealedFile`](crate::SealedFile) also
/// seeks.
///
/// Every byte that is read was authenticated. The end is reported once the last chunk is authentic: a file that was cut
/// short, lengthened or changed is an [`io::Error`] of the kind `InvalidData` around an [`Error`], as is every read
/// after that.
///
/// Memory: two buffers for four chunks of 64 KiB.
///
/// ```
/// use std::io::Read;
///
/// use haul_seal::{OpenReader, X25519Identity, seal_bytes};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ada = X25519Identity::generate();
/// let sealed = seal_bytes(b"Dear Ada", &[ada.to_recipient().into()])?;
/// let mut letter = String::new();
/// OpenReader::new(&sealed[..], &[ada.into()])?.read_to_string(&mut letter)?;
/// assert_eq!(letter, "Dear Ada");
/// # Ok(())
/// # }
/// ```
pub struct OpenReader<R> {
    pieces: Pieces<Unarmored<R>>,
    payload: Payload,
    sealed: Buf,
    /// Plaintext that wasn't returned yet. Invariant: authentic.
    plain: Buf,
    state: State,
}

enum State {
    Open,
    /// What follows the bytes in `plain`.
    Failed(Error),
    Ended,
    /// The error was returned.
    Over,
}

impl<R: Read> OpenReader<R> {
    /// Reads the header of the age file in `source` and opens it with the first of `identities` that fits. Plugins
    /// aren't asked: see [`new_with`](Self::new_with).
    ///
    /// Cost: about 60 µs for an X25519 identity, a second or more for a passphrase.
    ///
    /// # Errors
    /// [`Error::Header`] if no identity fits or the header is malformed; [`Error::CutShort`] if the header or the nonce
    /// isn't complete; [`Error::Armor`]; [`Error::Io`] if `source` can't be read.
    pub fn new(source: R, identities: &[Identity]) -> Result<Self, Error> {
        Self::accept(source, identities, None)
    }

    /// As [`new`](Self::new), and asks the plugins of `options` if no other identity fits.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`Error::Plugin`].
    pub fn new_with(source: R, identities: &[Identity], options: &StreamOptions) -> Result<Self, Error> {
        Self::accept(source, identities, Some(options))
    }

    fn accept(source: R, identities: &[Identity], options: Option<&StreamOptions>) -> Result<Self, Error> {
        let mut source = unarmored(source).map_err(Error::of_read)?;
        let Accepted { payload, start } = accept(&mut source, identities, options)?;
        let pieces = Pieces::new(source, SEALED_CHUNK_BYTES, &start);
        let bytes_max = pieces.piece_bytes_max();
        let (sealed, plain) = (Buf::with_capacity(bytes_max), Buf::with_capacity(bytes_max));
        Ok(Self { pieces, payload, sealed, plain, state: State::Open })
    }

    /// Opens the next piece.
    fn advance(&mut self) {
        self.sealed.clear();
        self.plain.clear();
        let opened = match self.pieces.take(&mut self.sealed) {
            None => return self.state = State::Ended,
            Some(Err(error)) => Err(Error::of_read(error)),
            Some(Ok(chunks)) => self.payload.open_chunks(chunks, self.sealed.filled(), &mut self.plain),
        };
        if let Err(error) = opened {
            self.state = State::Failed(error);
        }
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while self.plain.filled().is_empty() {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Open => {
                    self.state = State::Open;
                    self.advance();
                }
                State::Ended => {
                    self.state = State::Ended;
                    return Ok(0);
                }
                State::Failed(error) => return Err(error.into()),
                State::Over => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "an earlier read has failed"));
                }
            }
        }
        let count = self.plain.filled().read(out)?;
        self.plain.consume(count);
        Ok(count)
    }
}

impl<R> std::fmt::Debug for OpenReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenReader").finish_non_exhaustive()
    }
}
