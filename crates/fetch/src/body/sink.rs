//! The destination of a body.
//!
//! Owns: memory with a limit, streams, discarding; the choice between these, files and readers.
//! Does not own: writing files ([`crate::body::file_sink`]), uploads ([`crate::uploads::sink`]), shards
//! ([`crate::packs::sink`]), hand-over to readers ([`crate::body::handover`]), decoding.

use haul_io::{Buf, File, Io, Offset, Shortfalls};
use haul_pack::Ticket;

use crate::body::file_sink::FileSink;
use crate::body::handover::Handover;
use crate::body::write::write_first;
use crate::kept::comparison::Comparison;
use crate::packs::sink::PackSink;
use crate::uploads::sink::UploadSink;
use crate::{Error, Response};

pub(crate) enum Sink {
    /// Discarded; more than `bytes_max` bytes are an error.
    Discard { bytes_max: u64, bytes: u64 },
    /// Kept in memory; more than `bytes_max` bytes are an error.
    Memory { bytes_max: u64, bytes: Vec<u8> },
    /// Written to a file, which is published when it is complete.
    File(Box<FileSink>),
    /// Uploaded, and published when it is complete.
    Upload(Box<UploadSink>),
    /// Collected, and packed when it is complete.
    Pack(Box<PackSink>),
    /// Written to a stream as it arrives, `bytes` bytes so far.
    Stream { file: File, bytes: u64 },
    /// Handed to a reader as it arrives.
    Reader(Handover),
    /// Compared with a file that exists.
    Compare(Box<Comparison>),
}

/// What a complete body became.
#[derive(Default)]
pub(crate) struct Stored {
    /// The bytes kept in memory; empty for other sinks.
    pub(crate) body: Vec<u8>,
    /// What the file system of a file couldn't do.
    pub(crate) shortfalls: Shortfalls,
    /// For the shard that has it.
    pub(crate) ticket: Option<Ticket>,
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

    /// Announces the response whose body comes next.
    pub(crate) fn announce(&mut self, response: impl FnOnce() -> Response) {
        match self {
            Self::Reader(handover) => handover.announce(&response()),
            Self::File(sink) => sink.announce(response),
            Self::Discard { .. } | Self::Memory { .. } | Self::Stream { .. } | Self::Compare(_) => {}
            Self::Upload(_) | Self::Pack(_) => {}
        }
    }

    /// Checks that there is room for `bytes` in total.
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
            Self::Upload(sink) => return Box::pin(sink.take(io, input, count)).await,
            Self::Pack(sink) => return Box::pin(sink.take(io, input, count)).await,
            Self::Stream { file, bytes } => {
                *bytes += count as u64;
                return write_first(io, file, input, count, Offset::Stream).await;
            }
            Self::Reader(handover) => return (Ok(()), handover.take(input, count).await),
            Self::Compare(comparison) => comparison.take(io, &input.filled()[..count]).await,
        };
        input.consume(count);
        (result, input)
    }

    /// Drops all bytes received so far. Bytes that were passed on can't be taken back.
    pub(crate) async fn start_over(&mut self, io: &impl Io) -> Result<(), Error> {
        match self {
            Self::Discard { bytes, .. } => *bytes = 0,
            Self::Memory { bytes, .. } => bytes.clear(),
            Self::Compare(comparison) => comparison.start_over(),
            Self::File(sink) => sink.start_over(io).await?,
            Self::Upload(sink) => sink.start_over(),
            Self::Pack(sink) => Box::pin(sink.start_over(io)).await,
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

    /// Prepares for a pause; returns how many bytes are kept.
    pub(crate) async fn pause(&mut self, io: &impl Io) -> u64 {
        match self {
            Self::File(sink) => sink.pause(io).await,
            Self::Upload(sink) => sink.pause(),
            Self::Pack(sink) => sink.pause(),
            Self::Stream { bytes, .. } => *bytes,
            // Fetching these again is cheap, but keeping them is not: every task of a list may be paused.
            Self::Discard { .. } | Self::Memory { .. } | Self::Reader(_) | Self::Compare(_) => {
                let _ = self.start_over(io).await;
                0
            }
        }
    }

    /// Completes the body: publishes the file, or returns the bytes kept in memory.
    pub(crate) async fn complete(&mut self, io: &impl Io) -> Result<Stored, Error> {
        let mut stored = Stored::default();
        match self {
            Self::Memory { bytes, .. } => stored.body = std::mem::take(bytes),
            Self::File(sink) => stored.shortfalls = sink.complete(io).await?,
            Self::Upload(sink) => Box::pin(sink.complete(io)).await?,
            Self::Pack(sink) => stored.ticket = Some(Box::pin(sink.complete(io)).await?),
            Self::Compare(comparison) => Box::pin(comparison.end(io)).await?,
            Self::Discard { .. } | Self::Stream { .. } | Self::Reader(_) => {}
        }
        Ok(stored)
    }

    /// Drops the incomplete body.
    pub(crate) async fn abandon(&mut self, io: &impl Io) {
        // A failure here can't be handled any better. A stream keeps the bytes that it got.
        let _ = self.start_over(io).await;
    }
}
