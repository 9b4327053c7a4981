//! The opening job: it decrypts an age file that is authentic to its last chunk.
//!
//! Owns: the order of the steps for one source.
//! Does not own: the format, authentication ([`crate::payload`]), publishing, engines.

use std::sync::Arc;

use haul_age_format::Identity;
use haul_engine::{Job, Step};
use haul_io::{Buf, Io, Publish};

use super::identities::JobIdentities;
use super::in_order::{Opened, holds_identities, open_in_order};
use super::large_file::{LargeFile, NewResult, Side, Sides};
use crate::error::{During, Error, ErrorKind};
use crate::payload::Payload;
use crate::payload::accept::{SourceFormat, accept};
use crate::payload::segments::segment_count;
use crate::plugin::KeyRequest;
use crate::task::{FileOptions, Outcome, Pair, SkipReason, SourceFile, Task};

/// Opens each task's source, armored or not, with the first identity that fits. [`OpenTree`](crate::OpenTree) runs it
/// over trees.
///
/// Memory for each task in work: a file of up to 1 MiB and its result, or two buffers of 256 KiB. Cost for each file:
/// about 60 µs for an X25519 identity; each identity that doesn't fit is tried before.
///
/// In a tree, an identity that a passphrase protects is skipped: its plaintext beside the data would open all of it.
///
/// A task fails with [`Error::Header`] or [`Error::Plugin`] if no identity fits; with [`Error::Chunk`],
/// [`Error::CutShort`], [`Error::AfterEnd`], [`Error::WrongLength`] or [`Error::Armor`] if the file is damaged; as a
/// [`SealJob`](crate::SealJob)'s if its files aren't what they should be. Nothing is published then.
pub struct OpenJob {
    pub(super) identities: JobIdentities,
    pub(super) options: FileOptions,
}

impl OpenJob {
    /// Creates a job that opens with `identities`.
    pub fn new(identities: Vec<Identity>, options: FileOptions) -> Self {
        Self { identities: JobIdentities::new(identities), options }
    }

    /// Returns what a [`KeySource`](crate::KeySource) must ask plugins for this job's tasks. `random` fills a buffer
    /// with random bytes.
    pub fn key_request(&self, random: &mut dyn FnMut(&mut [u8])) -> KeyRequest {
        self.identities.key_request(random)
    }

    async fn start_pair<I: Io>(
        &self,
        io: &I,
        task: &Task,
        pair: Pair<'_>,
    ) -> Result<Step<LargeFile<Payload>, Outcome>, Error> {
        let source = pair.open_source(io).await?;
        let keys = self.identities.keys(task);
        let format = accept(io, &source, &keys).await?;
        self.options.check_target(io, pair.target()).await?;
        let publish = self.options.publish(io, pair.target(), &source).await?;
        let accepted = match format {
            SourceFormat::Binary(accepted) => accepted,
            SourceFormat::InOrder(form) => {
                let result = Some(Opened { publish: &publish, spares_identities: pair.is_of_tree() });
                return open_in_order(io, &source, &keys, result, form).await.map(Step::Done);
            }
        };
        if accepted.is_small {
            let spares_identities = pair.is_of_tree() && accepted.is_by_passphrase;
            let plain = accepted.open_small(io).await?;
            if spares_identities && holds_identities(plain.filled()) {
                return Ok(Step::Done(Outcome::Skipped(SkipReason::Identity)));
            }
            return publish_small(io, &source, publish, plain).await.map(Step::Done);
        }
        let (layout, context) = accepted.into_payload(io);
        let new = NewResult { layout, context, bytes: layout.plain_bytes() };
        let state = LargeFile::begin(io, source, &publish, new).await?;
        Ok(Step::Split { state: Arc::new(state), parts: segment_count(layout) })
    }
}

/// Publishes the plaintext of a source that was read completely.
async fn publish_small(
    io: &impl Io,
    source: &SourceFile,
    publish: Publish,
    plain: Buf,
) -> Result<Outcome, Error> {
    let plain_bytes = plain.filled().len() as u64;
    source.check_unchanged(io).await?;
    let (result, plain) = io.write_file(publish, plain).await;
    let published = result.map_err(Error::at(During::Write))?;
    io.give_buf(plain);
    io.progress(plain_bytes);
    let remarks = source.remarks().with(&published);
    Ok(Outcome::File { plain_bytes, sealed_bytes: source.stat.bytes, remarks })
}

impl Job for OpenJob {
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
        let payload = &state.context;
        let sides = Sides { from: Side::Sealed(payload.offset), to: Side::Plain };
        let open = |piece, sealed: &[u8], out: &mut Buf| payload.open_piece(state.layout, piece, sealed, out);
        state.segment(io, index, sides, open).await
    }

    async fn finish<I: Io>(
        &self,
        io: &I,
        task: &Task,
        state: &LargeFile<Payload>,
        succeeded: bool,
    ) -> Result<Outcome, Error> {
        let published = state.finish(io, &self.options, task, succeeded).await?;
        let (plain_bytes, sealed_bytes) = (state.layout.plain_bytes(), state.source.stat.bytes);
        let remarks = state.source.remarks().with(&published);
        Ok(Outcome::File { plain_bytes, sealed_bytes, remarks })
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == ErrorKind::Cancelled
    }
}
