//! The body of a task, received over all its attempts.
//!
//! Owns: how many bytes have been received, which representation they belong to, the last check before a file is
//! published.
//! Does not own: storing the bytes ([`crate::body::store`]), digests ([`crate::body::expectation`]), what a response is
//! worth ([`crate::kept::resume`]).

mod receiving;

use std::path::{Path, PathBuf};

use haul_http1::ResponseHead;
use haul_io::{Io, Staged};
use http::HeaderMap;
use url::Url;

use crate::body::encoded::chunks::Chunks;
use crate::body::encoded::encoding::Encoding;
use crate::body::expectation::Expectation;
use crate::body::file_sink::FileSink;
use crate::body::sink::{Sink, Stored};
use crate::body::store::{PartsFile, Store};
use crate::kept::claims::Claims;
use crate::kept::condition::LocalCopy;
use crate::kept::resume::Prefix;
use crate::kept::validator::{Validators, last_modified};
use crate::route::origin::Origin;
use crate::{Checksum, Error, Expected, Response, disposition_name};

/// A body and what is known of it.
pub(crate) struct Download {
    store: Store,
    expectation: Expectation,
    /// Where the server names the file: the names of the run.
    names: Option<Claims>,
    /// The name that was claimed of them.
    claimed: Option<PathBuf>,
    /// Bytes received and kept.
    bytes: u64,
    /// The representation that they belong to; `None` if nothing can be appended to them.
    validators: Option<Validators>,
    /// What is on disk and was set aside for another whole.
    set_aside: Option<Validators>,
    /// A copy from an earlier run; nothing needs to be received while it is current.
    local_copy: Option<LocalCopy>,
    /// Why no result is published although nothing failed.
    nothing_new: Option<NothingNew>,
    had_unreadable_part: bool,
}

/// Why a download without failure publishes nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NothingNew {
    /// The local copy is current.
    Unchanged,
    /// The response says that there is no content.
    NoContent,
}

/// What a complete download yields.
pub(crate) struct Complete {
    pub(crate) stored: Stored,
    /// The hash that was asked for.
    pub(crate) hash: Option<Checksum>,
}

impl Download {
    pub(crate) fn new(sink: Sink, expected: Expected) -> Self {
        Self {
            store: Store::new(sink),
            expectation: Expectation::new(expected),
            names: None,
            claimed: None,
            bytes: 0,
            validators: None,
            set_aside: None,
            local_copy: None,
            nothing_new: None,
            had_unreadable_part: false,
        }
    }

    /// Continues after the bytes that `sink` has from an earlier run.
    pub(crate) async fn resumed(
        io: &impl Io,
        sink: Sink,
        expected: Expected,
        prefix: Prefix,
    ) -> Result<Self, Error> {
        let mut download = Self::new(sink, expected);
        (download.bytes, download.validators) = (prefix.bytes, Some(prefix.validators));
        match download.rehash(io).await {
            Ok(()) => {}
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(_) => download.set_aside(io).await?,
        }
        Ok(download)
    }

    /// Stores the body in this encoding.
    pub(crate) fn stored_as(self, encoding: Option<&Encoding>) -> Self {
        Self { store: self.store.encoded(encoding), ..self }
    }

    /// Receives again the content of `chunks`, which an earlier run left of the representation with `validators` in the
    /// partial file `old`.
    ///
    /// # Errors
    /// If the chunks can't be read, or their content can't be stored.
    pub(crate) async fn restore(
        &mut self,
        io: &impl Io,
        chunks: Chunks<'_>,
        validators: Validators,
        old: Staged,
    ) -> Result<(), Error> {
        let (total, bytes) = (validators.total, chunks.bytes);
        self.validators = Some(validators);
        self.store.expect(io, self.validators.as_ref(), None)?;
        self.store.restore(io, &mut self.expectation, chunks, total).await?;
        self.bytes = bytes;
        if self.pause(io).await && self.bytes > 0 {
            self.store.replace_partial(io, old).await
        } else {
            Ok(())
        }
    }

    /// Records that no key opens what an earlier run kept of it.
    pub(crate) fn after_unreadable_part(self) -> Self {
        Self { had_unreadable_part: true, ..self }
    }

    /// Whether no key opened what an earlier run kept of it.
    pub(crate) fn had_unreadable_part(&self) -> bool {
        self.had_unreadable_part
    }

    /// Takes the name of the file from the server, and claims it of `names`.
    pub(crate) fn named_by_server(self, names: Claims) -> Self {
        Self { names: Some(names), ..self }
    }

    /// Receives nothing while `copy` is current.
    pub(crate) fn unless_current(self, copy: Option<LocalCopy>) -> Self {
        Self { local_copy: copy, ..self }
    }

    /// Whether [`Download::name`] does anything.
    pub(crate) fn is_named_by_server(&self) -> bool {
        self.names.is_some()
    }

    /// Renames the file as the server says, if the task wants that. To be called before the first byte of the whole.
    pub(crate) async fn name(&mut self, io: &impl Io, headers: &HeaderMap) -> Result<(), Error> {
        let name = disposition_name(headers).map(|name| self.store.file_name(name));
        let (Some(names), Some(sink)) = (&self.names, self.store.file_mut()) else { return Ok(()) };
        if let Some(name) = name {
            sink.rename(&name);
        }
        if self.claimed.as_deref() != Some(sink.path()) {
            names.claim(io, sink.path()).await?;
            self.claimed = Some(sink.path().to_owned());
        }
        if sink.clashes(io).await { Err(Error::Exists) } else { Ok(()) }
    }

    /// Announces the response whose body comes next.
    pub(crate) fn announce(&mut self, response: impl FnOnce() -> Response) {
        self.store.sink.announce(response);
    }

    /// The local copy that a request for the whole of `url` may be conditional on.
    pub(crate) fn local_copy(&self, url: &Url) -> Option<LocalCopy> {
        self.local_copy.as_ref().filter(|copy| self.bytes == 0 && copy.is_of(url)).cloned()
    }

    /// Forgets the local copy, as the server's answer said nothing about it.
    pub(crate) fn drop_local_copy(&mut self) {
        self.local_copy = None;
    }

    /// Records that no result is published although nothing failed.
    pub(crate) fn set_nothing_new(&mut self, reason: NothingNew) {
        self.nothing_new = Some(reason);
    }

    /// Why no result is published although nothing failed.
    pub(crate) fn nothing_new(&self) -> Option<NothingNew> {
        self.nothing_new
    }

    /// Whether the body becomes a file, an object or a member of a shard, or is compared with a file.
    pub(crate) fn makes_result(&self) -> bool {
        matches!(&self.store.sink, Sink::File(_) | Sink::Upload(_) | Sink::Pack(_) | Sink::Compare(_))
    }

    /// The path of the file to be published, if the body becomes one.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        self.store.path().map(Path::to_owned)
    }

    /// What a request may continue after.
    pub(crate) fn prefix(&self) -> Option<Prefix> {
        let validators = self.validators.clone().filter(|_| self.bytes > 0)?;
        Some(Prefix { bytes: self.bytes, validators })
    }

    /// Whether no byte of the representation is missing, as far as its length is known.
    pub(crate) fn has_all(&self) -> bool {
        self.validators.as_ref().is_some_and(|validators| validators.total == Some(self.bytes))
    }

    /// Whether an unnamed file is open, which is lost when it is closed.
    pub(crate) fn holds_file(&self) -> bool {
        let holds_spill = matches!(&self.store.sink, Sink::Pack(sink) if sink.holds_file());
        holds_spill || self.store.file().is_some_and(FileSink::holds_file)
    }

    /// The whole comes next, of `total` bytes if that is known.
    pub(crate) fn expect_whole(
        &mut self,
        io: &impl Io,
        url: &Url,
        headers: &HeaderMap,
        total: Option<u64>,
    ) -> Result<(), Error> {
        let validators = Validators::of(headers, total);
        self.validators = validators.map(|validators| validators.with_origin(Origin::of(url).to_string()));
        self.expectation.expect_whole(headers);
        self.expect(io, headers, total)
    }

    /// A part that the user asked for comes next: nothing can be appended to it, and digests of the whole
    /// representation say nothing of it (RFC 9530, section 3).
    pub(crate) fn expect_excerpt(
        &mut self,
        io: &impl Io,
        headers: &HeaderMap,
        bytes: Option<u64>,
    ) -> Result<(), Error> {
        self.validators = None;
        self.expect(io, headers, bytes)
    }

    /// No content comes, whatever the headers say.
    pub(crate) fn expect_head_only(&mut self) {
        self.validators = None;
    }

    /// Whether the whole that comes from `url` with `head` may take the place of what was received before: see
    /// [`Validators::distrust`]. The same of the file of an earlier run: see [`LocalCopy::distrust`]. What has to match
    /// a checksum is trusted for that.
    pub(crate) fn check_source(&self, url: &Url, head: &ResponseHead) -> Result<(), Error> {
        // 201, 202, 204 and errors are about something else.
        let has_file = matches!(head.status.as_u16(), 200 | 203 | 206);
        let received = self.validators.as_ref().filter(|_| self.bytes > 0);
        let reason = match received.or(self.set_aside.as_ref()) {
            Some(before) if has_file => before.distrust(&head.headers, &Origin::of(url).to_string()),
            None if has_file => self.local_copy.as_ref().and_then(|copy| copy.distrust(&head.headers)),
            None if !self.store.file().is_some_and(FileSink::updates) => None,
            _ => Some("the server now answers without the file"),
        };
        match reason {
            Some(reason) if !self.expectation.has_checksum() => Err(Error::Untrusted { reason }),
            _ => Ok(()),
        }
    }

    /// The whole comes next, decoded: its length is unknown, and nothing can be appended to a part of it.
    pub(crate) fn expect_decoded(&mut self, io: &impl Io, headers: &HeaderMap) -> Result<(), Error> {
        self.validators = None;
        self.expect(io, headers, None)?;
        self.expectation.expect_decoded(headers);
        Ok(())
    }

    /// Some of the missing bytes come next; the whole has `total` bytes.
    pub(crate) fn expect_part(
        &mut self,
        io: &impl Io,
        headers: &HeaderMap,
        total: Option<u64>,
    ) -> Result<(), Error> {
        self.validators.iter_mut().for_each(|validators| validators.total = total);
        self.expect(io, headers, total)
    }

    fn expect(&mut self, io: &impl Io, headers: &HeaderMap, total: Option<u64>) -> Result<(), Error> {
        self.expectation.expect_content(headers);
        if let Some(total) = total {
            self.store.sink.check_room(total)?;
            self.expectation.check_size(total)?;
        }
        let first_modified = self.validators.as_ref().and_then(Validators::modified_seconds);
        self.store.set_modified(last_modified(headers).or(first_modified));
        self.store.expect(io, self.validators.as_ref(), total)
    }

    /// Nothing comes: the bytes that are there are the whole.
    pub(crate) fn expect_nothing(&mut self) {
        let modified = self.validators.as_ref().and_then(Validators::modified_seconds);
        self.store.set_modified(modified);
    }

    /// Whether the body becomes a file or an upload that others may write parts of, in any order. An upload isn't read
    /// again, so that it must not have to be hashed.
    pub(crate) fn may_come_in_parts(&mut self, io: &impl Io) -> Result<bool, Error> {
        match &self.store.sink {
            Sink::File(_) => self.store.may_come_in_parts(io),
            Sink::Upload(_) => Ok(!self.expectation.hashes() && self.store.may_come_in_parts(io)?),
            _ => Ok(false),
        }
    }

    /// Opens the file for parts that others write. The content of the response that comes next is the whole.
    ///
    /// # Panics
    /// If [`Download::may_come_in_parts`] says no.
    pub(crate) async fn open_for_parts(&mut self, io: &impl Io, total: u64) -> Result<PartsFile, Error> {
        self.expectation.expect_parts();
        if self.expectation.needs_hashing()
            && let Some(sink) = self.store.file_mut()
        {
            sink.keep_cached();
        }
        self.store.open_for_parts(io, total).await
    }

    /// All parts have been written, `bytes` in total: hashes them, and publishes the file.
    pub(crate) async fn complete_parts(
        mut self: Box<Self>,
        io: &impl Io,
        bytes: u64,
    ) -> Result<Complete, Error> {
        self.bytes = bytes;
        self.store.set_written(bytes);
        if let Err(error) = self.rehash(io).await {
            self.abandon(io).await;
            return Err(error);
        }
        self.complete(io).await
    }

    /// Hashes the bytes that are in the file already.
    async fn rehash(&mut self, io: &impl Io) -> Result<(), Error> {
        self.store.rehash(io, &mut self.expectation, self.bytes).await
    }

    /// Drops all bytes received so far.
    pub(crate) async fn start_over(&mut self, io: &impl Io) -> Result<(), Error> {
        (self.bytes, self.validators) = (0, None);
        self.expectation.restart();
        self.store.start_over(io).await
    }

    /// Drops all bytes received so far, but not those in a partial file: these go when what comes now is complete.
    pub(crate) async fn set_aside(&mut self, io: &impl Io) -> Result<(), Error> {
        let validators = self.validators.take().filter(|_| self.bytes > 0);
        self.set_aside = validators.or(self.set_aside.take());
        self.bytes = 0;
        self.expectation.restart();
        self.store.set_aside(io).await
    }

    /// Whether the file is only compared with one that exists.
    pub(crate) fn compares(&self) -> bool {
        self.store.compares()
    }

    /// Prepares for a pause before another attempt. Returns whether there can be one.
    pub(crate) async fn pause(&mut self, io: &impl Io) -> bool {
        self.expectation.drop_content();
        let kept = self.store.pause(io, &mut self.expectation, self.bytes).await;
        if let Some(bytes) = kept.filter(|_| self.validators.is_some()) {
            self.bytes = bytes;
            return true;
        }
        self.set_aside(io).await.is_ok()
    }

    /// All bytes have been received: checks them, and publishes the file.
    pub(crate) async fn complete(&mut self, io: &impl Io) -> Result<Complete, Error> {
        match self.store.finish(io, &mut self.expectation, self.bytes).await {
            Ok(hash) => Ok(Complete { stored: self.store.sink.complete(io).await?, hash }),
            Err(error) => {
                Box::pin(self.abandon(io)).await;
                Err(error)
            }
        }
    }

    /// Ends the download for this run; a later run may continue it, where the task wants that. Returns whether bytes
    /// are kept.
    pub(crate) async fn keep(mut self, io: &impl Io) -> bool {
        if matches!(self.store.sink, Sink::Upload(_)) {
            self.abandon(io).await;
            return false;
        }
        if self.store.file().is_some_and(FileSink::is_in_partial) {
            return self
                .store
                .pause(io, &mut self.expectation, self.bytes)
                .await
                .is_some_and(|bytes| bytes > 0);
        }
        let kept = self.pause(io).await;
        if !kept || self.holds_file() {
            self.abandon(io).await;
        }
        false
    }

    /// Ends the download and leaves nothing behind.
    pub(crate) async fn abandon(&mut self, io: &impl Io) {
        self.store.sink.abandon(io).await;
    }
}
