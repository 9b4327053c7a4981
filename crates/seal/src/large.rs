//! A large file on its way: what its segments share, and its end.
//!
//! Owns: moving the pieces of a segment, publishing the result after the last one, or discarding it.
//! Does not own: the transform.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use haul_age_format::{Layout, PayloadKey};
use haul_engine::wire;
use haul_io::{Buf, File, Io, Offset, Publish, Published, Staged, Stat};
use serde::{Deserialize, Serialize};

use crate::pair::Pair;
use crate::segment::{PIECE_BYTES, Piece, SEALED_PIECE_BYTES, pieces_of_segment};
use crate::task::check_unchanged;
use crate::{During, Error, FileOptions, Task};

/// A large file being transformed; `K` is what its segments need besides.
pub struct Large<K> {
    pub(crate) source: File,
    pub(crate) source_stat: Stat,
    pub(crate) layout: Layout,
    pub(crate) key: K,
    pub(crate) result: File,
    /// Invariant: there until the file is finished.
    pub(crate) staged: Mutex<Option<Staged>>,
}

/// A large file on its way, for another process.
#[derive(Serialize, Deserialize)]
pub struct Token<T> {
    source_stat: Stat,
    plain_bytes: u64,
    /// The staged file; empty for a file that is overwritten.
    #[serde(with = "wire::path")]
    temporary: PathBuf,
    pub(crate) key: T,
}

/// What segments of an age file need.
pub struct Payload {
    pub(crate) key: PayloadKey,
    /// Where the payload begins in the age file.
    pub(crate) offset: u64,
}

/// How chunks lie in one of the two files.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// As plaintext, from the start.
    Plain,
    /// Sealed, behind a header that ends here.
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

    fn offset(self, piece: Piece) -> Offset {
        Offset::At(match self {
            Self::Plain => Layout::plain_offset(piece.first),
            Self::Sealed(start) => start + Layout::sealed_offset(piece.first),
        })
    }
}

impl<K> Large<K> {
    /// A large file whose result is staged, `bytes` long.
    pub(crate) async fn begin(
        io: &impl Io,
        (source, source_stat): (File, Stat),
        publish: &Publish,
        (layout, key): (Layout, K),
        bytes: u64,
    ) -> Result<Self, Error> {
        let staged = match io.stages_by_name() {
            true => Staged::create_named(io, publish).await,
            false => Staged::create(io, publish).await,
        };
        let staged = staged.map_err(Error::at(During::Create))?;
        let result = staged.file().clone();
        if let Err(error) = io.allocate(&result, bytes).await {
            staged.discard(io).await;
            return Err(Error::at(During::Write)(error));
        }
        Ok(Self { source, source_stat, layout, key, result, staged: Mutex::new(Some(staged)) })
    }

    /// What another process needs besides the task, with what it needs of the key.
    pub(crate) fn token<T>(&self, key: T) -> Token<T> {
        let staged = self.lock_staged();
        let temporary = staged.as_ref().and_then(Staged::temporary).unwrap_or(Path::new("")).to_owned();
        let (source_stat, plain_bytes) = (self.source_stat, self.layout.plain_bytes());
        Token { source_stat, plain_bytes, temporary, key }
    }

    /// The same file in another process.
    pub(crate) async fn join<T>(io: &impl Io, task: &Task, token: Token<T>, key: K) -> Result<Self, Error> {
        let layout = Layout::of_plain(token.plain_bytes);
        let in_place = token.temporary.as_os_str().is_empty();
        let pair = Pair::of(task);
        let (file, stat) = match in_place {
            true => pair.open_source_to_write(io).await?,
            false => pair.open_source(io).await?,
        };
        let before = &token.source_stat;
        let same = (stat.device, stat.inode) == (before.device, before.inode);
        // What is overwritten changes on the way.
        if !(same && in_place || before.same_content(&stat)) {
            return Err(Error::SourceChanged);
        }
        let staged = match in_place {
            true => None,
            false => {
                let staged = Staged::join(io, &token.temporary, Some(pair.target().root_bytes())).await;
                Some(staged.map_err(Error::at(During::Write))?)
            }
        };
        let result = staged.as_ref().map_or(&file, Staged::file).clone();
        let source_stat = token.source_stat;
        Ok(Self { source: file, source_stat, layout, key, result, staged: Mutex::new(staged) })
    }

    /// Does segment `index`: reads each piece on one side, transforms it, writes it on the other.
    pub(crate) async fn segment(
        &self,
        io: &impl Io,
        index: u64,
        (from, to): (Side, Side),
        mut transform: impl FnMut(Piece, &[u8], &mut Buf) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut input, mut output) = (io.take_buf(from.capacity()), io.take_buf(to.capacity()));
        for piece in pieces_of_segment(self.layout, index) {
            let bytes = from.bytes(piece, self.layout);
            let (count, back) = io.read_full(&self.source, input, bytes, from.offset(piece)).await;
            input = back;
            if count.map_err(Error::at(During::Read))? != bytes {
                return Err(Error::SourceChanged);
            }
            transform(piece, input.filled(), &mut output)?;
            let (written, back) = io.write_all(&self.result, output, to.offset(piece)).await;
            output = back;
            written.map_err(Error::at(During::Write))?;
            input.clear();
            io.progress(piece.plain_bytes(self.layout) as u64);
            io.yield_now().await;
        }
        io.give_buf(input);
        io.give_buf(output);
        Ok(())
    }

    /// Leaves nothing of the result.
    pub(crate) async fn discard(&self, io: &impl Io) {
        self.take_staged().discard(io).await;
    }

    fn take_staged(&self) -> Staged {
        self.lock_staged().take().expect("a task is finished once")
    }

    fn lock_staged(&self) -> MutexGuard<'_, Option<Staged>> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the result if every segment `succeeded` and the source is what it was, else discards it.
    pub(crate) async fn finish(
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
        let source = (&self.source, &self.source_stat);
        let publish = options.publish(io, Pair::of(task).target(), source).await;
        let unchanged = check_unchanged(io, &self.source, &self.source_stat).await;
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
