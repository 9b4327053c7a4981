//! The XOR job: every byte combined with a repeating key. Its own inverse, and no encryption.
//!
//! Owns: the transform, replacing a file safely, overwriting it where that was asked.
//! Does not own: secrecy.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use haul_age_format::Layout;
use haul_engine::{Job, Step};
use haul_io::{Buf, Durability, Existing, File, Io, Offset, Stat};

use serde::{Deserialize, Serialize};

use crate::large::{Large, Side};
use crate::pair::Pair;
use crate::segment::{PIECE_BYTES, Piece, SMALL_BYTES, buffer_bytes, segment_count};
use crate::task::{Remarks, check_unchanged};
use crate::{Done, During, Error, FileOptions, Kind, Task};

/// Combines each task's source with a key.
pub struct XorJob {
    pattern: Pattern,
    pub(crate) mode: XorMode,
}

/// How results take the place of their sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum XorMode {
    /// A complete new file is published under the name. At every instant one of the two is there.
    Replace(Durability),
    /// The file itself is written to. Fastest; a file whose transform is cut short is damaged, and is said to be. No run should
    /// have a file twice (see [`crate::Walk::once`]).
    Overwrite,
}

/// Whether any of a file that is overwritten was written to.
pub type Touched = AtomicBool;

/// There is nothing to combine with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyKey;

impl fmt::Display for EmptyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key is empty")
    }
}

impl std::error::Error for EmptyKey {}

impl XorJob {
    /// A job for `key`, which is repeated as often as needed.
    ///
    /// # Errors
    /// If the key is empty.
    pub fn new(key: &[u8], mode: XorMode) -> Result<Self, EmptyKey> {
        if key.is_empty() { Err(EmptyKey) } else { Ok(Self { pattern: Pattern::new(key), mode }) }
    }

    /// The key as it was given.
    pub(crate) fn key(&self) -> &[u8] {
        &self.pattern.repeated[..self.pattern.key_bytes]
    }

    pub(crate) fn options(&self) -> FileOptions {
        let durability = match self.mode {
            XorMode::Replace(durability) => durability,
            XorMode::Overwrite => Durability::Eventual,
        };
        FileOptions { existing: Existing::Replace, durability, ..FileOptions::default() }
    }

    fn done(&self, source: &Stat) -> Done {
        let remarks = match self.mode {
            XorMode::Replace(_) => Remarks::of(source),
            // Its other names lead to what was written.
            XorMode::Overwrite => Remarks::default(),
        };
        Done::File { plain_bytes: source.bytes, sealed_bytes: source.bytes, remarks }
    }

    /// A small file, in one go.
    async fn whole<I: Io>(&self, io: &I, task: &Task, source: &File, stat: &Stat) -> Result<Done, Error> {
        let buf = io.take_buf(buffer_bytes(stat.bytes));
        let (count, mut buf) = io.read_full(source, buf, stat.bytes as usize + 1, Offset::At(0)).await;
        if count.map_err(Error::at(During::Read))? as u64 != stat.bytes {
            return Err(Error::SourceChanged);
        }
        for (index, piece) in buf.filled_mut().chunks_mut(PIECE_BYTES).enumerate() {
            self.pattern.apply((index * PIECE_BYTES) as u64, piece);
            io.yield_now().await;
        }
        let buf = match self.mode {
            XorMode::Overwrite => {
                let bytes = buf.filled().len();
                let (written, buf) = io.write_all(source, buf, Offset::At(0)).await;
                let begun = buf.filled().len() < bytes;
                written.map_err(|error| {
                    if begun { Error::HalfOverwritten } else { Error::at(During::Write)(error) }
                })?;
                buf
            }
            XorMode::Replace(_) => {
                check_unchanged(io, source, stat).await?;
                let target = Pair::of(task).target();
                let publish = self.options().publish(io, target, (source, stat)).await?;
                let (result, buf) = io.write_file(publish, buf).await;
                result.map_err(Error::at(During::Write))?;
                buf
            }
        };
        io.give_buf(buf);
        io.progress(stat.bytes);
        Ok(self.done(stat))
    }
}

impl Job for XorJob {
    type Task = Task;
    type State = Large<Touched>;
    type Output = Done;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<Large<Touched>, Done>, Error> {
        let pair = match task.pair()? {
            Ok(pair) => pair,
            Err(done) => return Ok(Step::Done(done)),
        };
        let (file, stat) = match self.mode {
            XorMode::Replace(_) => pair.open_source(io).await?,
            XorMode::Overwrite => pair.open_source_to_write(io).await?,
        };
        if stat.bytes <= SMALL_BYTES {
            return self.whole(io, task, &file, &stat).await.map(Step::Done);
        }
        let layout = Layout::of_plain(stat.bytes);
        let parts = segment_count(layout);
        let state = match self.mode {
            XorMode::Replace(_) => {
                let publish = self.options().publish(io, pair.target(), (&file, &stat)).await?;
                Large::begin(io, (file, stat), &publish, (layout, Touched::new(false)), stat.bytes).await?
            }
            XorMode::Overwrite => {
                let result = file.clone();
                let (key, staged) = (Touched::new(false), Mutex::default());
                Large { source: file, source_stat: stat, layout, key, result, staged }
            }
        };
        Ok(Step::Split { state: Arc::new(state), parts })
    }

    async fn part<I: Io>(&self, io: &I, _: &Task, state: &Large<Touched>, index: u64) -> Result<(), Error> {
        let xor = |piece: Piece, bytes: &[u8], out: &mut Buf| {
            out.append(bytes);
            self.pattern.apply(Layout::plain_offset(piece.first), out.filled_mut());
            // It is written next.
            state.key.store(true, Ordering::Relaxed);
            Ok(())
        };
        state.segment(io, index, (Side::Plain, Side::Plain), xor).await
    }

    async fn finish<I: Io>(
        &self,
        io: &I,
        task: &Task,
        state: &Large<Touched>,
        succeeded: bool,
    ) -> Result<Done, Error> {
        match self.mode {
            XorMode::Replace(_) => drop(state.finish(io, &self.options(), task, succeeded).await?),
            XorMode::Overwrite if !succeeded && state.key.load(Ordering::Relaxed) => {
                return Err(Error::HalfOverwritten);
            }
            XorMode::Overwrite => {}
        }
        Ok(self.done(&state.source_stat))
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == Kind::Cancelled
    }
}

/// The key, repeated so often that a loop over it runs in long strides.
struct Pattern {
    key_bytes: usize,
    /// The key repeated to at least [`STRIDE_BYTES`], and once more, so that a stride can begin at any byte of it.
    repeated: Vec<u8>,
    /// A multiple of the key's length.
    stride_bytes: usize,
}

const STRIDE_BYTES: usize = 4_096;

impl Pattern {
    fn new(key: &[u8]) -> Self {
        let count = STRIDE_BYTES.div_ceil(key.len());
        Self { key_bytes: key.len(), repeated: key.repeat(count + 1), stride_bytes: count * key.len() }
    }

    /// Transforms `bytes`, which begin at `offset` of their file.
    fn apply(&self, offset: u64, bytes: &mut [u8]) {
        let phase = (offset % self.key_bytes as u64) as usize;
        let pattern = &self.repeated[phase..phase + self.stride_bytes];
        for stride in bytes.chunks_mut(self.stride_bytes) {
            for (byte, key) in stride.iter_mut().zip(pattern) {
                *byte ^= key;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_the_key_at_every_offset() {
        for key_bytes in [1, 3, 16, 4_095, 4_096, 5_000] {
            let key: Vec<u8> = (0..key_bytes).map(|index| (index * 7 + 1) as u8).collect();
            let pattern = Pattern::new(&key);
            for (offset, bytes) in [(0, 20_000), (1, 9_000), (u64::from(u32::MAX) + 5, 4_097)] {
                let mut transformed = vec![0; bytes];
                pattern.apply(offset, &mut transformed);
                let at = |index: usize| key[((offset + index as u64) % key_bytes as u64) as usize];
                assert!((0..bytes).all(|index| transformed[index] == at(index)), "{key_bytes} {offset}");
            }
        }
    }
}
