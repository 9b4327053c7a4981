//! The rekeying job: it gives an age file a new header, for other recipients, and keeps the payload.
//!
//! Owns: the order of the steps for one source, authenticating the end of the copy, its form for worker processes.
//! Does not own: headers ([`haul_age_format::rewrap_header`]), armored files ([`super::in_order`]), copying
//! ([`haul_io::copy_range`]), publishing.

use haul_age_format::{
    Header, Identity, Layout, NONCE_BYTES, Recipient, SEALED_CHUNK_BYTES, SealError, check_recipients,
    open_header_with, rewrap_header,
};
use haul_engine::{Job, Portable, Step};
use haul_io::{
    Buf, Copying, Durability, Existing, File, Io, Offset, Op, Publish, Staged, copy_range, is_cancelled,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::identities::JobIdentities;
use super::in_order::{Rewrapped, end, rekey_in_order};
use super::job_spec::JobSpec;
use super::portable::ends_of;
use super::replacing::regular;
use crate::error::{During, Error, ErrorKind};
use crate::inspect::inspect_file;
use crate::payload::Payload;
use crate::payload::accept::{FileStart, read_header};
use crate::payload::segments::{Piece, buffer_bytes};
use crate::plugin::KeyRequest;
use crate::task::{FileOptions, Outcome, Remarks, SourceFile, Task};

/// Replaces each task's source, armored or not, by one with a header for other recipients. The payload stays, and so
/// does the file key: a former recipient may have kept the key, with which the new file opens as well.
///
/// At every instant the name leads to the old or to the new file. Its header is authenticated, and so is its last
/// chunk in the new file, which shows that the copy is complete. Armored files are authenticated as a whole. A symbolic
/// link is refused.
///
/// Cost for each file: as opening its header and sealing a new one, and a copy of its payload; none of the payload
/// where the file system can share blocks. Memory for each task in work: a file of up to 1 MiB and its result.
pub struct RekeyJob {
    identities: JobIdentities,
    recipients: Vec<Recipient>,
    options: FileOptions,
}

/// The specification of a [`RekeyJob`] for worker processes.
#[derive(Serialize, Deserialize)]
pub struct RekeyJobSpec {
    opening: JobSpec,
    recipients: Vec<Zeroizing<String>>,
}

impl RekeyJob {
    /// Creates a job that opens headers with `identities` and makes new ones for `recipients`. Existing files are
    /// replaced, whatever `options` say.
    ///
    /// # Errors
    /// If there are no recipients or they can't be combined.
    pub fn new(
        identities: Vec<Identity>,
        recipients: Vec<Recipient>,
        options: FileOptions,
    ) -> Result<Self, SealError> {
        check_recipients(&recipients)?;
        let options = FileOptions { existing: Existing::Replace, sparse: false, ..options };
        Ok(Self { identities: JobIdentities::new(identities), recipients, options })
    }

    /// Returns what a [`KeySource`](crate::KeySource) must ask plugins for this job's tasks. `random` fills a buffer
    /// with random bytes.
    pub fn key_request(&self, random: &mut dyn FnMut(&mut [u8])) -> KeyRequest {
        self.identities.rekey_request(&self.recipients, random)
    }

    async fn rekey(&self, io: &impl Io, task: &Task) -> Result<Outcome, Error> {
        let before = task.pair().stat_source(io).await.map_err(Error::at(During::OpenSource))?;
        // A link would be replaced, and the file that it leads to left as it is.
        let task = &task.pinned(io, &regular(before)?).await?;
        let source = task.pair().open_source(io).await?;
        let start = read_header(io, &source).await?;
        let publish = self.options.publish(io, task.pair().target(), &source).await?;
        let rewrap = |header: &Header, header_bytes: usize, nonce: &[u8; NONCE_BYTES]| {
            self.rewrap(io, task, header, header_bytes, nonce)
        };
        match start {
            None => rekey_in_order(io, &source, &publish, rewrap).await,
            Some(start) => {
                let Rewrapped { start: new, payload } =
                    rewrap(&start.header, start.header_bytes, &start.nonce()?)?;
                let sealed_bytes = source.stat.bytes.checked_sub(payload.offset).ok_or(Error::WrongLength)?;
                let layout = Layout::of_sealed(sealed_bytes).ok_or(Error::WrongLength)?;
                let copy = Copy { task, source: &source, new, payload, layout };
                if start.is_whole {
                    copy.small(io, publish, start).await
                } else {
                    copy.large(io, &publish, start).await
                }
            }
        }
    }

    /// Makes the new header of the source of `task`.
    fn rewrap(
        &self,
        io: &impl Io,
        task: &Task,
        header: &Header,
        header_bytes: usize,
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<Rewrapped, Error> {
        let file_key = self.identities.keys(task).into_file_key(header)?;
        let stanzas = task.plugin_key().map_or(&[][..], |key| &key.stanzas);
        let new = rewrap_header(&self.recipients, stanzas, &file_key, &mut |out| io.random(out));
        let mut start = new.map_err(Error::Recipients)?;
        start.extend_from_slice(nonce);
        let key = open_header_with(header, nonce, &file_key)?;
        Ok(Rewrapped { start, payload: Payload { key, offset: (header_bytes + NONCE_BYTES) as u64 } })
    }
}

/// A binary age file that gets a new header.
struct Copy<'a> {
    task: &'a Task,
    source: &'a SourceFile,
    /// The new header, with the nonce.
    new: Vec<u8>,
    /// The payload in the source.
    payload: Payload,
    layout: Layout,
}

impl Copy<'_> {
    fn bytes(&self) -> u64 {
        self.new.len() as u64 + self.layout.sealed_bytes()
    }

    fn outcome(&self) -> Outcome {
        let remarks = self.source.remarks();
        Outcome::File { plain_bytes: self.layout.plain_bytes(), sealed_bytes: self.bytes(), remarks }
    }

    /// Writes a file whose whole content is in `start`.
    async fn small(self, io: &impl Io, publish: Publish, start: FileStart) -> Result<Outcome, Error> {
        let mut payload = start.start;
        if payload.filled().len() as u64 != self.source.stat.bytes {
            return Err(Error::SourceChanged);
        }
        payload.consume(self.payload.offset as usize);
        let last_start = Layout::sealed_offset(self.layout.chunk_count() - 1) as usize;
        self.check_last_chunk(io, &payload.filled()[last_start..])?;
        let mut content = io.take_buf(buffer_bytes(self.bytes()));
        content.append(&self.new);
        content.append(payload.filled());
        io.give_buf(payload);
        self.check_unchanged(io).await?;
        let (result, content) = io.write_file(publish, content).await;
        let published = result.map_err(Error::at(During::Write))?;
        io.give_buf(content);
        io.progress(self.layout.plain_bytes());
        Ok(self.outcome().with(&published))
    }

    /// Copies the payload.
    async fn large(self, io: &impl Io, publish: &Publish, start: FileStart) -> Result<Outcome, Error> {
        io.give_buf(start.start);
        let staged = Staged::create(io, publish).await.map_err(Error::at(During::Create))?;
        let result = self.write(io, staged.file(), publish.durability).await;
        end(io, staged, publish, result).await
    }

    async fn write(&self, io: &impl Io, target: &File, durability: Durability) -> Result<Outcome, Error> {
        let (from, to) = (self.payload.offset, self.new.len() as u64);
        let bytes = self.layout.sealed_bytes();
        let is_cloned = from == to && self.clone_source(io, target).await?;
        let (written, _) = io.write_all(target, Buf::from(self.new.clone()), Offset::At(0)).await;
        written.map_err(Error::at(During::Write))?;
        let copying = Copying { source: &self.source.file, from, target, to, bytes };
        if !is_cloned && copy_range(io, copying).await.map_err(Error::at(During::Write))? < bytes {
            return Err(Error::SourceChanged);
        }
        let last_start = Layout::sealed_offset(self.layout.chunk_count() - 1);
        let last_bytes = (bytes - last_start) as usize;
        let buf = io.take_buf(SEALED_CHUNK_BYTES);
        let (count, last) = io.read_full(target, buf, last_bytes, Offset::At(to + last_start)).await;
        count.map_err(Error::at(During::Read))?;
        self.check_last_chunk(io, last.filled())?;
        io.give_buf(last);
        if durability == Durability::Synced {
            // Before the name is looked at once more: this is what takes long.
            io.sync(target).await.map_err(Error::at(During::Write))?;
        }
        self.check_unchanged(io).await?;
        io.progress(self.layout.plain_bytes());
        Ok(self.outcome())
    }

    /// Makes `target` share the blocks of the source. Returns false if the file system can't do that.
    async fn clone_source(&self, io: &impl Io, target: &File) -> Result<bool, Error> {
        let op = Op::CloneFile { source: self.source.file.clone(), file: target.clone() };
        match io.done(op).await {
            Err(error) if is_cancelled(&error) => Err(Error::at(During::Write)(error)),
            result => Ok(result.is_ok()),
        }
    }

    /// Fails if the payload isn't complete.
    fn check_last_chunk(&self, io: &impl Io, sealed: &[u8]) -> Result<(), Error> {
        let mut plain = io.take_buf(SEALED_CHUNK_BYTES);
        let last = Piece { first: self.layout.chunk_count() - 1, count: 1 };
        let opened = self.payload.open_piece(self.layout, last, sealed, &mut plain);
        io.give_buf(plain);
        opened
    }

    /// Fails if the source has changed, or if another file has taken its name.
    async fn check_unchanged(&self, io: &impl Io) -> Result<(), Error> {
        self.source.check_unchanged(io).await?;
        let pair = self.task.pair();
        let named = pair.stat_source(io).await.map_err(Error::at(During::OpenSource))?;
        if pair.is_unchanged(io, &self.source.stat, &named).await {
            Ok(())
        } else {
            Err(Error::SourceChanged)
        }
    }
}

impl Job for RekeyJob {
    type Task = Task;
    type State = ();
    type Output = Outcome;
    type Error = Error;

    async fn start<I: Io>(&self, io: &I, task: &Task) -> Result<Step<(), Outcome>, Error> {
        task.work()?.start(|_| async { self.rekey(io, task).await.map(Step::Done) }).await
    }

    async fn part<I: Io>(&self, _: &I, _: &Task, (): &(), _: u64) -> Result<(), Error> {
        unreachable!("a header is written by one worker")
    }

    async fn finish<I: Io>(&self, _: &I, _: &Task, (): &(), _: bool) -> Result<Outcome, Error> {
        unreachable!("a header is written by one worker")
    }

    fn is_cancelled(error: &Error) -> bool {
        error.kind() == ErrorKind::Cancelled
    }
}

impl Portable for RekeyJob {
    type JobSpec = RekeyJobSpec;
    type Token = ();

    fn job_spec(&self, random: &mut dyn FnMut(&mut [u8])) -> RekeyJobSpec {
        let opening = self.identities.job_spec(self.options, random);
        RekeyJobSpec { opening, recipients: self.recipients.iter().map(Recipient::to_secret_text).collect() }
    }

    fn from_job_spec(spec: RekeyJobSpec) -> Result<Self, String> {
        let recipients = spec.recipients.iter().map(|key| Recipient::from_secret_text(key));
        let recipients = recipients.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let identities = JobIdentities::from_job_spec(&spec.opening)?;
        Ok(Self { identities, recipients, options: spec.opening.options })
    }

    fn token(&self, (): &(), _: &mut dyn FnMut(&mut [u8])) {}

    async fn join<I: Io>(&self, _: &I, _: &Task, (): ()) -> Result<(), Error> {
        unreachable!("no other worker joins")
    }

    async fn published<I: Io>(&self, io: &I, task: &Task) -> Result<Outcome, Error> {
        let sealed_bytes = ends_of(io, task, &self.options).await?.target.bytes;
        let plain_bytes = inspect_file(task.pair().target().path())?.plain_bytes;
        Ok(Outcome::File { plain_bytes, sealed_bytes, remarks: Remarks::default() })
    }
}
