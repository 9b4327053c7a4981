//! The content of a member: in memory, or in a file of its own that it spilled into.
//!
//! The header of a member tells its length, and nothing of a member that fails may stay in a shard: so content comes to
//! a shard when it is complete. What is too long for memory goes to an unnamed file first, in the format of the shard
//! under a key of its own: no plaintext touches the disk, and no chunk of the shard is encoded twice.
//!
//! Owns: the spilled file.
//! Does not own: when content spills.

use std::io;

use haul_io::{Io, Staged};

use super::writer::Writer;

/// The complete content of a member.
pub enum Content<'a> {
    /// In memory.
    Memory(&'a [u8]),
    /// In a file.
    Spill(Box<Spill>),
}

/// Content in a file that nobody sees. It is gone when this is dropped, if the file system has unnamed files.
pub struct Spill {
    staged: Staged,
    writer: Writer,
}

impl Spill {
    pub(super) fn new(staged: Staged, writer: Writer) -> Self {
        Self { staged, writer }
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// The system's error of writing; the content is then lost.
    pub async fn push(&mut self, io: &impl Io, bytes: &[u8]) -> io::Result<()> {
        self.writer.push(io, bytes).await
    }

    /// The length so far.
    pub fn bytes(&self) -> u64 {
        self.writer.bytes()
    }

    /// Writes what is left. Nothing is appended after that.
    pub(super) async fn finish(&mut self, io: &impl Io) -> io::Result<()> {
        self.writer.finish(io).await
    }

    /// As [`Writer::read_back`].
    pub(super) async fn read_back(&self, io: &impl Io, offset: u64, out: &mut Vec<u8>) -> io::Result<()> {
        self.writer.read_back(io, offset, out).await
    }

    /// Removes the file.
    pub async fn discard(self, io: &impl Io) {
        self.staged.discard(io).await;
    }
}

impl std::fmt::Debug for Spill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spill").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
