//! The open source of a task.
//!
//! Owns: reading the source and noticing that it changed.
//! Does not own: opening it ([`super::pair`]).

use haul_io::{Buf, File, Io, Offset, Stat};

use crate::error::{During, Error};

/// An open source and its metadata from the time when it was opened.
pub(crate) struct SourceFile {
    pub(crate) file: File,
    pub(crate) stat: Stat,
}

impl SourceFile {
    /// Reads exactly `bytes` bytes at `offset` into the empty buffer `buf`. A shorter file has changed.
    pub(crate) async fn read(&self, io: &impl Io, buf: Buf, bytes: usize, offset: u64) -> Result<Buf, Error> {
        let (count, buf) = io.read_full(&self.file, buf, bytes, Offset::At(offset)).await;
        if count.map_err(Error::at(During::Read))? == bytes { Ok(buf) } else { Err(Error::SourceChanged) }
    }

    /// Reads the whole file into the empty buffer `buf`, which must have room for one more byte: it shows that the file
    /// has grown.
    pub(crate) async fn read_whole(&self, io: &impl Io, buf: Buf) -> Result<Buf, Error> {
        let bytes_max = self.stat.bytes as usize + 1;
        let (count, buf) = io.read_full(&self.file, buf, bytes_max, Offset::At(0)).await;
        let count = count.map_err(Error::at(During::Read))?;
        if count as u64 == self.stat.bytes { Ok(buf) } else { Err(Error::SourceChanged) }
    }

    /// Fails if the file has changed since it was opened.
    pub(crate) async fn check_unchanged(&self, io: &impl Io) -> Result<(), Error> {
        let after = io.stat(&self.file).await.map_err(Error::at(During::Read))?;
        if self.stat.same_content(&after) { Ok(()) } else { Err(Error::SourceChanged) }
    }
}
