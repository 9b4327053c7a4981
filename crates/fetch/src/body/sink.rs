//! Where a body goes.
//!
//! Owns: memory with a limit, streams, discarding; the choice between these, files and readers.
//! Does not own: writing files ([`crate::body::file_sink`]), hand-over to readers ([`crate::body::handover`]), decoding.

use haul_io::{Buf, File, Io, Offset};

use crate::body::file_sink::{FileSink, write_first};
use crate::body::handover::Handover;
use crate::{Error, Response};

pub(crate) enum Sink {
    /// Kept nowhere; more than so many bytes is an error.
    Discard { bytes_max: u64, bytes: u64 },
    /// Kept in memory, up to so many bytes.
    Memory { bytes_max: u64, bytes: Vec<u8> },
    /// Appears as a file when it is complete.
    File(Box<FileSink>),
    /// Handed on as it arrives: so many bytes so far.
    Stream { file: File, bytes: u64 },
    /// Read by the caller as it arrives.
    Reader(Handover),
}

impl Sink {
    pub(crate) fn file(sink: FileSink) -> Self {
        Self::File(Box::new(sink))
    }

    pub(crate) fn memory(bytes_max: u64) -> Self {
        Self::Memory { bytes_max, bytes: Vec::new() }
    }

    pub(crate) fn discard(bytes_max: u64) -> Self {
        Self::Discard { bytes_max, bytes: 0 }
    }

    pub(crate) fn stream(file: File) -> Self {
        Self::Stream { file, bytes: 0 }
    }

    /// The response is there, and its body about to come.
    pub(crate) fn announce(&mut self, response: impl FnOnce() -> Response) {
        match self {
            Self::Reader(handover) => handover.announce(&response()),
            Self::File(sink) => sink.announce(response),
            Self::Discard { .. } | Self::Memory { .. } | Self::Stream { .. } => {}
        }
    }

    /// That so many bytes in all can be taken.
    pub(crate) fn check_room(&self, bytes: u64) -> Result<(), Error> {
        match self {
            Self::Discard { bytes_max, .. } | Self::Memory { bytes_max, .. } if bytes > *bytes_max => {
                Err(Error::TooLarge { bytes_max: *bytes_max })
            }
            _ => Ok(()),
        }
    }

    /// Takes the first `count` filled bytes of `input`.
    pub(crate) async fn take(
        &mut self,
        io: &impl Io,
        mut input: Buf,
        count: usize,
    ) -> (Result<(), Error>, Buf) {
        let result = match self {
            Self::Discard { bytes_max, bytes } => {
                *bytes += count as u64;
                if *bytes > *bytes_max { Err(Error::TooLarge { bytes_max: *bytes_max }) } else { Ok(()) }
            }
            Self::Memory { bytes_max, bytes } if (bytes.len() + count) as u64 > *bytes_max => {
                Err(Error::TooLarge { bytes_max: *bytes_max })
            }
            Self::Memory { bytes, .. } => {
                bytes.extend_from_slice(&input.filled()[..count]);
                Ok(())
            }
            Self::File(sink) => return sink.take(io, input, count).await,
            Self::Stream { file, bytes } => {
                *bytes += count as u64;
                return write_first(io, file, input, count, Offset::Stream).await;
            }
            Self::Reader(handover) => return (Ok(()), handover.take(input, count).await),
        };
        input.consume(count);
        (result, input)
    }

    /// Drops what is there. What was handed on can't be taken back.
    pub(crate) async fn start_over(&mut self, io: &impl Io) -> Result<(), Error> {
        match self {
            Self::Discard { bytes, .. } => *bytes = 0,
            Self::Memory { bytes, .. } => bytes.clear(),
            Self::File(sink) => sink.start_over(io).await?,
            Self::Stream { bytes: 0, .. } => {}
            Self::Reader(handover) if handover.is_untouched() => {}
            Self::Stream { .. } | Self::Reader(_) => return Err(Error::PassedOn),
        }
        Ok(())
    }

    /// Drops what is there, but keeps a partial file until what comes now is complete.
    pub(crate) async fn set_aside(&mut self, io: &impl Io) -> Result<(), Error> {
        match self {
            Self::File(sink) => sink.set_aside(io).await,
            _ => self.start_over(io).await,
        }
    }

    /// Makes ready for a pause; how many bytes are there after it.
    pub(crate) async fn pause(&mut self, io: &impl Io) -> u64 {
        match self {
            Self::File(sink) => sink.pause(io).await,
            Self::Stream { bytes, .. } => *bytes,
            // Cheap to fetch again, dear to hold: every task of a list may be paused.
            Self::Discard { .. } | Self::Memory { .. } | Self::Reader(_) => {
                let _ = self.start_over(io).await;
                0
            }
        }
    }

    /// The body is complete: publishes the file, gives back what was kept in memory.
    pub(crate) async fn complete(self, io: &impl Io) -> Result<Vec<u8>, Error> {
        match self {
            Self::Memory { bytes, .. } => return Ok(bytes),
            Self::File(sink) => sink.complete(io).await?,
            Self::Discard { .. } | Self::Stream { .. } | Self::Reader(_) => {}
        }
        Ok(Vec::new())
    }

    /// The body won't be complete: leaves nothing.
    pub(crate) async fn abandon(mut self, io: &impl Io) {
        // Nothing better can be done about a failure here; a stream keeps what it got.
        let _ = self.start_over(io).await;
    }
}
