//! The XOR job: it combines every byte with a repeating key. It is its own inverse and provides no secrecy.
//!
//! Owns: the transformation, replacing a file safely, overwriting it on request.
//! Does not own: staging ([`super::large_file`]).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use haul_age_format::Layout;
use haul_engine::{Job, Step};
use haul_io::{Buf, Durability, Existing, Io, Offset, Op, Stat, find_features};
use serde::{Deserialize, Serialize};

use super::large_file::{LargeFile, NewResult, Side, Sides};
use crate::error::{During, Error, ErrorKind};
use crate::payload::segments::{PIECE_BYTES, Piece, SMALL_BYTES, buffer_bytes, segment_count};
use crate::task::{FileOptions, Outcome, Pair, Remarks, SourceFile, Task};

/// Combines each task's source with a key, byte by byte by exclusive or. This is no encryption: it protects nothing.
///
/// Memory for each task in work: a file of up to 1 MiB, or two buffers of 256 KiB.
pub struct XorJob {
    pattern: Pattern,
    pub(super) mode: XorMode,
    closes: Closes,
}

/// How results take the place of their sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum XorMode {
    /// Publish a complete new file under the name. At every instant the name leads to the old or the new file.
    Replace(Durability),
    /// Write into the file itself. This is the fastest mode. If the run is interrupted the file is damaged, and its
    /// task fails with [`Error::HalfOverwritten`]. A run must not have the same file twice (see [`crate::Walk::once`]).
    Overwrite,
}

/// Whether a file that is overwritten has been written to.
pub type WriteBegun = AtomicBool;

/// The key is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyKey;

impl fmt::Display for EmptyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key is empty")
    }
}

impl std::error::Error for EmptyKey {}

impl XorJob {
    /// Creates a job for `key`, which is repeated as often as necessary.
    ///
    /// # Errors
    /// If the key is empty.
    pub fn new(key: &[u8], mode: XorMode) -> Result<Self, EmptyKey> {
        if key.is_empty() {
            return Err(EmptyKey);
        }
        Ok(Self { pattern: Pattern::new(key), mode, closes: Closes::default() })
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.pattern.repeated[..self.pattern.key_bytes]
    }

    pub(super) fn options(&self) -> FileOptions {
        let durability = match self.mode {
            XorMode::Replace(durability) => durability,
            XorMode::Overwrite => Durability::Eventual,
        };
        FileOptions { existing: Existing::Replace, durability, ..FileOptions::default() }
    }

    fn outcome(&self, source: &Stat) -> Outcome {
        let remarks = match self.mode {
            XorMode::Replace(_) => Remarks::of(source),
            // The other names lead to the same transformed file.
            XorMode::Overwrite => Remarks::default(),
        };
        Outcome::File { plain_bytes: source.bytes, sealed_bytes: source.bytes, remarks }
    }

    async fn start_pair<I: Io>(
        &self,
        io: &I,
        pair: Pair<'_>,
    ) -> Result<Step<LargeFile<WriteBegun>, Outcome>, Error> {
        let source = match self.mode {
            XorMode::Replace(_) => pair.open_source(io).await?,
            XorMode::Overwrite => pair.open_source_to_write(io).await?,
        };
        let bytes = source.stat.bytes;
        if bytes <= SMALL_BYTES {
            return self.transform_small(io, pair, &source).await.map(Step::Done);
        }
        let (layout, context) = (Layout::of_plain(bytes), WriteBegun::new(false));
        let state = match self.mode {
            XorMode::Replace(_) => {
                let publish = self.options().publish(io, pair.target(), &source).await?;
                LargeFile::begin(io, source, &publish, NewResult { layout, context, bytes }).await?
            }
            XorMode::Overwrite => LargeFile::in_place(source, layout, context),
        };
        Ok(Step::Split { state: Arc::new(state), parts: segment_count(layout) })
    }

    /// Transforms a small file with one read and one write.
    async fn transform_small<I: Io>(
        &self,
        io: &I,
        pair: Pair<'_>,
        source: &SourceFile,
    ) -> Result<Outcome, Error> {
        let whole = source.read_whole(io, io.take_buf(buffer_bytes(source.stat.bytes))).await?;
        let mut buf = whole.ok_or(Error::SourceChanged)?;
        for (index, piece) in buf.filled_mut().chunks_mut(PIECE_BYTES).enumerate() {
            self.pattern.apply((index * PIECE_BYTES) as u64, piece);
            io.yield_now().await;
        }
        let buf = match self.mode {
            XorMode::Overwrite => {
                let bytes = buf.filled().len();
                let (written, buf) = io.write_all(&source.file, buf, Offset::At(0)).await;
                let has_begun = buf.filled().len() < bytes;
                written.map_err(|error| {
                    if has_begun { Error::HalfOverwritten } else { Error::at(During::Write)(error) }
                })?;
                self.closes.check(io, source).await?;
                buf
            }
            XorMode::Replace(_) => {
                source.check_unchanged(io).await?;
                let publish = self.options().publish(io, pair.target(), source).await?;
                let (result, buf) = io.write_file(publish, buf).await;
                result.map_err(Error::at(During::Write))?;
                buf
            }
        };
        io.give_buf(buf);
        io.progress(source.stat.bytes);
        Ok(self.outcome(&source.stat))
    }
}

/// Which file systems say only when a file is closed that its content wasn't stored. Each is asked once.
#[derive(Default)]
struct Closes {
    /// Devices, and whether they do.
    known: Mutex<Vec<(u64, bool)>>,
}

impl Closes {
    /// Makes sure that what was written over `source` is stored, where that is known only when it is closed.
    async fn check(&self, io: &impl Io, source: &SourceFile) -> Result<(), Error> {
        if self.reports_at_close(io, source).await {
            let flush = Op::Flush { file: source.file.clone() };
            io.done(flush).await.map_err(|_| Error::HalfOverwritten)?;
        }
        Ok(())
    }

    async fn reports_at_close(&self, io: &impl Io, source: &SourceFile) -> bool {
        let device = source.stat.device;
        let known = self.lock().iter().find(|(known, _)| *known == device).map(|(_, reports)| *reports);
        if let Some(reports) = known {
            return reports;
        }
        let reports = find_features(io, &source.file).await.reports_at_close;
        self.lock().push((device, reports));
        reports
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, bool)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job for XorJob {
    type Task = Task;
    type State = LargeFile<WriteBegun>;
    type Output = Outcome;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<LargeFile<WriteBegun>, Outcome>, Error> {
        task.work()?.start(|pair| self.start_pair(io, pair)).await
    }

    async fn part<I: Io>(
        &self,
        io: &I,
        _: &Task,
        state: &LargeFile<WriteBegun>,
        index: u64,
    ) -> Result<(), Error> {
        let xor = |piece: Piece, bytes: &[u8], out: &mut Buf| {
            out.append(bytes);
            self.pattern.apply(Layout::plain_offset(piece.first), out.filled_mut());
            // The write follows at once.
            state.context.store(true, Ordering::Relaxed);
            Ok(())
        };
        state.segment(io, index, Sides { from: Side::Plain, to: Side::Plain }, xor).await
    }

    async fn finish<I: Io>(
        &self,
        io: &I,
        task: &Task,
        state: &LargeFile<WriteBegun>,
        succeeded: bool,
    ) -> Result<Outcome, Error> {
        match self.mode {
            XorMode::Replace(_) => drop(state.finish(io, &self.options(), task, succeeded).await?),
            XorMode::Overwrite if !succeeded && state.context.load(Ordering::Relaxed) => {
                return Err(Error::HalfOverwritten);
            }
            XorMode::Overwrite if succeeded => self.closes.check(io, &state.source).await?,
            XorMode::Overwrite => {}
        }
        Ok(self.outcome(&state.source.stat))
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == ErrorKind::Cancelled
    }
}

/// The key, repeated so that the inner loop runs over long strides.
struct Pattern {
    key_bytes: usize,
    /// The key repeated to at least [`STRIDE_BYTES`], and once more, so that a stride can begin at any byte of the key.
    repeated: Vec<u8>,
    /// Length of a stride in bytes. Invariant: a multiple of the key's length.
    stride_bytes: usize,
}

const STRIDE_BYTES: usize = 4_096;

impl Pattern {
    fn new(key: &[u8]) -> Self {
        let count = STRIDE_BYTES.div_ceil(key.len());
        Self { key_bytes: key.len(), repeated: key.repeat(count + 1), stride_bytes: count * key.len() }
    }

    /// Transforms `bytes`, which lie at `offset` in their file.
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
