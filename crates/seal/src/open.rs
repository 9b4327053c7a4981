//! The opening job: an age file becomes its plaintext, if it is authentic to the last chunk.
//!
//! Owns: the order of the steps for one source.
//! Does not own: the format, publishing, engines.

use std::path::Path;

use haul_age_format::{
    Header, HeaderError, Identity, Layout, NONCE_BYTES, Parsed, PayloadKey, TAG_BYTES, open_header,
};
use haul_engine::{Job, Step as Progress};
use haul_io::{Buf, File, Io, Offset, OpenMode, Stat};

use crate::large::{Large, Payload, Side};
use crate::portable::SharedKey;
use crate::segment::{Piece, SMALL_BYTES, buffer_bytes, pieces_of, segment_count};
use crate::task::{check_unchanged, open_source};
use crate::{Done, Error, FileOptions, Kind, Step, Task};

/// Opens each task's source with the first identity that fits.
pub struct OpenJob {
    pub(crate) identities: Vec<Identity>,
    pub(crate) options: FileOptions,
    pub(crate) run_key: SharedKey,
}

/// How much of a source is read at first: all of a small one, and the header of any but the most crowded.
const FIRST_READ_BYTES: usize = SMALL_BYTES as usize + 16 * 1024;

/// A source whose header was accepted.
struct Accepted {
    key: PayloadKey,
    layout: Layout,
    payload_offset: u64,
    /// The start of the source, `first_bytes` in all.
    first: Buf,
}

impl OpenJob {
    /// A job that opens with `identities`.
    pub fn new(identities: Vec<Identity>, options: FileOptions) -> Self {
        Self { identities, options, run_key: SharedKey::new() }
    }

    async fn accept<I: Io>(&self, io: &I, file: &File, stat: &Stat) -> Result<Accepted, Error> {
        let (header, header_bytes, first) = read_header(io, file, stat).await?;
        let payload_offset = (header_bytes + NONCE_BYTES) as u64;
        let Some(nonce) = first.filled().get(header_bytes..header_bytes + NONCE_BYTES) else {
            return Err(Error::WrongLength);
        };
        let nonce = nonce.try_into().expect("the range has the nonce's length");
        let key = open_header(&header, nonce, &self.identities)?;
        let sealed_bytes = stat.bytes.checked_sub(payload_offset).ok_or(Error::SourceChanged)?;
        let layout = Layout::of_sealed(sealed_bytes).ok_or(Error::WrongLength)?;
        Ok(Accepted { key, layout, payload_offset, first })
    }

    /// A source that is in memory already.
    async fn open_small<I: Io>(
        &self,
        io: &I,
        source: &File,
        stat: &Stat,
        target: &Path,
        accepted: Accepted,
    ) -> Result<Done, Error> {
        let Accepted { key, layout, payload_offset, mut first } = accepted;
        first.consume(payload_offset as usize);
        let mut plain = io.take_buf(buffer_bytes(layout.plain_bytes()));
        let mut rest = first.filled();
        for piece in pieces_of(layout) {
            let (now, later) = rest.split_at(piece.sealed_bytes(layout));
            open_piece(&key, layout, piece, now, &mut plain)?;
            rest = later;
            io.yield_now().await;
        }
        io.give_buf(first);
        check_unchanged(io, source, stat).await?;
        let (result, plain) = io.write_file(self.options.publish(target, stat), plain).await;
        result.map_err(Error::at(Step::Write))?;
        io.give_buf(plain);
        io.progress(layout.plain_bytes());
        Ok(Done::File { plain_bytes: layout.plain_bytes(), sealed_bytes: stat.bytes })
    }
}

impl Job for OpenJob {
    type Task = Task;
    type State = Large<Payload>;
    type Output = Done;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Progress<Large<Payload>, Done>, Error> {
        let (source, target) = match task.paths()? {
            Ok(paths) => paths,
            Err(reason) => return Ok(Progress::Done(Done::Skipped(reason))),
        };
        let (file, stat) = open_source(io, source, OpenMode::Read { follow: true }).await?;
        let accepted = self.accept(io, &file, &stat).await?;
        self.options.check_target(io, target).await?;
        let in_memory = accepted.first.filled().len() as u64 == stat.bytes;
        if in_memory && accepted.layout.plain_bytes() <= SMALL_BYTES {
            return self.open_small(io, &file, &stat, target, accepted).await.map(Progress::Done);
        }
        let Accepted { key, layout, payload_offset, first } = accepted;
        io.give_buf(first);
        let payload = Payload { key, offset: payload_offset };
        let state = Large::begin(io, (file, stat), target, (layout, payload), layout.plain_bytes()).await?;
        Ok(Progress::Split { state, parts: segment_count(layout) })
    }

    async fn part<I: Io>(&self, io: &I, _: &Task, state: &Large<Payload>, index: u64) -> Result<(), Error> {
        let Payload { key, offset } = &state.key;
        let open = |piece, sealed: &[u8], out: &mut Buf| open_piece(key, state.layout, piece, sealed, out);
        state.segment(io, index, (Side::Sealed(*offset), Side::Plain), open).await
    }

    async fn finish<I: Io>(
        &self,
        io: &I,
        task: &Task,
        state: &Large<Payload>,
        succeeded: bool,
    ) -> Result<Done, Error> {
        state.finish(io, &self.options, task, succeeded).await?;
        Ok(Done::File { plain_bytes: state.layout.plain_bytes(), sealed_bytes: state.source_stat.bytes })
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == Kind::Cancelled
    }
}

/// The header, its length, and the start of the source as far as it was read.
async fn read_header<I: Io>(io: &I, file: &File, stat: &Stat) -> Result<(Header, usize, Buf), Error> {
    let mut capacity = FIRST_READ_BYTES.min(buffer_bytes(stat.bytes));
    let mut first = io.take_buf(capacity);
    loop {
        let (count, back) = io.read_full(file, first, capacity, Offset::At(0)).await;
        first = back;
        let at_end = count.map_err(Error::at(Step::Read))? as u64 == stat.bytes;
        match Header::parse(first.filled())? {
            // The nonce must be there as well.
            Parsed::Complete { header, len } if at_end || len + NONCE_BYTES <= capacity => {
                return Ok((header, len, first));
            }
            _ if at_end => return Err(Error::WrongLength),
            _ if capacity > Header::BYTES_MAX => return Err(HeaderError::TooLong.into()),
            _ => {
                capacity = Header::BYTES_MAX + NONCE_BYTES + 1;
                first = io.take_buf(capacity);
            }
        }
    }
}

/// Appends the plaintext of `piece` to `out`; nothing of a chunk that isn't authentic.
fn open_piece(
    key: &PayloadKey,
    layout: Layout,
    piece: Piece,
    mut sealed: &[u8],
    out: &mut Buf,
) -> Result<(), Error> {
    for index in piece.chunks() {
        let plain_bytes = layout.plain_bytes_of(index);
        let (chunk, rest) = sealed.split_at(plain_bytes + TAG_BYTES);
        let plain = &mut out.spare_mut()[..plain_bytes];
        key.open_chunk(index, layout.is_last(index), chunk, plain).map_err(|_| Error::Chunk { index })?;
        out.commit(plain_bytes);
        sealed = rest;
    }
    Ok(())
}
