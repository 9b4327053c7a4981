//! The verifying job: it authenticates every chunk of an age file and writes nothing.
//!
//! Owns: the order of the steps for one source, what its segments share.
//! Does not own: authentication ([`crate::payload`]), engines.

use std::sync::Arc;

use haul_age_format::{Identity, Layout};
use haul_engine::{Job, Step};
use haul_io::{Io, drop_cached};

use super::identities::JobIdentities;
use super::in_order::open_in_order;
use crate::error::{Error, ErrorKind};
use crate::payload::Payload;
use crate::payload::accept::{SourceFormat, accept};
use crate::payload::segments::{PIECE_BYTES, SEALED_PIECE_BYTES, pieces_of_segment, segment_count};
use crate::plugin::KeyRequest;
use crate::task::{Outcome, Pair, Remarks, SourceFile, Task};

/// Authenticates each task's source, armored or not, with the first identity that fits. The target is ignored; see
/// [`Task::check`]. If several chunks of a file are damaged, the error names the one that was found first.
///
/// Memory, costs and errors of tasks are those of an [`OpenJob`](crate::OpenJob); nothing is written.
pub struct VerifyJob {
    pub(super) identities: JobIdentities,
}

/// A large file being verified.
pub struct VerifyState {
    pub(super) source: SourceFile,
    pub(super) layout: Layout,
    pub(super) payload: Payload,
}

impl VerifyJob {
    /// Creates a job that verifies with `identities`.
    pub fn new(identities: Vec<Identity>) -> Self {
        Self { identities: JobIdentities::new(identities) }
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
    ) -> Result<Step<VerifyState, Outcome>, Error> {
        let source = pair.open_source(io).await?;
        let keys = self.identities.keys(task);
        let accepted = match accept(io, &source, &keys).await? {
            SourceFormat::Binary(accepted) => accepted,
            SourceFormat::InOrder(form) => {
                return open_in_order(io, &source, &keys, None, form).await.map(Step::Done);
            }
        };
        if accepted.is_small {
            let plain = accepted.open_small(io).await?;
            let plain_bytes = plain.filled().len() as u64;
            io.give_buf(plain);
            io.progress(plain_bytes);
            source.check_unchanged(io).await?;
            return Ok(Step::Done(outcome(plain_bytes, source.stat.bytes)));
        }
        let (layout, payload) = accepted.into_payload(io);
        let state = VerifyState { source, layout, payload };
        Ok(Step::Split { state: Arc::new(state), parts: segment_count(layout) })
    }
}

impl Job for VerifyJob {
    type Task = Task;
    type State = VerifyState;
    type Output = Outcome;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<VerifyState, Outcome>, Error> {
        task.work()?.start(|pair| self.start_pair(io, task, pair)).await
    }

    async fn part<I: Io>(&self, io: &I, _: &Task, state: &VerifyState, index: u64) -> Result<(), Error> {
        let VerifyState { source, layout, payload } = state;
        let (mut sealed, mut plain) = (io.take_buf(SEALED_PIECE_BYTES), io.take_buf(PIECE_BYTES));
        for piece in pieces_of_segment(*layout, index) {
            let offset = payload.offset + Layout::sealed_offset(piece.first);
            sealed = source.read(io, sealed, piece.sealed_bytes(*layout), offset).await?;
            payload.open_piece(*layout, piece, sealed.filled(), &mut plain)?;
            sealed.clear();
            plain.clear();
            io.progress(piece.plain_bytes(*layout) as u64);
            io.yield_now().await;
        }
        io.give_buf(sealed);
        io.give_buf(plain);
        Ok(())
    }

    async fn finish<I: Io>(
        &self,
        io: &I,
        _: &Task,
        state: &VerifyState,
        succeeded: bool,
    ) -> Result<Outcome, Error> {
        drop_cached(io, &state.source.file).await;
        if succeeded {
            state.source.check_unchanged(io).await?;
        }
        Ok(outcome(state.layout.plain_bytes(), state.source.stat.bytes))
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == ErrorKind::Cancelled
    }
}

fn outcome(plain_bytes: u64, sealed_bytes: u64) -> Outcome {
    Outcome::File { plain_bytes, sealed_bytes, remarks: Remarks::default() }
}
