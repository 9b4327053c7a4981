//! Encoding a body on its way to its sink, in a format of chunks such as age's.
//!
//! Content waits until a chunk of it is complete. Only then is the chunk encoded, once, and counted for the checksums.
//! So a pause drops at most one chunk of content, which is fetched again, and no chunk is ever encoded twice with
//! different bytes. Where the whole starts over, the file begins again, under new keys. The chunks of a large body are
//! encoded in batches, by a helper.
//!
//! Owns: the boundary between what is encoded and what still waits, the file that is being encoded.
//! Does not own: the format ([`haul_io::ChunkedFormat`]), the helper ([`crate::body::encoded::helper`]), storing
//! ([`crate::body::sink`]), checksums ([`crate::body::expectation`]).

use std::sync::Arc;

use haul_io::{Armor, Buf, ChunkedFile, ChunkedFormat, File, Io};
use zeroize::Zeroizing;

use crate::Error;
use crate::body::encoded::chunks::Chunks;
use crate::body::encoded::encoding::Encoding;
use crate::body::encoded::helper::{BATCH_CHUNKS, BODY_BYTES_MIN, Batch, Helper, Helpers};
use crate::body::encoded::waiting::Waiting;
use crate::body::expectation::Expectation;
use crate::body::sink::Sink;

/// Encoded bytes that are collected before they are written: some chunks of 64 KiB with what encoding adds.
const OUT_BYTES_MAX: usize = 4 * 64 * 1024 + 4096;

/// Encodes one body.
pub(crate) struct Encoder {
    encoding: Encoding,
    /// The file, once it has begun.
    begun: Option<Begun>,
}

/// A file that has begun.
struct Begun {
    file: Arc<dyn ChunkedFile>,
    armor: Option<Box<dyn Armor>>,
    /// Encodes batches of chunks, if the body is large.
    helper: Option<Helper>,
    /// Whether to ask for a helper when content arrives.
    wants_helper: bool,
    helpers: Helpers,
    /// The chunks that have been encoded, or are the helper's.
    chunks: u64,
    /// Content of the next chunk, at most a chunk; with a helper, at most a batch.
    waiting: Waiting,
    /// Encoded bytes that the sink doesn't have yet.
    out: Option<Buf>,
    /// Bytes that the sink has.
    stored_bytes: u64,
    /// The length of the file, if it is known.
    expected_bytes: Option<u64>,
    /// Whether the last chunk was encoded.
    is_ended: bool,
}

/// What a sink has after a pause.
pub(crate) struct Kept {
    /// Content in whole chunks.
    pub(crate) content_bytes: u64,
    /// The bytes of the file that they take.
    pub(crate) stored_bytes: u64,
}

impl Encoder {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self { encoding, begun: None }
    }

    pub(crate) fn format(&self) -> &Arc<dyn ChunkedFormat> {
        &self.encoding
    }

    /// The length of the file with `bytes` bytes of content, if that is known. Begins the file.
    pub(crate) fn expect(&mut self, io: &impl Io, bytes: Option<u64>) -> Result<Option<u64>, Error> {
        let begun = self.begin(io)?;
        let expected_bytes =
            bytes.filter(|_| begun.armor.is_none()).map(|bytes| begun.file.stored_bytes(bytes));
        begun.expected_bytes = expected_bytes;
        begun.wants_helper =
            begun.helper.is_none() && expected_bytes.is_some_and(|bytes| bytes >= BODY_BYTES_MIN);
        Ok(expected_bytes)
    }

    fn begin(&mut self, io: &impl Io) -> Result<&mut Begun, Error> {
        if self.begun.is_none() {
            let file = self.format().begin(&mut |out| io.random(out)).map_err(Error::write)?;
            self.begun = Some(Begun::new(file, self.encoding.helpers.clone()));
        }
        Ok(self.begun.as_mut().expect("begun above"))
    }

    /// The file, for parts that are encoded elsewhere; `None` where it can only be written in order.
    pub(crate) fn for_parts(&mut self, io: &impl Io) -> Result<Option<Arc<dyn ChunkedFile>>, Error> {
        let begun = self.begin(io)?;
        Ok(begun.armor.is_none().then(|| begun.file.clone()))
    }

    /// Forgets the file: what comes next begins another, under other keys.
    pub(crate) fn start_over(&mut self, io: &impl Io) {
        if let Some(out) = self.begun.take().and_then(|begun| begun.out) {
            io.give_buf(out);
        }
    }

    /// Takes the first `count` filled bytes of `input`, and hands on to `sink` what can be encoded.
    pub(crate) async fn take(
        &mut self,
        io: &impl Io,
        sink: &mut Sink,
        expectation: &mut Expectation,
        mut input: Buf,
        count: usize,
    ) -> (Result<(), Error>, Buf) {
        let result = match self.begin(io) {
            Ok(begun) => begun.take(io, sink, expectation, &input.filled()[..count]).await,
            Err(error) => Err(error),
        };
        input.consume(count);
        (result, input)
    }

    /// Counts the content that still waits, which is the end of the body, for the checksums.
    pub(crate) fn end(&mut self, expectation: &mut Expectation) {
        if let Some(begun) = self.begun.as_mut().filter(|begun| !begun.is_ended) {
            expectation.update_whole(begun.waiting.content());
        }
    }

    /// Encodes what waits, with the last chunk: the body has been checked.
    pub(crate) async fn finish(&mut self, io: &impl Io, sink: &mut Sink) -> Result<(), Error> {
        let begun = self.begin(io)?;
        if begun.is_ended {
            return Ok(());
        }
        begun.write_batch(io, sink).await?;
        let whole_bytes = begun.waiting.whole_bytes();
        let waiting = begun.waiting.take_first(begun.waiting.content().len());
        let (whole, last) = waiting.split_at(whole_bytes);
        begun.encode_chunks(io, sink, whole).await?;
        begun.encode(io, sink, true, last).await?;
        begun.is_ended = true;
        if let Some(armor) = begun.armor.take() {
            let mut text = Vec::new();
            armor.finish(&mut text);
            begun.write(io, sink, &text).await?;
        }
        begun.flush(io, sink).await
    }

    /// Encodes all content that waits, in whole chunks: more content follows it.
    pub(crate) async fn go_on(
        &mut self,
        io: &impl Io,
        sink: &mut Sink,
        expectation: &mut Expectation,
    ) -> Result<(), Error> {
        match &mut self.begun {
            Some(begun) => begun.encode_waiting(io, sink, expectation, begun.waiting.content().len()).await,
            None => Ok(()),
        }
    }

    /// Hands on what was encoded, and drops the chunk that waits. `None` if no chunk was encoded: the file then starts
    /// over.
    pub(crate) async fn pause(
        &mut self,
        io: &impl Io,
        sink: &mut Sink,
        expectation: &mut Expectation,
    ) -> Option<Kept> {
        let begun = self.begun.as_mut().filter(|begun| !begun.is_ended)?;
        begun.write_batch(io, sink).await.ok()?;
        begun.encode_waiting(io, sink, expectation, begun.waiting.whole_bytes()).await.ok()?;
        begun.write_batch(io, sink).await.ok()?;
        begun.waiting.wipe();
        begun.flush(io, sink).await.ok()?;
        let content_bytes = begun.chunks * begun.file.chunk_bytes() as u64;
        (content_bytes > 0).then_some(Kept { content_bytes, stored_bytes: begun.stored_bytes })
    }

    /// All chunks of the file, with `bytes` bytes of content, were written by others.
    pub(crate) fn set_written(&mut self, bytes: u64) -> u64 {
        let Some(begun) = &mut self.begun else { return bytes };
        begun.is_ended = true;
        begun.file.stored_bytes(bytes)
    }

    /// Calls `each` with the content of `stored`, which has `bytes` bytes of it, chunk by chunk.
    pub(crate) async fn reread(
        &self,
        io: &impl Io,
        stored: &File,
        bytes: u64,
        each: impl FnMut(&[u8]),
    ) -> Result<(), Error> {
        let Some(begun) = &self.begun else { return Ok(()) };
        let chunks = Chunks { file: &begun.file, stored, bytes, is_whole: true };
        chunks.read(io, each).await
    }
}

impl Begun {
    fn new(file: Arc<dyn ChunkedFile>, helpers: Helpers) -> Self {
        Self {
            armor: file.armor(),
            waiting: Waiting::new(file.chunk_bytes()),
            helper: None,
            wants_helper: false,
            helpers,
            file,
            chunks: 0,
            out: None,
            stored_bytes: 0,
            expected_bytes: None,
            is_ended: false,
        }
    }

    async fn take(
        &mut self,
        io: &impl Io,
        sink: &mut Sink,
        expectation: &mut Expectation,
        mut content: &[u8],
    ) -> Result<(), Error> {
        let chunk_bytes = self.file.chunk_bytes();
        if self.waiting.content().is_empty() && std::mem::take(&mut self.wants_helper) {
            self.helper = Helper::start(&self.helpers, &self.file);
        }
        let waiting_bytes_max = if self.helper.is_some() { BATCH_CHUNKS * chunk_bytes } else { chunk_bytes };
        while !content.is_empty() {
            let waiting_bytes = self.waiting.content().len();
            // A whole chunk waits until it is known that another byte follows it: it may be the last one.
            if waiting_bytes == waiting_bytes_max {
                self.encode_waiting(io, sink, expectation, waiting_bytes_max).await?;
            } else if self.helper.is_none() && waiting_bytes == 0 && content.len() > chunk_bytes {
                let (chunk, rest) = content.split_at(chunk_bytes);
                expectation.update_whole(chunk);
                self.encode(io, sink, false, chunk).await?;
                content = rest;
            } else {
                content = self.waiting.append(content, waiting_bytes_max, self.expected_bytes);
            }
        }
        Ok(())
    }

    /// Encodes the first `count` bytes that wait: whole chunks, which aren't the last of the file. The rest is dropped.
    async fn encode_waiting(
        &mut self,
        io: &impl Io,
        sink: &mut Sink,
        expectation: &mut Expectation,
        count: usize,
    ) -> Result<(), Error> {
        debug_assert!(count.is_multiple_of(self.file.chunk_bytes()), "whole chunks");
        if count == 0 {
            return Ok(());
        }
        let content = self.waiting.take_first(count);
        expectation.update_whole(&content);
        if self.helper.is_some() {
            return self.hand_over(io, sink, content).await;
        }
        let encoded = self.encode_chunks(io, sink, &content).await;
        self.waiting.reuse(content);
        encoded
    }

    async fn encode_chunks(&mut self, io: &impl Io, sink: &mut Sink, content: &[u8]) -> Result<(), Error> {
        for chunk in content.chunks(self.file.chunk_bytes()) {
            self.encode(io, sink, false, chunk).await?;
        }
        Ok(())
    }

    /// Hands `content` over to the helper, and writes what it had before.
    async fn hand_over(
        &mut self,
        io: &impl Io,
        sink: &mut Sink,
        content: Zeroizing<Vec<u8>>,
    ) -> Result<(), Error> {
        self.append_head(io, sink).await?;
        let done = self.collect();
        let chunks = content.len() / self.file.chunk_bytes();
        self.make_room(io, sink, chunks * self.file.stored_chunk_bytes()).await?;
        let batch = Batch { content, first: self.chunks, out: self.out.take().expect("there is room") };
        self.chunks += chunks as u64;
        self.helper.as_mut().expect("the caller has looked").begin(batch);
        self.write_done(io, sink, done).await
    }

    /// Waits for the helper's batch, if it has one, and writes it.
    async fn write_batch(&mut self, io: &impl Io, sink: &mut Sink) -> Result<(), Error> {
        let done = self.collect();
        self.write_done(io, sink, done).await
    }

    /// What the helper has encoded. Its content gives way to what comes next.
    fn collect(&mut self) -> Option<Buf> {
        let Batch { content, out, .. } = self.helper.as_mut()?.collect()?;
        self.waiting.reuse(content);
        Some(out)
    }

    async fn write_done(&mut self, io: &impl Io, sink: &mut Sink, done: Option<Buf>) -> Result<(), Error> {
        let Some(done) = done else { return Ok(()) };
        let (stored, spare) = self.store(io, sink, done).await;
        io.give_buf(spare);
        stored
    }

    /// Encodes the next chunk.
    async fn encode(
        &mut self,
        io: &impl Io,
        sink: &mut Sink,
        is_last: bool,
        chunk: &[u8],
    ) -> Result<(), Error> {
        self.append_head(io, sink).await?;
        let stored_bytes = chunk.len() + self.file.added_bytes();
        let index = self.chunks;
        self.chunks += 1;
        if self.armor.is_some() {
            let mut stored = vec![0; stored_bytes];
            self.file.encode(index, is_last, chunk, &mut stored);
            return self.append(io, sink, &stored).await;
        }
        self.make_room(io, sink, stored_bytes).await?;
        let out = self.out.as_mut().expect("there is room");
        self.file.encode(index, is_last, chunk, &mut out.spare_mut()[..stored_bytes]);
        out.commit(stored_bytes);
        io.yield_now().await;
        Ok(())
    }

    /// Appends the head, before the first chunk.
    async fn append_head(&mut self, io: &impl Io, sink: &mut Sink) -> Result<(), Error> {
        if self.chunks > 0 {
            return Ok(());
        }
        let file = self.file.clone();
        self.append(io, sink, file.head()).await
    }

    /// Appends `bytes` of the file, as text if it is armored.
    async fn append(&mut self, io: &impl Io, sink: &mut Sink, bytes: &[u8]) -> Result<(), Error> {
        let Some(armor) = &mut self.armor else { return self.write(io, sink, bytes).await };
        let mut text = Vec::new();
        armor.push(bytes, &mut text);
        self.write(io, sink, &text).await
    }

    async fn write(&mut self, io: &impl Io, sink: &mut Sink, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            self.make_room(io, sink, 1).await?;
            let out = self.out.as_mut().expect("there is room");
            let count = bytes.len().min(out.spare_mut().len());
            out.append(&bytes[..count]);
            bytes = &bytes[count..];
        }
        Ok(())
    }

    /// Makes room for `bytes` bytes in the buffer.
    async fn make_room(&mut self, io: &impl Io, sink: &mut Sink, bytes: usize) -> Result<(), Error> {
        if self.out.as_mut().is_some_and(|out| out.spare_mut().len() < bytes) {
            self.flush(io, sink).await?;
        }
        if self.out.as_mut().is_none_or(|out| out.spare_mut().len() < bytes) {
            let left = self.expected_bytes.map(|expected| expected.saturating_sub(self.stored_bytes));
            let left = left.and_then(|left| usize::try_from(left).ok()).unwrap_or(OUT_BYTES_MAX);
            // There are only a few sizes, so that buffers can be reused.
            self.out = Some(io.take_buf(left.max(bytes).next_power_of_two().min(OUT_BYTES_MAX.max(bytes))));
        }
        Ok(())
    }

    /// Hands on what was encoded.
    async fn flush(&mut self, io: &impl Io, sink: &mut Sink) -> Result<(), Error> {
        let Some(out) = self.out.take() else { return Ok(()) };
        let (stored, spare) = self.store(io, sink, out).await;
        self.out = Some(spare);
        stored
    }

    /// Hands on `out`. Returns an empty buffer.
    async fn store(&mut self, io: &impl Io, sink: &mut Sink, out: Buf) -> (Result<(), Error>, Buf) {
        let count = out.filled().len();
        if count == 0 {
            return (Ok(()), out);
        }
        let (taken, mut next) = sink.take(io, out, count).await;
        next.clear();
        if taken.is_ok() {
            self.stored_bytes += count as u64;
        }
        (taken, next)
    }
}
