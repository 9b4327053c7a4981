//! The opening job: an age file becomes its plaintext, if it is authentic to the last chunk.
//!
//! Owns: the order of the steps for one source.
//! Does not own: the format, authentication ([`crate::accept`]), publishing, engines.

use std::sync::Arc;

use haul_age_format::Identity;
use haul_engine::{Job, Step};
use haul_io::{Buf, File, Io, Publish, Stat};

use crate::accept::{Accepted, Found, Keys, accept, open_piece};
use crate::armored::open_armored;
use crate::large::{Large, Payload, Side};
use crate::portable::{self, SharedKey};
use crate::segment::segment_count;
use crate::task::{Remarks, check_unchanged};
use crate::{Done, During, Error, FileOptions, Keying, Kind, Task};

/// Opens each task's source, armored or not, with the first identity that fits.
pub struct OpenJob {
    pub(crate) identities: Vec<Identity>,
    pub(crate) options: FileOptions,
    pub(crate) run_key: SharedKey,
}

impl OpenJob {
    /// A job that opens with `identities`.
    pub fn new(identities: Vec<Identity>, options: FileOptions) -> Self {
        Self { identities, options, run_key: SharedKey::new() }
    }

    /// What plugins are to be asked about its tasks, by a [`KeySource`](crate::KeySource).
    pub fn keying(&self, random: &mut dyn FnMut(&mut [u8])) -> Keying {
        Keying::to_open(&self.identities, || portable::run_key_of(&self.run_key, random))
    }

    /// A source that is in memory already.
    async fn open_small<I: Io>(
        &self,
        io: &I,
        (source, stat): (&File, &Stat),
        publish: Publish,
        accepted: Accepted,
    ) -> Result<Done, Error> {
        let plain = accepted.open_small(io).await?;
        let plain_bytes = plain.filled().len() as u64;
        check_unchanged(io, source, stat).await?;
        let (result, plain) = io.write_file(publish, plain).await;
        let published = result.map_err(Error::at(During::Write))?;
        io.give_buf(plain);
        io.progress(plain_bytes);
        Ok(Done::File { plain_bytes, sealed_bytes: stat.bytes, remarks: Remarks::of(stat).with(&published) })
    }
}

impl Job for OpenJob {
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
        let keys = Keys::of(task, &self.identities, &self.run_key);
        let found = accept(io, &file, &stat, &keys).await?;
        self.options.check_target(io, pair).await?;
        let publish = self.options.publish(io, pair.target(), (&file, &stat)).await?;
        let accepted = match found {
            Found::Binary(accepted) => accepted,
            Found::Armored => {
                let opened = open_armored(io, (&file, &stat), &keys, Some(&publish)).await;
                return opened.map(Step::Done);
            }
        };
        if accepted.is_small {
            return self.open_small(io, (&file, &stat), publish, accepted).await.map(Step::Done);
        }
        let (layout, payload) = accepted.into_payload(io);
        let state = Large::begin(io, (file, stat), &publish, (layout, payload), layout.plain_bytes()).await?;
        Ok(Step::Split { state: Arc::new(state), parts: segment_count(layout) })
    }

    async fn part<I: Io>(&self, io: &I, _: &Task, state: &Large<Payload>, index: u64) -> Result<(), Error> {
        let payload = &state.key;
        let open =
            |piece, sealed: &[u8], out: &mut Buf| open_piece(payload, state.layout, piece, sealed, out);
        state.segment(io, index, (Side::Sealed(payload.offset), Side::Plain), open).await
    }

    async fn finish<I: Io>(
        &self,
        io: &I,
        task: &Task,
        state: &Large<Payload>,
        succeeded: bool,
    ) -> Result<Done, Error> {
        let published = state.finish(io, &self.options, task, succeeded).await?;
        let (plain_bytes, sealed_bytes) = (state.layout.plain_bytes(), state.source_stat.bytes);
        Ok(Done::File {
            plain_bytes,
            sealed_bytes,
            remarks: Remarks::of(&state.source_stat).with(&published),
        })
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == Kind::Cancelled
    }
}
