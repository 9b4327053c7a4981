//! The open source of a task.
//!
//! Owns: reading the source and noticing that it changed.
//! Does not own: opening it ([`super::pair`]).

use haul_io::{Buf, File, Io, Offset, Shortfall, Stat, spare_cache};

use super::outcome::Remarks;
use crate::error::{During, Error};

/// An open source and its metadata from the time when it was opened.
pub(crate) struct SourceFile {
    pub(crate) file: File,
    pub(crate) stat: Stat,
    /// Whether the inode number has changed since the file was found.
    pub(crate) is_unsteady: bool,
    /// Whether it and its result are kept out of the page cache: it is huge, and wasn't cached before.
    pub(crate) spares_cache: bool,
}

impl SourceFile {
    /// Reads exactly `bytes` bytes at `offset` into the empty buffer `buf`. A shorter file has changed.
    pub(crate) async fn read(&self, io: &impl Io, buf: Buf, bytes: usize, offset: u64) -> Result<Buf, Error> {
        let (count, buf) = io.read_full(&self.file, buf, bytes, Offset::At(offset)).await;
        if count.map_err(Error::at(During::Read))? == bytes { Ok(buf) } else { Err(Error::SourceChanged) }
    }

    /// Reads the whole file into the empty buffer `buf`, which must have room for one more byte: it shows that the file
    /// has grown. `None` if the length in the metadata isn't true.
    pub(crate) async fn read_whole(&self, io: &impl Io, buf: Buf) -> Result<Option<Buf>, Error> {
        let bytes_max = self.stat.bytes as usize + 1;
        let (count, buf) = io.read_full(&self.file, buf, bytes_max, Offset::At(0)).await;
        if count.map_err(Error::at(During::Read))? as u64 == self.stat.bytes {
            return Ok(Some(buf));
        }
        self.check_unchanged(io).await?;
        Ok(None)
    }

    /// Whether the file ends where its metadata says. Files in /proc, /sys and some FUSE file systems don't: they are
    /// read in order, to their end.
    pub(crate) async fn is_length_true(&self, io: &impl Io) -> Result<bool, Error> {
        let last = self.stat.bytes.saturating_sub(1);
        let (count, _) = io.read_full(&self.file, Buf::with_capacity(2), 2, Offset::At(last)).await;
        if count.map_err(Error::at(During::Read))? as u64 == self.stat.bytes.min(1) {
            return Ok(true);
        }
        self.check_unchanged(io).await?;
        Ok(false)
    }

    /// Fails if the file has changed since it was opened.
    pub(crate) async fn check_unchanged(&self, io: &impl Io) -> Result<(), Error> {
        let after = io.stat(&self.file).await.map_err(Error::at(During::Read))?;
        // It is still the open file, whatever its inode number is said to be.
        if self.stat.same_version(&after) { Ok(()) } else { Err(Error::SourceChanged) }
    }

    /// Keeps its result out of the page cache too, if it is kept out itself.
    pub(crate) async fn spare_cache_with(&self, io: &impl Io, result: &File) {
        if self.spares_cache {
            spare_cache(io, result, None).await;
        }
    }

    /// Remarks about the file for its outcome.
    pub(crate) fn remarks(&self) -> Remarks {
        let mut remarks = Remarks::of(&self.stat);
        if self.is_unsteady {
            remarks.shortfalls.add(Shortfall::Identity);
        }
        remarks
    }
}
