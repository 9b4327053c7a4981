//! The sealing job: it encrypts a file into an age file.
//!
//! Owns: the order of the steps for one source.
//! Does not own: the format, chunks ([`crate::payload::chunks`]), publishing, engines.

use std::sync::Arc;

use haul_age_format::{
    Header, Layout, NONCE_BYTES, Parsed, Recipient, SealError, SealedHeader, check_recipients, is_armored,
    seal_header, seal_header_with,
};
use haul_engine::{Job, Step};
use haul_io::{Buf, FileKind, Io, Offset, OpenMode, Publish, Stat};

use super::in_order::{Form, seal_in_order};
use super::large_file::{LargeFile, NewResult, Side, Sides};
use crate::error::{During, Error, ErrorKind};
use crate::payload::Payload;
use crate::payload::chunks::seal_piece;
use crate::payload::segments::{SMALL_BYTES, buffer_bytes, pieces_of, segment_count};
use crate::plugin::KeyRequest;
use crate::run_key::SharedRunKey;
use crate::task::{FileOptions, Outcome, Pair, SkipReason, SourceFile, Task};

/// The longest header that an up-to-date result is assumed to have, in bytes.
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// What is read of a result that may be up to date, in bytes: more than most headers have.
const RESULT_START_BYTES: usize = 16 * 1024;

/// Seals each task's source to the recipients. [`SealTree`](crate::SealTree) runs it over trees.
///
/// Memory for each task in work: a file of up to 1 MiB and its result, or two buffers of 256 KiB. Cost for each file:
/// about 30 µs for an X25519 recipient, a second for a passphrase, and for its bytes the time of ChaCha20-Poly1305.
///
/// A task fails with [`Error::Exists`], [`Error::NotRegular`], [`Error::SourceChanged`] or [`Error::Exchanged`] if its
/// files aren't what they should be, [`Error::Recipients`] or [`Error::Plugin`] if there is no header, and
/// [`Error::Io`] with the step that failed. Nothing is left of its result then.
pub struct SealJob {
    pub(super) recipients: Vec<Recipient>,
    pub(super) options: FileOptions,
    pub(super) armored: bool,
    pub(super) run_key: SharedRunKey,
}

impl SealJob {
    /// Creates a job that seals to `recipients`.
    ///
    /// # Errors
    /// If there are no recipients or they can't be combined.
    pub fn new(recipients: Vec<Recipient>, options: FileOptions) -> Result<Self, SealError> {
        check_recipients(&recipients)?;
        Ok(Self { recipients, options, armored: false, run_key: SharedRunKey::default() })
    }

    /// Sets whether results are armored. Armored files are text and a third longer, and each is sealed by a single
    /// worker. Defaults to false.
    pub fn armored(self, armored: bool) -> Self {
        Self { armored, ..self }
    }

    /// Returns what a [`KeySource`](crate::KeySource) must ask plugins for this job's tasks. `random` fills a buffer
    /// with random bytes.
    pub fn key_request(&self, random: &mut dyn FnMut(&mut [u8])) -> KeyRequest {
        KeyRequest::to_seal(&self.recipients, || self.run_key.get_or_create(random))
    }

    async fn start_pair<I: Io>(
        &self,
        io: &I,
        task: &Task,
        pair: Pair<'_>,
    ) -> Result<Step<LargeFile<Payload>, Outcome>, Error> {
        let source = pair.open_source(io).await?;
        if self.options.update && self.is_up_to_date(io, &source.stat, pair).await {
            return Ok(Step::Done(Outcome::Skipped(SkipReason::Unchanged)));
        }
        self.options.check_target(io, pair.target()).await?;
        let publish = self.options.publish(io, pair.target(), &source).await?;
        let header = self.header(io, task)?;
        if self.armored {
            return seal_in_order(io, &source, header, &publish, Form::Armored).await.map(Step::Done);
        }
        if source.stat.bytes <= SMALL_BYTES {
            return self.seal_small(io, &source, publish, header).await.map(Step::Done);
        }
        if !source.is_length_true(io).await? {
            return seal_in_order(io, &source, header, &publish, Form::Binary).await.map(Step::Done);
        }
        let parts = segment_count(Layout::of_plain(source.stat.bytes));
        let state = self.begin_large(io, source, &publish, header).await?;
        Ok(Step::Split { state: Arc::new(state), parts })
    }

    /// Whether the result of the file with `source` exists, and neither its time nor its length shows that the file
    /// changed since. A file that isn't even an age file is no result: a power cut may have left zeros of that length.
    async fn is_up_to_date(&self, io: &impl Io, source: &Stat, pair: Pair<'_>) -> bool {
        let Ok(directory) = io.directory(pair.target()).await else { return false };
        let Ok(result) = io.stat_at(Some(&directory), pair.target().name()).await else { return false };
        if result.kind != FileKind::Regular {
            return false;
        }
        let is_as_old = if self.options.preserve {
            result.modified == source.modified
        } else {
            result.modified > source.modified
        };
        if !is_as_old {
            return false;
        }
        let mode = OpenMode::Read { follow: false };
        let Ok(file) = io.open(Some(&directory), pair.target().name(), mode).await else { return false };
        let buf = io.take_buf(RESULT_START_BYTES);
        let (count, start) = io.read_full(&file, buf, RESULT_START_BYTES, Offset::At(0)).await;
        let sealed_bytes = Layout::of_plain(source.bytes).sealed_bytes();
        let fits = match Header::parse(start.filled()) {
            // Text is a third longer, and the header is text as well.
            _ if self.armored => is_armored(start.filled()) && result.bytes > sealed_bytes / 3 * 4,
            Ok(Parsed::Complete { len, .. }) => (len + NONCE_BYTES) as u64 + sealed_bytes == result.bytes,
            // One with very many recipients.
            Ok(Parsed::NeedMore) if start.filled().len() == RESULT_START_BYTES => {
                (sealed_bytes + 1..=sealed_bytes + HEADER_BYTES_MAX).contains(&result.bytes)
            }
            _ => false,
        };
        io.give_buf(start);
        count.is_ok() && fits
    }

    fn header(&self, io: &impl Io, task: &Task) -> Result<SealedHeader, Error> {
        let mut random = |out: &mut [u8]| io.random(out);
        let header = match task.plugin_key() {
            // A retry after a worker's death uses the same file key. Its new nonce gives it another payload key.
            Some(key) => {
                let file_key = key.file_key(self.run_key.get());
                seal_header_with(&self.recipients, &key.stanzas, &file_key, &mut random)
            }
            None => seal_header(&self.recipients, &mut random),
        };
        header.map_err(Error::Recipients)
    }

    /// Seals a small file with one read and one write.
    async fn seal_small<I: Io>(
        &self,
        io: &I,
        source: &SourceFile,
        publish: Publish,
        header: SealedHeader,
    ) -> Result<Outcome, Error> {
        let plain_bytes = source.stat.bytes;
        let layout = Layout::of_plain(plain_bytes);
        let Some(plain) = source.read_whole(io, io.take_buf(buffer_bytes(plain_bytes))).await? else {
            return seal_in_order(io, source, header, &publish, Form::Binary).await;
        };
        source.check_unchanged(io).await?;
        let sealed_bytes = header.bytes.len() as u64 + layout.sealed_bytes();
        let mut sealed = io.take_buf(buffer_bytes(sealed_bytes));
        sealed.append(&header.bytes);
        let mut rest = plain.filled();
        for piece in pieces_of(layout) {
            let (now, later) = rest.split_at(piece.plain_bytes(layout));
            seal_piece(&header.payload_key, layout, piece, now, &mut sealed);
            rest = later;
            io.yield_now().await;
        }
        io.give_buf(plain);
        let (result, sealed) = io.write_file(publish, sealed).await;
        let published = result.map_err(Error::at(During::Write))?;
        io.give_buf(sealed);
        io.progress(plain_bytes);
        let remarks = source.remarks().with(&published);
        Ok(Outcome::File { plain_bytes, sealed_bytes, remarks })
    }

    /// Prepares the result of a large file for its segments.
    async fn begin_large<I: Io>(
        &self,
        io: &I,
        source: SourceFile,
        publish: &Publish,
        header: SealedHeader,
    ) -> Result<LargeFile<Payload>, Error> {
        let layout = Layout::of_plain(source.stat.bytes);
        let offset = header.bytes.len() as u64;
        let context = Payload { key: header.payload_key, offset };
        let new = NewResult { layout, context, bytes: offset + layout.sealed_bytes() };
        let large = LargeFile::begin(io, source, publish, new).await?;
        large.write_start(io, header.bytes).await?;
        Ok(large)
    }
}

impl Job for SealJob {
    type Task = Task;
    type State = LargeFile<Payload>;
    type Output = Outcome;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<LargeFile<Payload>, Outcome>, Error> {
        task.work()?.start(|pair| self.start_pair(io, task, pair)).await
    }

    async fn part<I: Io>(
        &self,
        io: &I,
        _: &Task,
        state: &LargeFile<Payload>,
        index: u64,
    ) -> Result<(), Error> {
        let Payload { key, offset } = &state.context;
        let seal = |piece, plain: &[u8], out: &mut Buf| {
            seal_piece(key, state.layout, piece, plain, out);
            Ok(())
        };
        state.segment(io, index, Sides { from: Side::Plain, to: Side::Sealed(*offset) }, seal).await?;
        // Ends early what `finish` would refuse.
        state.source.check_unchanged(io).await
    }

    async fn finish<I: Io>(
        &self,
        io: &I,
        task: &Task,
        state: &LargeFile<Payload>,
        succeeded: bool,
    ) -> Result<Outcome, Error> {
        let published = state.finish(io, &self.options, task, succeeded).await?;
        let sealed_bytes = state.context.offset + state.layout.sealed_bytes();
        let remarks = state.source.remarks().with(&published);
        Ok(Outcome::File { plain_bytes: state.layout.plain_bytes(), sealed_bytes, remarks })
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == ErrorKind::Cancelled
    }
}
