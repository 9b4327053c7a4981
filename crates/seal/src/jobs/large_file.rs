//! A large file in progress: what its segments share, and its end.
//!
//! Owns: reading, transforming and writing the pieces of a segment; publishing or discarding the result.
//! Does not own: the transformation (an argument), the division into segments ([`crate::payload::segments`]).

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use haul_age_format::Layout;
use haul_engine::wire;
use haul_io::{
    Buf, File, Io, Offset, Op, Publish, Published, Staged, StagedIdentity, Stat, drop_cached, write_sparse,
};
use serde::{Deserialize, Serialize};

use crate::error::{During, Error};
use crate::payload::segments::{PIECE_BYTES, Piece, SEALED_PIECE_BYTES, pieces_of_segment};
use crate::task::{FileOptions, SourceFile, Task};

/// A large file being transformed; `C` is the context of the transformation.
pub struct LargeFile<C> {
    pub(super) source: SourceFile,
    pub(super) layout: Layout,
    pub(super) context: C,
    result: File,
    /// Whether blocks of zeros become holes.
    is_sparse: bool,
    /// Invariant: present until the file is finished, except for a file that is overwritten.
    staged: Mutex<Option<Staged>>,
}

/// A [`LargeFile`] for another process.
#[derive(Serialize, Deserialize)]
pub struct Token<T> {
    source_stat: Stat,
    plain_bytes: u64,
    /// Whether the file and its result are kept out of the page cache.
    spares_cache: bool,
    /// The staged file; empty for a file that is overwritten.
    #[serde(with = "wire::path")]
    temporary: PathBuf,
    is_sparse: bool,
    /// What that name must lead to; `None` for a file that is overwritten.
    identity: Option<StagedIdentity>,
    pub(super) context: T,
}

/// The result of a large file before its first segment.
pub(super) struct NewResult<C> {
    pub(super) layout: Layout,
    pub(super) context: C,
    /// Length of the result in bytes.
    pub(super) bytes: u64,
}

/// The forms in which a transformation reads and writes chunks.
#[derive(Clone, Copy)]
pub(super) struct Sides {
    pub(super) from: Side,
    pub(super) to: Side,
}

/// The form of the chunks in a file.
#[derive(Clone, Copy)]
pub(super) enum Side {
    /// Plaintext from the start of the file.
    Plain,
    /// Sealed chunks after a header of this many bytes.
    Sealed(u64),
}

impl Side {
    fn capacity(self) -> usize {
        match self {
            Self::Plain => PIECE_BYTES,
            Self::Sealed(_) => SEALED_PIECE_BYTES,
        }
    }

    fn bytes(self, piece: Piece, layout: Layout) -> usize {
        match self {
            Self::Plain => piece.plain_bytes(layout),
            Self::Sealed(_) => piece.sealed_bytes(layout),
        }
    }

    fn offset(self, piece: Piece) -> u64 {
        match self {
            Self::Plain => Layout::plain_offset(piece.first),
            Self::Sealed(start) => start + Layout::sealed_offset(piece.first),
        }
    }
}

impl<C> LargeFile<C> {
    /// Stages the result of `source` and allocates its space.
    pub(super) async fn begin(
        io: &impl Io,
        source: SourceFile,
        publish: &Publish,
        new: NewResult<C>,
    ) -> Result<Self, Error> {
        let staged = if io.stages_by_name() {
            Staged::create_named(io, publish).await
        } else {
            Staged::create(io, publish).await
        };
        let staged = staged.map_err(Error::at(During::Create))?;
        let result = staged.file().clone();
        let allocated = if publish.sparse {
            io.done(Op::SetLength { file: result.clone(), bytes: new.bytes }).await
        } else {
            io.allocate(&result, new.bytes).await
        };
        if let Err(error) = allocated {
            staged.discard(io).await;
            return Err(Error::at(During::Write)(error));
        }
        source.spare_cache_with(io, &result).await;
        let NewResult { layout, context, .. } = new;
        let (is_sparse, staged) = (publish.sparse, Mutex::new(Some(staged)));
        Ok(Self { source, layout, context, result, is_sparse, staged })
    }

    /// Overwrites `source` itself.
    pub(super) fn in_place(source: SourceFile, layout: Layout, context: C) -> Self {
        let result = source.file.clone();
        Self { source, layout, context, result, is_sparse: false, staged: Mutex::default() }
    }

    /// Writes the start of the result, before its first chunk.
    pub(super) async fn write_start(&self, io: &impl Io, bytes: Vec<u8>) -> Result<(), Error> {
        let (result, _) = io.write_all(&self.result, Buf::from(bytes), Offset::At(0)).await;
        if let Err(error) = result {
            self.discard(io).await;
            return Err(Error::at(During::Write)(error));
        }
        Ok(())
    }

    /// Returns what another process needs besides the task, with the `context` in a form that may be shared.
    pub(super) fn token<T>(&self, context: T) -> Token<T> {
        let staged = self.lock_staged();
        let temporary = staged.as_ref().and_then(Staged::temporary).unwrap_or(Path::new("")).to_owned();
        let (source_stat, plain_bytes) = (self.source.stat, self.layout.plain_bytes());
        let identity = staged.as_ref().and_then(Staged::identity);
        let (is_sparse, spares_cache) = (self.is_sparse, self.source.spares_cache);
        Token { source_stat, plain_bytes, spares_cache, temporary, is_sparse, identity, context }
    }

    /// Removes the staged file of a `token` that can't be joined, or whose result was published from it.
    pub(super) async fn abandon<T>(io: &impl Io, task: &Task, token: Token<T>) {
        if token.identity.is_some() {
            let root_bytes = task.pair().target().root_bytes();
            Staged::remove_joinable(io, &token.temporary, Some(root_bytes)).await;
        }
    }

    /// Opens in this process a file that another process began.
    pub(super) async fn join<T>(
        io: &impl Io,
        task: &Task,
        token: Token<T>,
        context: C,
    ) -> Result<Self, Error> {
        let layout = Layout::of_plain(token.plain_bytes);
        let in_place = token.identity.is_none();
        let pair = task.pair();
        let now = if in_place { pair.open_source_to_write(io).await? } else { pair.open_source(io).await? };
        let before = token.source_stat;
        let is_same_file = (now.stat.device, now.stat.inode) == (before.device, before.inode);
        // A file that is overwritten changes meanwhile.
        if !(is_same_file && in_place || pair.is_unchanged(io, &before, &now.stat).await) {
            return Err(Error::SourceChanged);
        }
        // What the other process has read is cached.
        let source = SourceFile { stat: before, spares_cache: token.spares_cache, ..now };
        let Some(identity) = token.identity else { return Ok(Self::in_place(source, layout, context)) };
        let root_bytes = Some(pair.target().root_bytes());
        let staged = Staged::join(io, &token.temporary, root_bytes, identity).await;
        let staged = staged.map_err(Error::at(During::Write))?;
        let result = staged.file().clone();
        source.spare_cache_with(io, &result).await;
        let (is_sparse, staged) = (token.is_sparse, Mutex::new(Some(staged)));
        Ok(Self { source, layout, context, result, is_sparse, staged })
    }

    /// Reads, transforms and writes each piece of segment `index`.
    pub(super) async fn segment(
        &self,
        io: &impl Io,
        index: u64,
        Sides { from, to }: Sides,
        mut transform: impl FnMut(Piece, &[u8], &mut Buf) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut input, mut output) = (io.take_buf(from.capacity()), io.take_buf(to.capacity()));
        for piece in pieces_of_segment(self.layout, index) {
            let bytes = from.bytes(piece, self.layout);
            input = self.source.read(io, input, bytes, from.offset(piece)).await?;
            transform(piece, input.filled(), &mut output)?;
            let (written, back) = if self.is_sparse {
                write_sparse(io, &self.result, output, to.offset(piece)).await
            } else {
                io.write_all(&self.result, output, Offset::At(to.offset(piece))).await
            };
            output = back;
            written.map_err(Error::at(During::Write))?;
            input.clear();
            io.progress(piece.plain_bytes(self.layout) as u64);
            io.yield_now().await;
        }
        io.give_buf(input);
        io.give_buf(output);
        // Other processes publish the file; what closing this descriptor would report, they don't learn.
        if io.stages_by_name() {
            let flushed = io.done(Op::Flush { file: self.result.clone() }).await;
            flushed.map_err(Error::at(During::Write))?;
        }
        Ok(())
    }

    async fn discard(&self, io: &impl Io) {
        self.take_staged().discard(io).await;
    }

    fn take_staged(&self) -> Staged {
        self.lock_staged().take().expect("a task is finished once")
    }

    fn lock_staged(&self) -> MutexGuard<'_, Option<Staged>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the result if all segments `succeeded` and the source is unchanged; otherwise discards it.
    pub(super) async fn finish(
        &self,
        io: &impl Io,
        options: &FileOptions,
        task: &Task,
        succeeded: bool,
    ) -> Result<Published, Error> {
        let staged = self.take_staged();
        if !succeeded {
            staged.discard(io).await;
            return Ok(Published::default());
        }
        drop_cached(io, &self.source.file).await;
        let publish = options.publish(io, task.pair().target(), &self.source).await;
        let unchanged = self.source.check_unchanged(io).await;
        let publish = match unchanged.and(publish) {
            Ok(publish) => publish,
            Err(error) => {
                staged.discard(io).await;
                return Err(error);
            }
        };
        staged.publish(io, &publish).await.map_err(Error::at(During::Publish))
    }
}
