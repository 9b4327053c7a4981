//! A body that becomes a member of a shard.
//!
//! Owns: collecting the body in memory or in a file of its own.
//! Does not own: shards, the form of a spilled file ([`haul_pack`]).

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use haul_io::{Buf, Io};
use haul_pack::{Content, Spill, Ticket};

use crate::Error;
use crate::packs::name::PackName;

/// Longer bodies spill.
const MEMORY_BYTES_MAX: usize = 256 * 1024;

/// The body so far.
pub(crate) struct PackSink {
    to: PackName,
    /// All of it, if it arrived in one piece.
    whole: Option<Buf>,
    /// What is in memory otherwise: all of it, or nothing once it has spilled.
    memory: Vec<u8>,
    spill: Option<Spill>,
    /// Its length, if known.
    bytes: Option<u64>,
    modified: Option<i64>,
}

impl PackSink {
    pub(crate) fn new(to: PackName) -> Self {
        Self { to, whole: None, memory: Vec::new(), spill: None, bytes: None, modified: None }
    }

    /// The name of the member.
    pub(crate) fn path(&self) -> &Path {
        &self.to.name
    }

    /// The body that comes next has this length if known.
    pub(crate) fn expect(&mut self, bytes: Option<u64>) {
        self.bytes = bytes;
    }

    /// Sets when the content was last modified, in seconds since the epoch.
    pub(crate) fn set_modified(&mut self, modified: Option<i64>) {
        self.modified = modified;
    }

    /// Whether a file without a name is open.
    pub(crate) fn holds_file(&self) -> bool {
        self.spill.is_some()
    }

    pub(crate) async fn take(
        &mut self,
        io: &impl Io,
        mut input: Buf,
        count: usize,
    ) -> (Result<(), Error>, Buf) {
        let is_first = self.whole.is_none() && self.memory.is_empty() && self.spill.is_none();
        if is_first && count == input.filled().len() && self.bytes == Some(count as u64) {
            let next = io.take_buf(input.capacity());
            self.whole = Some(input);
            return (Ok(()), next);
        }
        let taken = self.push(io, &input.filled()[..count]).await;
        input.consume(count);
        (taken, input)
    }

    async fn push(&mut self, io: &impl Io, bytes: &[u8]) -> Result<(), Error> {
        if let Some(whole) = self.whole.take() {
            self.memory.extend_from_slice(whole.filled());
            io.give_buf(whole);
        }
        let is_long = self.memory.len() + bytes.len() > MEMORY_BYTES_MAX;
        if self.spill.is_none() && !is_long {
            if self.memory.capacity() == 0 {
                // No trust in a length that was only announced.
                let expected = self.bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
                self.memory.reserve_exact(expected.min(MEMORY_BYTES_MAX).max(bytes.len()));
            }
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        if self.spill.is_none() {
            let mut spill = self.to.packer.spill(io).await.map_err(Error::write)?;
            spill.push(io, &std::mem::take(&mut self.memory)).await.map_err(Error::write)?;
            self.spill = Some(spill);
        }
        let spill = self.spill.as_mut().expect("made above");
        spill.push(io, bytes).await.map_err(Error::write)
    }

    /// Prepares for a pause of any length. Returns how many bytes are kept: those that spilled.
    pub(crate) fn pause(&mut self) -> u64 {
        (self.whole, self.memory) = (None, Vec::new());
        self.spill.as_ref().map_or(0, Spill::bytes)
    }

    /// Drops all bytes received so far.
    pub(crate) async fn start_over(&mut self, io: &impl Io) {
        (self.whole, self.memory) = (None, Vec::new());
        if let Some(spill) = self.spill.take() {
            spill.discard(io).await;
        }
    }

    /// Makes the body a member of a shard.
    pub(crate) async fn complete(&mut self, io: &impl Io) -> Result<Ticket, Error> {
        let (memory, spill) = (std::mem::take(&mut self.memory), self.spill.take());
        let whole = self.whole.take();
        let memory = whole.as_ref().map_or(memory.as_slice(), Buf::filled);
        let bytes = spill.as_ref().map_or(memory.len() as u64, Spill::bytes);
        let content = spill.map_or(Content::Memory(memory), |spill| Content::Spill(Box::new(spill)));
        let name = self.to.name.as_os_str().as_bytes();
        let entry = self.to.packer.entry(name, bytes, self.modified);
        let added = self.to.packer.add(io, &entry, content).await;
        if let Some(whole) = whole {
            io.give_buf(whole);
        }
        added.map_err(Error::write)
    }
}
