//! The sealing job: a file becomes an age file.
//!
//! Owns: the order of the steps for one source.
//! Does not own: the format, publishing, engines.

use std::sync::Arc;

use haul_age_format::{
    Layout, PayloadKey, Recipient, SealError, SealedHeader, check_recipients, seal_header, seal_header_with,
};
use haul_engine::{Job, Step};
use haul_io::{Buf, File, Io, Offset, Publish, Stat};

use crate::armored::seal_armored;
use crate::large::{Large, Payload, Side};
use crate::portable::{self, SharedKey};
use crate::segment::{Piece, SMALL_BYTES, buffer_bytes, pieces_of, segment_count};
use crate::task::{Remarks, check_unchanged};
use crate::{Done, During, Error, FileOptions, Keying, Kind, Task};

/// Seals each task's source to the recipients.
pub struct SealJob {
    pub(crate) recipients: Vec<Recipient>,
    pub(crate) options: FileOptions,
    pub(crate) armored: bool,
    pub(crate) run_key: SharedKey,
}

impl SealJob {
    /// A job that seals to `recipients`.
    ///
    /// # Errors
    /// If the recipients are none or don't combine.
    pub fn new(recipients: Vec<Recipient>, options: FileOptions) -> Result<Self, SealError> {
        check_recipients(&recipients)?;
        Ok(Self { recipients, options, armored: false, run_key: SharedKey::new() })
    }

    /// Makes armored files, if `armored`: text, a third longer, each sealed by one worker. Defaults to not.
    pub fn armored(self, armored: bool) -> Self {
        Self { armored, ..self }
    }

    /// What plugins are to be asked about its tasks, by a [`KeySource`](crate::KeySource).
    pub fn keying(&self, random: &mut dyn FnMut(&mut [u8])) -> Keying {
        Keying::to_seal(&self.recipients, || portable::run_key_of(&self.run_key, random))
    }

    fn header(&self, io: &impl Io, task: &Task) -> Result<SealedHeader, Error> {
        let mut random = |out: &mut [u8]| io.random(out);
        let header = match task.key() {
            // An attempt after one whose worker died gets the same file key, and by another nonce another payload key.
            Some(key) => {
                let file_key = key.file_key(self.run_key.get());
                seal_header_with(&self.recipients, &key.stanzas, &file_key, &mut random)
            }
            None => seal_header(&self.recipients, &mut random),
        };
        header.map_err(Error::Recipients)
    }

    /// A small file, in one go: one read, one write.
    async fn seal_small<I: Io>(
        &self,
        io: &I,
        (source, stat): (&File, &Stat),
        publish: Publish,
        header: SealedHeader,
    ) -> Result<Done, Error> {
        let layout = Layout::of_plain(stat.bytes);
        let plain = io.take_buf(buffer_bytes(stat.bytes));
        // One byte more than expected would be a file that has grown.
        let (count, plain) = io.read_full(source, plain, stat.bytes as usize + 1, Offset::At(0)).await;
        if count.map_err(Error::at(During::Read))? as u64 != stat.bytes {
            return Err(Error::SourceChanged);
        }
        check_unchanged(io, source, stat).await?;
        let sealed_bytes = header.bytes.len() + layout.sealed_bytes() as usize;
        let mut sealed = io.take_buf(buffer_bytes(sealed_bytes as u64));
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
        io.progress(stat.bytes);
        let sealed_bytes = sealed_bytes as u64;
        Ok(Done::File { plain_bytes: stat.bytes, sealed_bytes, remarks: Remarks::of(stat).with(&published) })
    }

    /// Makes everything ready for the segments of a large file.
    async fn begin_large<I: Io>(
        &self,
        io: &I,
        source: (File, Stat),
        publish: &Publish,
        header: SealedHeader,
    ) -> Result<Large<Payload>, Error> {
        let layout = Layout::of_plain(source.1.bytes);
        let offset = header.bytes.len() as u64;
        let payload = Payload { key: header.payload_key, offset };
        let large =
            Large::begin(io, source, publish, (layout, payload), offset + layout.sealed_bytes()).await?;
        if let Err(error) = io.write_all(&large.result, Buf::from(header.bytes), Offset::At(0)).await.0 {
            large.discard(io).await;
            return Err(Error::at(During::Write)(error));
        }
        Ok(large)
    }
}

impl Job for SealJob {
    type Task = Task;
    type State = Large<Payload>;
    type Output = Done;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<Large<Payload>, Done>, Error> {
        let pair = match task.pair()? {
            Ok(pair) => pair,
            Err(done) => return Ok(Step::Done(done)),
        };
        let (file, stat) = pair.open_source(io).await?;
        self.options.check_target(io, pair).await?;
        let publish = self.options.publish(io, pair.target(), (&file, &stat)).await?;
        let header = self.header(io, task)?;
        if self.armored {
            return seal_armored(io, (&file, &stat), header, &publish).await.map(Step::Done);
        }
        if stat.bytes <= SMALL_BYTES {
            return self.seal_small(io, (&file, &stat), publish, header).await.map(Step::Done);
        }
        let parts = segment_count(Layout::of_plain(stat.bytes));
        let state = self.begin_large(io, (file, stat), &publish, header).await?;
        Ok(Step::Split { state: Arc::new(state), parts })
    }

    async fn part<I: Io>(&self, io: &I, _: &Task, state: &Large<Payload>, index: u64) -> Result<(), Error> {
        // A segment that is sealed a second time, because a worker died over it, is sealed under the same key: it must be the
        // same bytes.
        check_unchanged(io, &state.source, &state.source_stat).await?;
        let Payload { key, offset } = &state.key;
        let seal = |piece, plain: &[u8], out: &mut Buf| {
            seal_piece(key, state.layout, piece, plain, out);
            Ok(())
        };
        state.segment(io, index, (Side::Plain, Side::Sealed(*offset)), seal).await
    }

    async fn finish<I: Io>(
        &self,
        io: &I,
        task: &Task,
        state: &Large<Payload>,
        succeeded: bool,
    ) -> Result<Done, Error> {
        let published = state.finish(io, &self.options, task, succeeded).await?;
        let sealed_bytes = state.key.offset + state.layout.sealed_bytes();
        let remarks = Remarks::of(&state.source_stat).with(&published);
        Ok(Done::File { plain_bytes: state.layout.plain_bytes(), sealed_bytes, remarks })
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == Kind::Cancelled
    }
}

/// Appends the sealed chunks of `piece` to `out`.
pub(crate) fn seal_piece(key: &PayloadKey, layout: Layout, piece: Piece, mut plain: &[u8], out: &mut Buf) {
    for index in piece.chunks() {
        let (chunk, rest) = plain.split_at(layout.plain_bytes_of(index));
        let sealed_bytes = chunk.len() + haul_age_format::TAG_BYTES;
        key.seal_chunk(index, layout.is_last(index), chunk, &mut out.spare_mut()[..sealed_bytes]);
        out.commit(sealed_bytes);
        plain = rest;
    }
}
