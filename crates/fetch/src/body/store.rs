//! What stores a body: its sink, and the encoder before it if the body is stored in a format of chunks.
//!
//! Owns: what both have to agree on: lengths, pauses, starting over, parts that others write.
//! Does not own: the sink ([`crate::body::sink`]), encoding ([`crate::body::encoded::encoder`]), which bytes belong
//! together ([`crate::body::download`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use haul_io::{Buf, ChunkedFile, File, Io, Offset, Staged};

use crate::body::encoded::chunks::Chunks;
use crate::body::encoded::encoder::{Encoder, Kept};
use crate::body::encoded::encoding::Encoding;
use crate::body::expectation::Expectation;
use crate::body::file_sink::FileSink;
use crate::body::reread::reread;
use crate::body::sink::Sink;
use crate::kept::validator::Validators;
use crate::uploads::part::UploadParts;
use crate::{Checksum, Error};

/// The sink of a body and what encodes it.
pub(crate) struct Store {
    pub(crate) sink: Sink,
    encoder: Option<Box<Encoder>>,
}

/// A result that others write parts of.
#[derive(Clone)]
pub(crate) enum PartsFile {
    File {
        file: File,
        /// Encodes the parts, if the file is stored in a format of chunks.
        encoded: Option<Arc<dyn ChunkedFile>>,
    },
    Upload(UploadParts),
}

impl PartsFile {
    /// Parts begin at multiples of this.
    pub(crate) fn unit_bytes(&self) -> u64 {
        match self {
            Self::File { encoded: None, .. } => 1,
            Self::File { encoded: Some(encoded), .. } => encoded.chunk_bytes() as u64,
            Self::Upload(parts) => parts.unit_bytes(),
        }
    }
}

impl Store {
    /// Stores bodies in `sink` as they are.
    pub(crate) fn new(sink: Sink) -> Self {
        Self { sink, encoder: None }
    }

    /// Stores them in `format`.
    pub(crate) fn encoded(self, encoding: Option<&Encoding>) -> Self {
        Self { encoder: encoding.cloned().map(|encoding| Box::new(Encoder::new(encoding))), ..self }
    }

    pub(crate) fn is_encoded(&self) -> bool {
        self.encoder.is_some()
    }

    /// The name of the file for a body called `name`.
    pub(crate) fn file_name(&self, name: String) -> PathBuf {
        match &self.encoder {
            Some(encoder) => encoder.format().stored_path(Path::new(&name)),
            None => name.into(),
        }
    }

    /// The file that is written, if the body becomes one.
    pub(crate) fn file(&self) -> Option<&FileSink> {
        match &self.sink {
            Sink::File(sink) => Some(sink),
            _ => None,
        }
    }

    /// The path of the file that the body becomes, or that it is compared with.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.sink {
            Sink::File(sink) => Some(sink.path()),
            Sink::Upload(sink) => Some(sink.path()),
            Sink::Pack(sink) => Some(sink.path()),
            Sink::Compare(comparison) => Some(comparison.path()),
            _ => None,
        }
    }

    /// Whether the body is only compared with a file that exists.
    pub(crate) fn compares(&self) -> bool {
        match &self.sink {
            Sink::File(sink) => sink.compares(),
            Sink::Compare(_) => true,
            _ => false,
        }
    }

    /// As [`Store::file`], to change it.
    pub(crate) fn file_mut(&mut self) -> Option<&mut FileSink> {
        match &mut self.sink {
            Sink::File(sink) => Some(sink),
            _ => None,
        }
    }

    /// Sets when the content was last modified, in seconds since the epoch.
    pub(crate) fn set_modified(&mut self, modified: Option<i64>) {
        match &mut self.sink {
            Sink::File(sink) => sink.set_modified(modified),
            Sink::Upload(sink) => sink.set_modified(modified),
            Sink::Pack(sink) => sink.set_modified(modified),
            _ => {}
        }
    }

    /// A body of `total` bytes comes next, if that is known, and belongs to `validators`.
    pub(crate) fn expect(
        &mut self,
        io: &impl Io,
        validators: Option<&Validators>,
        total: Option<u64>,
    ) -> Result<(), Error> {
        let stored_bytes = match &mut self.encoder {
            Some(encoder) => encoder.expect(io, total)?,
            None => total,
        };
        let is_encoded = self.is_encoded();
        match &mut self.sink {
            Sink::File(sink) => {
                let validators = if sink.may_leave_partial() { validators.cloned() } else { None };
                sink.expect(validators, stored_bytes);
            }
            Sink::Upload(sink) => sink.expect(stored_bytes, total.filter(|_| is_encoded)),
            Sink::Pack(sink) => sink.expect(total),
            _ => {}
        }
        Ok(())
    }

    /// Takes the first `count` filled bytes of `input`, and counts them for `expectation`.
    pub(crate) async fn take(
        &mut self,
        io: &impl Io,
        expectation: &mut Expectation,
        input: Buf,
        count: usize,
    ) -> (Result<(), Error>, Buf) {
        let Some(encoder) = &mut self.encoder else {
            expectation.update(&input.filled()[..count]);
            return self.sink.take(io, input, count).await;
        };
        expectation.update_content(&input.filled()[..count]);
        Box::pin(encoder.take(io, &mut self.sink, expectation, input, count)).await
    }

    /// Prepares for a pause. Returns how many bytes of the `bytes` that were taken are kept; `None` if the sink has
    /// something else.
    pub(crate) async fn pause(
        &mut self,
        io: &impl Io,
        expectation: &mut Expectation,
        bytes: u64,
    ) -> Option<u64> {
        let Some(encoder) = &mut self.encoder else {
            return (self.sink.pause(io).await == bytes).then_some(bytes);
        };
        let Kept { content_bytes, stored_bytes } = encoder.pause(io, &mut self.sink, expectation).await?;
        (self.sink.pause(io).await == stored_bytes).then_some(content_bytes)
    }

    /// Drops what was taken.
    pub(crate) async fn start_over(&mut self, io: &impl Io) -> Result<(), Error> {
        self.forget(io);
        self.sink.start_over(io).await
    }

    /// Drops what was taken, but keeps a partial file until what comes now is complete.
    pub(crate) async fn set_aside(&mut self, io: &impl Io) -> Result<(), Error> {
        self.forget(io);
        self.sink.set_aside(io).await
    }

    fn forget(&mut self, io: &impl Io) {
        if let Some(encoder) = &mut self.encoder {
            encoder.start_over(io);
        }
    }

    /// All `bytes` bytes were taken: checks them, and hands what is missing of the encoded file to the sink. Returns
    /// the hash to report.
    pub(crate) async fn finish(
        &mut self,
        io: &impl Io,
        expectation: &mut Expectation,
        bytes: u64,
    ) -> Result<Option<Checksum>, Error> {
        let Some(encoder) = &mut self.encoder else { return expectation.finish(bytes) };
        encoder.end(expectation);
        let hash = expectation.finish(bytes)?;
        Box::pin(encoder.finish(io, &mut self.sink)).await?;
        Ok(hash)
    }

    /// Whether others may write parts of the file, in any order.
    pub(crate) fn may_come_in_parts(&mut self, io: &impl Io) -> Result<bool, Error> {
        self.encoder.as_mut().map_or(Ok(true), |encoder| Ok(encoder.for_parts(io)?.is_some()))
    }

    /// Opens the file for parts that others write; `total` is the length of the content.
    ///
    /// # Panics
    /// If the body doesn't become a file or an upload, or [`Store::may_come_in_parts`] says no.
    pub(crate) async fn open_for_parts(&mut self, io: &impl Io, total: u64) -> Result<PartsFile, Error> {
        if let Sink::Upload(sink) = &mut self.sink {
            let encoded = self.encoder.as_mut().map(|encoder| encoder.for_parts(io)).transpose()?.flatten();
            return Ok(PartsFile::Upload(sink.parts(total, encoded)?));
        }
        let file = self.file_mut().expect("only a file has parts").written(io).await?.file;
        let Some(encoder) = &mut self.encoder else { return Ok(PartsFile::File { file, encoded: None }) };
        let encoded = encoder.for_parts(io)?.expect("the caller has asked");
        let (written, head) = io.write_all(&file, Buf::from(encoded.head().to_vec()), Offset::At(0)).await;
        io.give_buf(head);
        written.map_err(Error::write)?;
        Ok(PartsFile::File { file, encoded: Some(encoded) })
    }

    /// Records that others have written all `bytes` bytes.
    pub(crate) fn set_written(&mut self, bytes: u64) {
        let stored_bytes = self.encoder.as_mut().map_or(bytes, |encoder| encoder.set_written(bytes));
        match &mut self.sink {
            Sink::File(sink) => sink.set_written(stored_bytes),
            Sink::Upload(sink) => sink.set_written(stored_bytes),
            _ => {}
        }
    }

    /// Counts for `expectation` the `bytes` bytes that are in the file already.
    pub(crate) async fn rehash(
        &mut self,
        io: &impl Io,
        expectation: &mut Expectation,
        bytes: u64,
    ) -> Result<(), Error> {
        let Some(sink) = self.file_mut() else { return Ok(()) };
        let written = sink.written(io).await?;
        if !expectation.needs_hashing() {
            return Ok(());
        }
        let each = |piece: &[u8]| expectation.update(piece);
        match &self.encoder {
            Some(encoder) => encoder.reread(io, &written.file, bytes, each).await,
            None => reread(io, &written.file, written.bytes, each).await,
        }
    }

    /// Encodes again the content of `chunks`, which is part of `total` bytes if that is known.
    pub(crate) async fn restore(
        &mut self,
        io: &impl Io,
        expectation: &mut Expectation,
        chunks: Chunks<'_>,
        total: Option<u64>,
    ) -> Result<(), Error> {
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        let chunk_bytes = chunks.file.chunk_bytes();
        let mut content = io.take_buf(chunk_bytes);
        for index in 0..chunks.bytes / chunk_bytes as u64 {
            content.clear();
            let read = chunks.chunk(io, index, &mut content.spare_mut()[..chunk_bytes], false).await;
            content.commit(chunk_bytes);
            let taken;
            (taken, content) = encoder.take(io, &mut self.sink, expectation, content, chunk_bytes).await;
            read.and(taken)?;
        }
        io.give_buf(content);
        // The last of these chunks isn't the last of the file.
        if total.is_some_and(|total| total > chunks.bytes) {
            encoder.go_on(io, &mut self.sink, expectation).await?;
        }
        // Written, so that a pause keeps it.
        encoder.pause(io, &mut self.sink, expectation).await;
        if let Some(sink) = self.file_mut() {
            sink.written(io).await?;
        }
        Ok(())
    }

    /// Puts what was restored in the place of the partial file `old` that it came from.
    pub(crate) async fn replace_partial(&mut self, io: &impl Io, old: Staged) -> Result<(), Error> {
        match self.file_mut() {
            Some(sink) => sink.replace_partial(io, old).await,
            None => Ok(()),
        }
    }
}
