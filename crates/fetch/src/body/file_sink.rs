//! A body that is written to a file.
//!
//! Owns: writing small bodies at once and large ones as they arrive, appending to a partial file.
//! Does not own: which bytes belong together ([`crate::kept::resume`]), the names of partial files
//! ([`crate::kept::partial`]), how a file ends ([`ending`]).

mod ending;

use std::path::Path;

use haul_io::{Buf, Existing, File, Io, Offset, Pipe, Publish, Socket, Staged, Stat, move_arrived};

use crate::body::shortage;
use crate::body::space::Space;
use crate::body::write::write_first;
use crate::kept::partial::{Kept, Partial};
use crate::kept::place::Place;
use crate::kept::sync::Sync;
use crate::kept::validator::Validators;
use crate::{Error, Response};

/// A file; small ones are written at once, large ones as they arrive.
pub(crate) struct FileSink {
    publish: Publish,
    /// The partial file that is kept if the body stays incomplete; `None` if none is to be kept.
    partial: Option<Partial>,
    /// The validators of the partial file; `None` if none is to be kept.
    validators: Option<Validators>,
    /// Bytes received and not yet written.
    buffer: Option<Buf>,
    staged: Option<Staged>,
    /// Whether the bytes written are in the partial file.
    in_partial: bool,
    /// The partial file as a pause left it.
    left: Option<Stat>,
    /// Whether the partial file is kept until another whole, which lies elsewhere, is complete.
    keeps_partial: bool,
    /// Set if the file is only compared with the one that has its name: what an earlier run may have left of that one.
    compares: Option<Partial>,
    written_bytes: u64,
    space: Space,
    /// The record of a file that is kept up to date with its URL.
    sync: Option<Box<Sync>>,
}

/// A file that is being written, and how much of it has been.
pub(crate) struct Written {
    pub(crate) file: File,
    pub(crate) bytes: u64,
}

/// Bodies of up to this many bytes are written in one operation.
const BUFFER_BYTES: usize = 128 * 1024;

impl FileSink {
    pub(crate) fn new(publish: Publish, partial: Option<Partial>) -> Self {
        Self {
            publish,
            partial,
            validators: None,
            buffer: None,
            staged: None,
            in_partial: false,
            left: None,
            keeps_partial: false,
            compares: None,
            written_bytes: 0,
            space: Space::default(),
            sync: None,
        }
    }

    /// Replaces the file that `sync` found.
    pub(crate) fn keeping_up(publish: Publish, sync: Sync) -> Self {
        Self { sync: Some(Box::new(sync)), ..Self::new(publish, None) }
    }

    /// Whether it replaces a file of an earlier run.
    pub(crate) fn updates(&self) -> bool {
        self.sync.as_ref().is_some_and(|sync| sync.has_existing())
    }

    /// Announces the response whose body comes next.
    pub(crate) fn announce(&mut self, response: impl FnOnce() -> Response) {
        if let Some(sync) = &mut self.sync {
            sync.announce(&response());
        }
    }

    /// Continues `kept` in `partial`, which an earlier run left.
    pub(crate) fn resumed(publish: Publish, partial: Partial, kept: Kept) -> Self {
        Self {
            validators: Some(kept.prefix.validators),
            staged: Some(kept.staged),
            in_partial: true,
            written_bytes: kept.prefix.bytes,
            ..Self::new(publish, Some(partial))
        }
    }

    /// Is compared with the file that has its name, and never published. A run that was killed may have left the record
    /// in `partial` of a file that it completed.
    pub(crate) fn comparing(publish: Publish, partial: Partial) -> Self {
        Self { compares: Some(partial), ..Self::new(publish, None) }
    }

    /// Keeps the partial file that is there until another whole is complete, or [`FileSink::replace_partial`].
    pub(crate) fn keeping_partial(self) -> Self {
        Self { keeps_partial: true, ..self }
    }

    /// Puts what was received in the place of `old`, the partial file that was kept so far.
    pub(crate) async fn replace_partial(&mut self, io: &impl Io, old: Staged) -> Result<(), Error> {
        if let (Some(partial), Some(validators)) = (&self.partial, &self.validators)
            && let Some(staged) = self.staged.take()
        {
            self.staged = Some(partial.replace(io, old, staged, validators).await?);
            (self.in_partial, self.keeps_partial) = (true, false);
        }
        Ok(())
    }

    /// Whether it is compared with the file that has its name.
    pub(crate) fn compares(&self) -> bool {
        self.compares.is_some()
    }

    /// Whether what is received goes into a partial file.
    pub(crate) fn is_in_partial(&self) -> bool {
        self.in_partial
    }

    /// Whether an incomplete body is kept in a partial file.
    pub(crate) fn may_leave_partial(&self) -> bool {
        self.partial.is_some()
    }

    /// Drops what was received, but keeps the partial file until what comes now is complete.
    pub(crate) async fn set_aside(&mut self, io: &impl Io) -> Result<(), Error> {
        if !self.in_partial {
            return self.start_over(io).await;
        }
        if let Some(held) = self.buffer.take() {
            io.give_buf(held);
        }
        (self.staged, self.written_bytes) = (None, 0);
        self.space.start_over();
        (self.in_partial, self.keeps_partial) = (false, true);
        Ok(())
    }

    /// The body that comes next has these validators, and this length if known.
    pub(crate) fn expect(&mut self, validators: Option<Validators>, bytes: Option<u64>) {
        self.validators = validators;
        self.space.expected_bytes = bytes;
    }

    /// The path of the file when it is published.
    pub(crate) fn path(&self) -> &Path {
        &self.publish.path
    }

    /// Changes the name within the directory.
    pub(crate) fn rename(&mut self, name: &Path) {
        self.publish.path.set_file_name(name);
    }

    /// Whether the name is taken, by a file that must not be replaced.
    pub(crate) async fn clashes(&self, io: &impl Io) -> bool {
        self.publish.existing == Existing::Refuse && Place::of(&self.publish).stat(io).await.is_ok()
    }

    /// Sets the modification time of the file, in seconds since the epoch.
    pub(crate) fn set_modified(&mut self, modified: Option<i64>) {
        self.publish.preserve.modified = modified.map(|seconds| (seconds, 0));
    }

    /// Whether an unnamed file is open, which is lost when it is closed.
    pub(crate) fn holds_file(&self) -> bool {
        self.staged.is_some() && !self.in_partial
    }

    pub(crate) async fn take(
        &mut self,
        io: &impl Io,
        mut input: Buf,
        count: usize,
    ) -> (Result<(), Error>, Buf) {
        if self.is_whole_body(&input, count) {
            let next = io.take_buf(input.capacity());
            self.buffer = Some(input);
            return (Ok(()), next);
        }
        let mut held = self.buffer.take().unwrap_or_else(|| io.take_buf(BUFFER_BYTES));
        if self.staged.is_none() && count <= held.spare_mut().len() {
            held.append(&input.filled()[..count]);
            self.buffer = Some(held);
            input.consume(count);
            return (Ok(()), input);
        }
        self.buffer = Some(held);
        let file = match self.ready(io, count as u64).await {
            Ok(file) => file,
            Err(error) => return (Err(error), input),
        };
        let (result, input) = write_first(io, &file, input, count, Offset::At(self.written_bytes)).await;
        self.written_bytes += count as u64;
        (result, input)
    }

    /// As [`Receiver::move_arrived`](crate::body::receiver::Receiver::move_arrived).
    pub(crate) async fn move_arrived(
        &mut self,
        io: &impl Io,
        socket: &Socket,
        pipe: &Pipe,
        bytes_max: usize,
    ) -> Result<Option<usize>, Error> {
        let file = self.ready(io, bytes_max as u64).await?;
        let moved = move_arrived(io, socket, pipe, &file, self.written_bytes, bytes_max).await;
        let moved = moved.map_err(Error::write)?;
        self.written_bytes += moved.unwrap_or(0) as u64;
        Ok(moved)
    }

    /// The open file with all buffered bytes in it, and space for the next `count` bytes.
    async fn ready(&mut self, io: &impl Io, count: u64) -> Result<File, Error> {
        self.write_out(io).await?;
        self.allocate(io, count).await?;
        let file = self.staged.as_ref().expect("staged by the write before").file().clone();
        self.space.spare_cache(io, &file).await;
        Ok(file)
    }

    /// Whether the first `count` bytes of `input` are the whole body, so that the buffer can be kept as it is, without
    /// a copy.
    fn is_whole_body(&self, input: &Buf, count: usize) -> bool {
        let is_first = self.buffer.is_none() && self.staged.is_none() && self.written_bytes == 0;
        is_first && count == input.filled().len() && self.space.expected_bytes == Some(count as u64)
    }

    /// Appends the buffered bytes to the file.
    async fn write_out(&mut self, io: &impl Io) -> Result<(), Error> {
        if self.staged.is_none() {
            self.staged = Some(Box::pin(self.open(io)).await?);
        }
        let Some(held) = self.buffer.take() else { return Ok(()) };
        self.allocate(io, held.filled().len() as u64).await?;
        let file = self.staged.as_ref().expect("staged above").file().clone();
        let count = held.filled().len() as u64;
        let (written, held) = io.write_all(&file, held, Offset::At(self.written_bytes)).await;
        io.give_buf(held);
        written.map_err(Error::write)?;
        self.written_bytes += count;
        Ok(())
    }

    /// Allocates space for the next `count` bytes and some more.
    async fn allocate(&mut self, io: &impl Io, count: u64) -> Result<(), Error> {
        // The length of a partial file shows how many bytes have been received.
        let Some(staged) = self.staged.as_ref().filter(|_| !self.in_partial) else { return Ok(()) };
        self.space.allocate(io, staged.file(), self.written_bytes.saturating_add(count)).await
    }

    /// The file will be read again at once, so that it stays in the page cache.
    pub(crate) fn keep_cached(&mut self) {
        self.space.keep_cached();
    }

    async fn open(&mut self, io: &impl Io) -> Result<Staged, Error> {
        match (&self.partial, &self.validators) {
            (Some(partial), _) if self.in_partial => {
                let changed = || std::io::Error::other("the partial file was changed by another program");
                let reopened = match &self.left {
                    Some(left) => partial.reopen(io, left).await?,
                    None => None,
                };
                reopened.ok_or_else(|| Error::Write(changed()))
            }
            (Some(partial), Some(validators)) if !self.keeps_partial => {
                self.in_partial = true;
                partial.begin(io, validators).await
            }
            _ => shortage::create(io, &self.publish).await.map_err(Error::write),
        }
    }

    /// Prepares for a pause of any length, and writes the buffered bytes if they are kept. Returns how many bytes are
    /// kept.
    pub(crate) async fn pause(&mut self, io: &impl Io) -> u64 {
        let is_file = self.written_bytes > 0 || self.staged.is_some();
        let kept = is_file || self.partial.is_some() && self.validators.is_some() && !self.keeps_partial;
        let has_bytes = self.buffer.as_ref().is_some_and(|held| !held.filled().is_empty());
        let failed = kept && has_bytes && self.write_out(io).await.is_err();
        if let Some(held) = self.buffer.take() {
            io.give_buf(held);
        }
        // The bytes in a partial file are right as far as they go.
        if failed && !self.in_partial {
            // It is unknown how many of the bytes were written.
            let _ = self.start_over(io).await;
        }
        if self.in_partial
            && let Some(staged) = self.staged.take()
        {
            self.space.reopen();
            self.left = io.stat(staged.file()).await.ok();
        }
        self.written_bytes
    }

    /// Drops all bytes received so far.
    pub(crate) async fn start_over(&mut self, io: &impl Io) -> Result<(), Error> {
        if let Some(held) = self.buffer.take() {
            io.give_buf(held);
        }
        self.written_bytes = 0;
        self.space.start_over();
        match (self.staged.take(), &self.partial) {
            (staged, Some(partial)) if self.in_partial => {
                self.in_partial = false;
                partial.remove(io, staged).await
            }
            (Some(staged), _) => {
                staged.discard(io).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Records that `bytes` in total have been written through [`Written::file`].
    pub(crate) fn set_written(&mut self, bytes: u64) {
        self.written_bytes = bytes;
    }

    /// The file and how much of it has been written.
    pub(crate) async fn written(&mut self, io: &impl Io) -> Result<Written, Error> {
        if self.staged.is_none() {
            self.staged = Some(self.open(io).await?);
        }
        let staged = self.staged.as_ref().expect("staged above");
        self.space.spare_cache(io, staged.file()).await;
        Ok(Written { file: staged.file().clone(), bytes: self.written_bytes })
    }
}
