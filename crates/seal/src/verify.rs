//! The verifying job: every chunk of an age file is authenticated, and nothing is written.
//!
//! Owns: the order of the steps for one source, what its segments share.
//! Does not own: authentication ([`crate::accept`]), engines.

use std::sync::Arc;

use haul_age_format::{Identity, Layout};
use haul_engine::{Job, Step};
use haul_io::{File, Io, Offset, Stat};

use crate::accept::{Found, Keys, accept, open_piece};
use crate::armored::open_armored;
use crate::large::Payload;
use crate::portable::{self, SharedKey};
use crate::segment::{PIECE_BYTES, SEALED_PIECE_BYTES, pieces_of_segment, segment_count};
use crate::task::{Remarks, check_unchanged};
use crate::{Done, During, Error, Keying, Kind, Task};

/// Authenticates each task's source, armored or not, under the first identity that fits. The task's target is of no
/// meaning: see [`Task::check`]. Of several damaged chunks of a file, the first that was found is told of.
pub struct VerifyJob {
    pub(crate) identities: Vec<Identity>,
    pub(crate) run_key: SharedKey,
}

/// A large file that is being verified.
pub struct Checked {
    pub(crate) source: File,
    pub(crate) source_stat: Stat,
    pub(crate) layout: Layout,
    pub(crate) payload: Payload,
}

impl VerifyJob {
    /// A job that opens with `identities` and keeps nothing.
    pub fn new(identities: Vec<Identity>) -> Self {
        Self { identities, run_key: SharedKey::new() }
    }

    /// What plugins are to be asked about its tasks, by a [`KeySource`](crate::KeySource).
    pub fn keying(&self, random: &mut dyn FnMut(&mut [u8])) -> Keying {
        Keying::to_open(&self.identities, || portable::run_key_of(&self.run_key, random))
    }
}

impl Job for VerifyJob {
    type Task = Task;
    type State = Checked;
    type Output = Done;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<Checked, Done>, Error> {
        let pair = match task.pair()? {
            Ok(pair) => pair,
            Err(done) => return Ok(Step::Done(done)),
        };
        let (file, stat) = pair.open_source(io).await?;
        let keys = Keys::of(task, &self.identities, &self.run_key);
        let accepted = match accept(io, &file, &stat, &keys).await? {
            Found::Binary(accepted) => accepted,
            Found::Armored => {
                return open_armored(io, (&file, &stat), &keys, None).await.map(Step::Done);
            }
        };
        if accepted.is_small {
            let plain = accepted.open_small(io).await?;
            let plain_bytes = plain.filled().len() as u64;
            io.give_buf(plain);
            io.progress(plain_bytes);
            check_unchanged(io, &file, &stat).await?;
            return Ok(Step::Done(done(plain_bytes, stat.bytes)));
        }
        let (layout, payload) = accepted.into_payload(io);
        let state = Checked { source: file, source_stat: stat, layout, payload };
        Ok(Step::Split { state: Arc::new(state), parts: segment_count(layout) })
    }

    async fn part<I: Io>(&self, io: &I, _: &Task, state: &Checked, index: u64) -> Result<(), Error> {
        let Checked { source, layout, payload, .. } = state;
        let (mut sealed, mut plain) = (io.take_buf(SEALED_PIECE_BYTES), io.take_buf(PIECE_BYTES));
        for piece in pieces_of_segment(*layout, index) {
            let bytes = piece.sealed_bytes(*layout);
            let offset = Offset::At(payload.offset + Layout::sealed_offset(piece.first));
            let (count, back) = io.read_full(source, sealed, bytes, offset).await;
            sealed = back;
            if count.map_err(Error::at(During::Read))? != bytes {
                return Err(Error::SourceChanged);
            }
            open_piece(payload, *layout, piece, sealed.filled(), &mut plain)?;
            sealed.clear();
            plain.clear();
            io.progress(piece.plain_bytes(*layout) as u64);
            io.yield_now().await;
        }
        io.give_buf(sealed);
        io.give_buf(plain);
        Ok(())
    }

    async fn finish<I: Io>(&self, io: &I, _: &Task, state: &Checked, succeeded: bool) -> Result<Done, Error> {
        if succeeded {
            check_unchanged(io, &state.source, &state.source_stat).await?;
        }
        Ok(done(state.layout.plain_bytes(), state.source_stat.bytes))
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == Kind::Cancelled
    }
}

fn done(plain_bytes: u64, sealed_bytes: u64) -> Done {
    Done::File { plain_bytes, sealed_bytes, remarks: Remarks::default() }
}
