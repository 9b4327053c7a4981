//! A body that is uploaded.
//!
//! Owns: collecting parts of a body that arrives in order, sending short bodies at once, pauses.
//! Does not own: requests under way ([`super::running`]), bodies that arrive in segments ([`super::part`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use haul_io::{Buf, ChunkedFile, Io};

use crate::Error;
use crate::uploads::part::UploadParts;
use crate::uploads::permits::PartPermit;
use crate::uploads::running::Running;
use crate::uploads::tools::UploadTools;
use crate::uploads::uploader::{UploadAbout, UploadName};

/// Bodies of up to this many bytes are collected without a permit.
const FREE_BYTES: usize = 128 * 1024;

/// An upload; short ones are sent at once, long ones in parts.
pub(crate) struct UploadSink {
    to: UploadName,
    path: PathBuf,
    tools: UploadTools,
    about: UploadAbout,
    /// Set as soon as there is more than one part.
    running: Option<Running>,
    part_bytes: usize,
    /// The part that is being collected.
    part: Vec<u8>,
    /// For that part, unless it is short.
    permit: Option<PartPermit>,
    /// For that part during a pause.
    paused: Option<PartPermit>,
    /// Parts that were handed over, and their bytes.
    sent_parts: u32,
    sent_bytes: u64,
}

impl UploadSink {
    pub(crate) fn new(to: UploadName, tools: UploadTools) -> Self {
        let about = UploadAbout { replace: to.replace, ..UploadAbout::default() };
        Self {
            path: PathBuf::from(&to.name),
            to,
            tools,
            about,
            running: None,
            part_bytes: 0,
            part: Vec::new(),
            permit: None,
            paused: None,
            sent_parts: 0,
            sent_bytes: 0,
        }
    }

    /// The name, as a path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The body that comes next has this length if known, and holds so many bytes of content in a format.
    pub(crate) fn expect(&mut self, bytes: Option<u64>, content_bytes: Option<u64>) {
        (self.about.bytes, self.about.content_bytes) = (bytes, content_bytes);
    }

    /// Sets when the content was last modified, in seconds since the epoch.
    pub(crate) fn set_modified(&mut self, modified: Option<i64>) {
        self.about.modified = modified;
    }

    fn part_bytes(&mut self) -> usize {
        if self.part_bytes == 0 {
            let bytes = self.to.uploader.part_bytes(self.about.bytes);
            self.part_bytes = usize::try_from(bytes).unwrap_or(usize::MAX).max(1);
        }
        self.part_bytes
    }

    fn running(&mut self) -> Result<Running, Error> {
        if let Some(running) = &self.running {
            return Ok(running.clone());
        }
        let upload = self.to.uploader.begin(&self.to.name, self.about).map_err(Error::write)?;
        let running = Running::new(upload, self.tools.offload.clone());
        Ok(self.running.insert(running).clone())
    }

    pub(crate) async fn take(
        &mut self,
        io: &impl Io,
        mut input: Buf,
        mut count: usize,
    ) -> (Result<(), Error>, Buf) {
        let part_bytes = self.part_bytes();
        while count > 0 {
            if self.part.len() == part_bytes
                && let Err(error) = self.send_part()
            {
                return (Err(error), input);
            }
            let now = count.min(part_bytes - self.part.len());
            if self.part.len() + now > FREE_BYTES
                && self.permit.is_none()
                && let Err(error) = self.take_permit(io).await
            {
                return (Err(error), input);
            }
            self.make_room(now, part_bytes);
            self.part.extend_from_slice(&input.filled()[..now]);
            input.consume(now);
            count -= now;
        }
        (Ok(()), input)
    }

    async fn take_permit(&mut self, io: &impl Io) -> Result<(), Error> {
        self.permit = Some(self.tools.parts.take(io).await?);
        self.paused = None;
        Ok(())
    }

    /// Makes room for `bytes` more bytes: at once for all of a part whose length is known.
    fn make_room(&mut self, bytes: usize, part_bytes: usize) {
        let left = self.about.bytes.map(|all| all.saturating_sub(self.sent_bytes));
        let expected = left.and_then(|left| usize::try_from(left).ok()).unwrap_or(part_bytes);
        // Without a permit, no more than it allows; and no trust in a length that was only announced.
        let wanted = if self.permit.is_some() { expected.min(part_bytes) } else { expected.min(FREE_BYTES) };
        if self.part.capacity() < self.part.len() + bytes {
            self.part.reserve_exact(wanted.max(self.part.len() + bytes) - self.part.len());
        }
    }

    fn send_part(&mut self) -> Result<(), Error> {
        let running = self.running()?;
        let (bytes, permit) = (std::mem::take(&mut self.part), self.permit.take());
        self.sent_parts += 1;
        self.sent_bytes += bytes.len() as u64;
        running.send(self.sent_parts, bytes, permit)
    }

    /// Prepares for a pause of any length. Returns how many bytes are kept: an unfinished part if there are only a few
    /// of these, and none of a short body.
    pub(crate) fn pause(&mut self) -> u64 {
        if !self.part.is_empty() {
            self.paused = self.paused.take().or_else(|| self.tools.paused.try_take());
            if self.sent_parts == 0 || self.paused.is_none() {
                self.start_over();
                return 0;
            }
            // It takes part in nothing while others wait for it.
            self.permit = None;
        }
        self.sent_bytes + self.part.len() as u64
    }

    /// Drops all bytes received so far.
    pub(crate) fn start_over(&mut self) {
        if let Some(running) = self.running.take() {
            running.abandon();
        }
        (self.part, self.permit, self.paused) = (Vec::new(), None, None);
        (self.sent_parts, self.sent_bytes, self.part_bytes) = (0, 0, 0);
    }

    /// Begins parts that others send, in any order. `content_bytes` is the length of the content, which they encode if
    /// `encoded` is given.
    pub(crate) fn parts(
        &mut self,
        content_bytes: u64,
        encoded: Option<Arc<dyn ChunkedFile>>,
    ) -> Result<UploadParts, Error> {
        let (part_bytes, running) = (self.part_bytes() as u64, self.running()?);
        Ok(UploadParts::new(running, self.tools.parts.clone(), part_bytes, content_bytes, encoded))
    }

    /// Records that others have sent all `bytes` bytes.
    pub(crate) fn set_written(&mut self, bytes: u64) {
        self.sent_bytes = bytes;
        self.sent_parts = self.sent_parts.max(1);
    }

    /// Publishes the whole.
    pub(crate) async fn complete(&mut self, io: &impl Io) -> Result<(), Error> {
        let published = self.publish(io).await;
        match &published {
            Ok(()) => self.running = None,
            Err(_) => self.start_over(),
        }
        published
    }

    async fn publish(&mut self, io: &impl Io) -> Result<(), Error> {
        let running = self.running()?;
        if self.sent_parts == 0 {
            let (bytes, permit) = (std::mem::take(&mut self.part), self.permit.take());
            return running.publish(io, Some(bytes), permit).await;
        }
        if !self.part.is_empty() {
            self.send_part()?;
        }
        running.publish(io, None, None).await
    }
}

impl Drop for UploadSink {
    /// A task that never goes on leaves nothing.
    fn drop(&mut self) {
        self.start_over();
    }
}
