//! One shard that is being written.
//!
//! Owns: the order of a member's parts, its place in the index, which failures cost the whole shard.
//! Does not own: which shard a member goes to ([`super::packer`]).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use blake3::{Hash, Hasher};
use haul_io::{Io, Location, Publish, Shortfalls, Staged};

use super::content::{Content, Spill};
use super::identity::ShardIdentity;
use super::ticket::ShardEnd;
use super::writer::Writer;
use crate::layout::entry::{Entry, padding};
use crate::layout::index::IndexWriter;

/// Room that is reserved beside members and their lines: the end of the archive, and the line of one member.
const SLACK_BYTES: u64 = 64 * 1024;

pub(super) struct Shard {
    pub(super) end: Arc<ShardEnd>,
    origin: Origin,
    writer: Writer,
    index: IndexWriter,
    content_bytes: u64,
}

/// What the shard will be.
pub(super) enum Origin {
    /// A file, which has no name yet.
    File(Staged),
    /// The shard of this number, which a store calls by this path. Its content is with the writer.
    Stored(u32, PathBuf),
}

/// What became of an attempt to append.
pub(super) enum Appended {
    Done,
    /// Nothing was appended: there is no room. The shard is as it was.
    NoRoom(io::Error),
    /// The shard is of no use any more.
    Broken(io::Error),
}

impl Shard {
    pub(super) fn new(end: Arc<ShardEnd>, origin: Origin, writer: Writer) -> Self {
        Self { end, origin, writer, index: IndexWriter::default(), content_bytes: 0 }
    }

    /// The bytes that it would have if it ended here.
    pub(super) fn bytes(&self) -> u64 {
        self.writer.bytes() + self.index.end_bytes()
    }

    pub(super) fn member_count(&self) -> u64 {
        self.index.count()
    }

    /// Appends a member. `hash` is that of content in memory.
    pub(super) async fn append(
        &mut self,
        io: &impl Io,
        entry: &Entry,
        content: Content<'_>,
        hash: Option<Hash>,
    ) -> Appended {
        let mut head = Vec::with_capacity(512);
        entry.write_head(&mut head);
        let needed = self.bytes() + head.len() as u64 + entry.bytes + SLACK_BYTES;
        if let Err(error) = self.writer.reserve(io, needed).await {
            if let Content::Spill(spill) = content {
                spill.discard(io).await;
            }
            return Appended::NoRoom(error);
        }
        match self.write(io, entry, &head, content, hash).await {
            Ok(()) => Appended::Done,
            Err(error) => Appended::Broken(error),
        }
    }

    async fn write(
        &mut self,
        io: &impl Io,
        entry: &Entry,
        head: &[u8],
        content: Content<'_>,
        hash: Option<Hash>,
    ) -> io::Result<()> {
        self.writer.push(io, head).await?;
        let offset = self.writer.bytes();
        let hash = match content {
            Content::Memory(bytes) => {
                self.writer.push(io, bytes).await?;
                hash.unwrap_or_else(|| blake3::hash(bytes))
            }
            Content::Spill(spill) => {
                let copied = self.copy(io, &spill).await;
                spill.discard(io).await;
                copied?
            }
        };
        self.writer.push_zeros(io, padding(entry.bytes)).await?;
        if !entry.is_directory() {
            self.index.add(entry, offset, hash);
            self.content_bytes += entry.bytes;
        }
        Ok(())
    }

    async fn copy(&mut self, io: &impl Io, spill: &Spill) -> io::Result<Hash> {
        let (mut hasher, mut piece, mut done) = (Hasher::new(), Vec::new(), 0);
        while done < spill.bytes() {
            spill.read_back(io, done, &mut piece).await?;
            hasher.update(&piece);
            self.writer.push(io, &piece).await?;
            done += piece.len() as u64;
            io.yield_now().await;
        }
        Ok(hasher.finalize())
    }

    /// What it will be known by if it ends here.
    pub(super) fn identity(&self) -> ShardIdentity {
        let trailer = self.index.trailer(self.writer.bytes());
        ShardIdentity::new(self.writer.head(), &trailer.block(), self.writer.stored_bytes(self.bytes()))
    }

    /// The length of the content of its members.
    pub(super) fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// Its path, if that is settled.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::File(_) => None,
            Origin::Stored(_, path) => Some(path),
        }
    }

    /// Its number, if that is settled.
    pub(super) fn number(&self) -> Option<u32> {
        match &self.origin {
            Origin::File(_) => None,
            Origin::Stored(number, _) => Some(*number),
        }
    }

    /// Whether there is something under the name `path`, in the directory of the shard.
    pub(super) async fn has_beside(&self, io: &impl Io, path: &Path) -> bool {
        let Origin::File(staged) = &self.origin else { return false };
        io.stat_at(staged.directory(), Location::named(path).name()).await.is_ok()
    }

    /// Ends the archive, and publishes the shard: as `publish` says, if it is a file.
    pub(super) async fn publish(self, io: &impl Io, publish: &Publish) -> io::Result<Shortfalls> {
        let Self { origin, mut writer, index, .. } = self;
        let end = index.end(writer.bytes());
        let written = async {
            writer.push(io, &end).await?;
            writer.finish(io).await
        };
        let written = written.await;
        match (origin, written) {
            (Origin::File(staged), Ok(())) => Ok(staged.publish(io, publish).await?.shortfalls),
            (Origin::File(staged), Err(error)) => {
                staged.discard(io).await;
                Err(error)
            }
            (Origin::Stored(..), written) => {
                written?;
                writer.into_upload().map_or(Ok(()), |upload| upload.publish())?;
                Ok(Shortfalls::default())
            }
        }
    }

    /// Drops what was written.
    pub(super) async fn discard(self, io: &impl Io) {
        if let Origin::File(staged) = self.origin {
            staged.discard(io).await;
        }
    }
}
