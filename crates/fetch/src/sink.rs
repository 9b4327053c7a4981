//! Where a body goes.
//!
//! Owns: memory with a cap, files that appear whole, streams, nothing.
//! Does not own: decoding the body.

use haul_io::{Buf, File, Io, Offset, Publish, Staged};

use crate::Error;

pub(crate) enum Sink {
    /// Kept nowhere; more than so many bytes is an error.
    Discard { bytes_max: u64, bytes: u64 },
    /// Kept in memory, up to so many bytes.
    Memory { bytes_max: u64, bytes: Vec<u8> },
    /// Appears as a file when it is complete.
    File(FileSink),
    /// Handed on as it arrives: so many bytes so far.
    Stream { file: File, bytes: u64 },
}

/// A file that is written at once when it is small, and as it arrives when it isn't.
pub(crate) struct FileSink {
    publish: Publish,
    /// Length of the body where it is known ahead.
    expected_bytes: Option<u64>,
    /// What has arrived and isn't written.
    held: Option<Buf>,
    staged: Option<Staged>,
    written_bytes: u64,
}

/// Bodies up to this many bytes are written in one go.
const HELD_BYTES: usize = 128 * 1024;

impl Sink {
    pub(crate) fn file(publish: Publish) -> Self {
        Self::File(FileSink { publish, expected_bytes: None, held: None, staged: None, written_bytes: 0 })
    }

    pub(crate) fn stream(file: File) -> Self {
        Self::Stream { file, bytes: 0 }
    }

    /// Whether the body can be received once more from its beginning: what was handed on can't be taken back.
    pub(crate) fn can_start_over(&self) -> bool {
        !matches!(self, Self::Stream { bytes: 1.., .. })
    }

    pub(crate) fn memory(bytes_max: u64) -> Self {
        Self::Memory { bytes_max, bytes: Vec::new() }
    }

    pub(crate) fn discard(bytes_max: u64) -> Self {
        Self::Discard { bytes_max, bytes: 0 }
    }

    /// Says how long the body will be.
    pub(crate) fn expect(&mut self, bytes: u64) -> Result<(), Error> {
        match self {
            Self::Discard { bytes_max, .. } | Self::Memory { bytes_max, .. } if bytes > *bytes_max => {
                Err(Error::TooLarge { bytes_max: *bytes_max })
            }
            Self::File(sink) => {
                sink.expected_bytes = Some(bytes);
                Ok(())
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
        };
        input.consume(count);
        (result, input)
    }

    /// The body is complete: publishes the file, gives back what was kept in memory.
    pub(crate) async fn complete(self, io: &impl Io) -> Result<Vec<u8>, Error> {
        match self {
            Self::Memory { bytes, .. } => return Ok(bytes),
            Self::File(sink) => sink.complete(io).await?,
            Self::Discard { .. } | Self::Stream { .. } => {}
        }
        Ok(Vec::new())
    }

    /// The body won't be complete: leaves nothing.
    pub(crate) async fn abandon(self, io: &impl Io) {
        if let Self::File(FileSink { staged: Some(staged), .. }) = self {
            staged.discard(io).await;
        }
    }
}

impl FileSink {
    async fn take(&mut self, io: &impl Io, mut input: Buf, count: usize) -> (Result<(), Error>, Buf) {
        let mut held = self.held.take().unwrap_or_else(|| io.take_buf(HELD_BYTES));
        if self.staged.is_none() && count <= held.spare_mut().len() {
            held.append(&input.filled()[..count]);
            self.held = Some(held);
            input.consume(count);
            return (Ok(()), input);
        }
        if let Err(error) = self.write_out(io, held).await {
            return (Err(error), input);
        }
        let staged = self.staged.as_ref().expect("staged by the write before");
        let offset = Offset::At(self.written_bytes);
        let (result, input) = write_first(io, staged.file(), input, count, offset).await;
        self.written_bytes += count as u64;
        (result, input)
    }

    /// Writes what is held behind what is written, into a staged file.
    async fn write_out(&mut self, io: &impl Io, held: Buf) -> Result<(), Error> {
        if self.staged.is_none() {
            let staged = Staged::create(io, &self.publish.path).await.map_err(Error::write)?;
            let staged = self.staged.insert(staged);
            if let Some(bytes) = self.expected_bytes {
                io.allocate(staged.file(), bytes).await.map_err(Error::write)?;
            }
        }
        let staged = self.staged.as_ref().expect("staged above");
        let count = held.filled().len() as u64;
        let (written, held) = io.write_all(staged.file(), held, Offset::At(self.written_bytes)).await;
        self.written_bytes += count;
        self.held = Some(held);
        written.map_err(Error::write)
    }

    async fn complete(self, io: &impl Io) -> Result<(), Error> {
        let held = self.held.unwrap_or_else(|| Buf::with_capacity(0));
        match self.staged {
            Some(staged) => staged.publish(io, &self.publish).await.map_err(Error::write),
            None => {
                let (result, held) = io.write_file(self.publish, held).await;
                io.give_buf(held);
                result.map_err(Error::write)
            }
        }
    }
}

/// Writes the first `count` filled bytes of `input`; without a copy where they are all there is.
async fn write_first(
    io: &impl Io,
    file: &File,
    mut input: Buf,
    count: usize,
    offset: Offset,
) -> (Result<(), Error>, Buf) {
    if count == input.filled().len() {
        let (written, input) = io.write_all(file, input, offset).await;
        return (written.map_err(Error::write), input);
    }
    let mut first = io.take_buf(count);
    first.append(&input.filled()[..count]);
    input.consume(count);
    let (written, first) = io.write_all(file, first, offset).await;
    io.give_buf(first);
    (written.map_err(Error::write), input)
}
