//! The packing job: it makes a file a member of a shard.
//!
//! Owns: the order of the steps for one source.
//! Does not own: opening the source ([`crate::task`]), shards ([`haul_pack`]).

use haul_engine::{Job, Step};
use haul_io::{Io, Stat};
use haul_pack::{Content, Entry, Packer, Spill};

use super::pack_task::{HeldMember, PackTask};
use crate::error::{During, Error, ErrorKind};
use crate::payload::segments::{SMALL_BYTES, buffer_bytes};
use crate::task::{FileOptions, Outcome, Pair, SourceFile, Work};

/// The bytes of a large source that are read at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// Packs each task's source into a shard. The source of its tasks is a [`PackSource`](haul_pack::PackSource) around
/// [`Walk::packing`](crate::Walk::packing), and [`Packer::finish`] comes after its run.
///
/// A task ends when its shard does. Memory: for each task in work, a file of up to 1 MiB or 256 KiB; for each task that
/// waits, some hundred bytes. Larger files are sealed into a file of their own first, and then copied: what a source
/// loses while it is read must not damage the shard.
///
/// It keeps permission bits, times and owners. It doesn't keep access control lists and extended attributes.
pub struct PackJob {
    packer: Packer,
    options: FileOptions,
}

impl PackJob {
    /// A job that packs into the shards of `packer`.
    pub fn new(packer: Packer, options: FileOptions) -> Self {
        Self { packer, options }
    }

    async fn pack(&self, io: &impl Io, task: &PackTask, pair: Pair<'_>) -> Result<Step<(), Outcome>, Error> {
        let packer = self.packer(task);
        let source = pair.open_source(io).await?;
        let plain = match source.stat.bytes {
            0..=SMALL_BYTES => source.read_whole(io, io.take_buf(buffer_bytes(source.stat.bytes))).await?,
            _ => None,
        };
        let (plain_bytes, added) = match plain {
            Some(plain) => {
                source.check_unchanged(io).await?;
                let entry = self.entry(task.name(), plain.filled().len() as u64, &source.stat);
                let added = packer.add(io, &entry, Content::Memory(plain.filled())).await;
                io.give_buf(plain);
                (entry.bytes, added)
            }
            // Its length is unknown, or it is long.
            None => {
                let spill = self.spill(io, packer, &source).await?;
                let entry = self.entry(task.name(), spill.bytes(), &source.stat);
                (entry.bytes, packer.add(io, &entry, Content::Spill(Box::new(spill))).await)
            }
        };
        let ticket = added.map_err(Error::at(During::Write))?;
        io.progress(plain_bytes);
        task.hold(HeldMember { ticket, plain_bytes, remarks: source.remarks() });
        Ok(Step::Again)
    }

    /// What packs the member of `task`.
    fn packer<'a>(&'a self, task: &'a PackTask) -> &'a Packer {
        task.packer().unwrap_or(&self.packer)
    }

    async fn spill(&self, io: &impl Io, packer: &Packer, source: &SourceFile) -> Result<Spill, Error> {
        let mut spill = packer.spill(io).await.map_err(Error::at(During::Create))?;
        let (mut offset, mut buf) = (0, io.take_buf(PIECE_BYTES));
        loop {
            let (count, piece) =
                io.read_full(&source.file, buf, PIECE_BYTES, haul_io::Offset::At(offset)).await;
            let count = count.map_err(Error::at(During::Read))?;
            spill.push(io, piece.filled()).await.map_err(Error::at(During::Write))?;
            offset += count as u64;
            buf = piece;
            buf.clear();
            if count < PIECE_BYTES {
                break;
            }
        }
        io.give_buf(buf);
        match source.check_unchanged(io).await {
            Ok(()) => Ok(spill),
            Err(error) => {
                spill.discard(io).await;
                Err(error)
            }
        }
    }

    fn entry(&self, name: &[u8], bytes: u64, source: &Stat) -> Entry {
        let entry = self.packer.entry(name, bytes, None);
        if self.options.preserve { kept(entry, source) } else { entry }
    }
}

/// `entry` with what is kept of its source.
pub(crate) fn kept(entry: Entry, source: &Stat) -> Entry {
    let Stat { owner, group, modified, .. } = *source;
    Entry { mode: source.mode & 0o777, owner, group, modified, ..entry }
}

impl Job for PackJob {
    type Task = PackTask;
    type State = ();
    type Output = Outcome;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &PackTask) -> Result<Step<(), Outcome>, Error> {
        if let Some(HeldMember { ticket, plain_bytes, mut remarks }) = task.held() {
            let settled = self.packer(task).settle(io, &ticket).await;
            let (shard, shortfalls) = settled.map_err(Error::at(During::Publish))?;
            remarks.shortfalls.merge(shortfalls);
            return Ok(Step::Done(Outcome::Packed { plain_bytes, shard, remarks }));
        }
        match task.task().work()? {
            Work::Files(pair) => self.pack(io, task, pair).await,
            Work::Done(outcome) => Ok(Step::Done(outcome)),
        }
    }

    async fn part<I: Io>(&self, _: &I, _: &PackTask, (): &(), _: u64) -> Result<(), Error> {
        Ok(())
    }

    async fn finish<I: Io>(&self, _: &I, _: &PackTask, (): &(), _: bool) -> Result<Outcome, Error> {
        unreachable!("no task is split")
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == ErrorKind::Cancelled
    }
}
