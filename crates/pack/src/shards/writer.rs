//! Writing content in order, to a file or a store, in a format of chunks if there is one.
//!
//! Content is collected to a block before it is written. A block that is full waits for the byte after it, as the last
//! chunk of a file is encoded as such. No chunk is encoded twice.
//!
//! Owns: the block, the place of the next one, space that is reserved.
//! Does not own: what the content is.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use haul_io::{Buf, ChunkedFile, File, Io, Op};

use super::place::ShardUpload;
use super::steady;

/// Bytes of content that are written at once, about.
const BLOCK_BYTES: usize = 512 * 1024;
/// Bytes of work between two chances for other jobs.
const YIELD_BYTES: usize = 256 * 1024;
/// Space is reserved this far ahead.
const AHEAD_BYTES: u64 = 8 << 20;

/// What is written from its start to its end.
pub(super) struct Writer {
    target: Target,
    encoded: Option<Arc<dyn ChunkedFile>>,
    /// Content that isn't written yet.
    block: Buf,
    /// What a block becomes.
    stored: Buf,
    /// The number of the next chunk.
    chunk: u64,
    /// Where the next block is written.
    offset: u64,
    /// Bytes of content so far.
    bytes: u64,
    reserved_bytes: u64,
}

/// Where blocks go.
pub(super) enum Target {
    /// Into a file, which is empty.
    File(File),
    /// Only its owner uses it: the lock is never taken.
    Upload(Mutex<Box<dyn ShardUpload>>),
}

impl Writer {
    pub(super) fn new(target: Target, encoded: Option<Arc<dyn ChunkedFile>>) -> Self {
        let (block_bytes, stored_bytes) = match &encoded {
            None => (BLOCK_BYTES, 0),
            Some(encoded) => {
                let count = BLOCK_BYTES.div_ceil(encoded.chunk_bytes());
                let stored = count * encoded.stored_chunk_bytes() + encoded.head().len();
                (count * encoded.chunk_bytes(), stored)
            }
        };
        let (block, mut stored) = (Buf::with_capacity(block_bytes), Buf::with_capacity(stored_bytes));
        encoded.iter().for_each(|encoded| stored.append(encoded.head()));
        Self { target, encoded, block, stored, chunk: 0, offset: 0, bytes: 0, reserved_bytes: 0 }
    }

    /// Bytes of content so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the format puts before the content; empty without a format.
    pub(super) fn head(&self) -> &[u8] {
        self.encoded.as_ref().map_or(&[], |encoded| encoded.head())
    }

    /// The length of a file with so many bytes of content.
    pub(super) fn stored_bytes(&self, bytes: u64) -> u64 {
        self.encoded.as_ref().map_or(bytes, |encoded| encoded.stored_bytes(bytes))
    }

    /// Makes sure that the file system has room for `bytes` bytes of content in total, if it can promise that.
    ///
    /// # Errors
    /// The system's error, such as that of a full disk.
    pub(super) async fn reserve(&mut self, io: &impl Io, bytes: u64) -> io::Result<()> {
        let Target::File(file) = &self.target else { return Ok(()) };
        let needed = self.stored_bytes(bytes);
        if needed <= self.reserved_bytes {
            return Ok(());
        }
        let ahead = needed + AHEAD_BYTES;
        for bytes in [ahead, needed] {
            match io.allocate(file, bytes).await {
                Ok(()) => {
                    self.reserved_bytes = bytes;
                    return Ok(());
                }
                // A full disk may have given a part, which others need. Less may fit.
                Err(error) => {
                    let before = self.reserved_bytes.max(self.offset);
                    steady::done(io, || Op::SetLength { file: file.clone(), bytes: before }).await?;
                    if bytes == needed {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the next bytes of content.
    ///
    /// # Errors
    /// The system's error of writing. The file is then of no use.
    pub(super) async fn push(&mut self, io: &impl Io, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.block.spare_mut().is_empty() {
                self.write_block(io, false).await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(self.block.spare_mut().len()));
            self.block.append(now);
            self.bytes += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Takes `count` zeros.
    pub(super) async fn push_zeros(&mut self, io: &impl Io, count: usize) -> io::Result<()> {
        self.push(io, &[0; 512][..count]).await
    }

    async fn write_block(&mut self, io: &impl Io, is_last: bool) -> io::Result<()> {
        let is_encoded = self.encode(io, is_last).await;
        let written = if is_encoded { &mut self.stored } else { &mut self.block };
        let (count, capacity) = (written.filled().len() as u64, written.capacity());
        match &mut self.target {
            Target::File(file) => {
                let buf = std::mem::replace(written, Buf::with_capacity(0));
                let (result, buf) = steady::write(io, file, buf, self.offset).await;
                result?;
                *written = if buf.capacity() == capacity { buf } else { Buf::with_capacity(capacity) };
            }
            Target::Upload(upload) => {
                upload.get_mut().unwrap_or_else(PoisonError::into_inner).push(written.filled())?;
                written.clear();
            }
        }
        self.offset += count;
        Ok(())
    }

    /// Encodes the block, if there is a format.
    async fn encode(&mut self, io: &impl Io, is_last: bool) -> bool {
        let Some(encoded) = &self.encoded else { return false };
        let mut content = self.block.filled();
        let mut since_yield = 0;
        loop {
            let (now, later) = content.split_at(content.len().min(encoded.chunk_bytes()));
            let stored_bytes = now.len() + encoded.added_bytes();
            let ends = is_last && later.is_empty();
            encoded.encode(self.chunk, ends, now, &mut self.stored.spare_mut()[..stored_bytes]);
            self.stored.commit(stored_bytes);
            self.chunk += 1;
            content = later;
            since_yield += now.len();
            if since_yield >= YIELD_BYTES {
                since_yield = 0;
                io.yield_now().await;
            }
            if content.is_empty() {
                break;
            }
        }
        self.block.clear();
        true
    }

    /// Writes what is left, and gives up space that isn't needed. Nothing follows.
    ///
    /// # Errors
    /// The system's error.
    pub(super) async fn finish(&mut self, io: &impl Io) -> io::Result<()> {
        self.write_block(io, true).await?;
        match &self.target {
            Target::File(file) if self.reserved_bytes > 0 => {
                let bytes = self.offset;
                steady::done(io, || Op::SetLength { file: file.clone(), bytes }).await
            }
            Target::File(_) | Target::Upload(_) => Ok(()),
        }
    }

    /// The upload that got everything, if it isn't a file.
    pub(super) fn into_upload(self) -> Option<Box<dyn ShardUpload>> {
        match self.target {
            Target::File(_) => None,
            Target::Upload(upload) => Some(upload.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Reads the content of the finished file from `offset` on, at most a block of it, into `out`, which is emptied
    /// before. A block begins at every multiple of what a call returns before the end.
    ///
    /// # Errors
    /// If it can't be read, or isn't what was written.
    pub(super) async fn read_back(&self, io: &impl Io, offset: u64, out: &mut Vec<u8>) -> io::Result<()> {
        let changed = || io::Error::other("the file was changed by another program");
        let Target::File(file) = &self.target else { return Err(io::ErrorKind::Unsupported.into()) };
        out.clear();
        let bytes = (self.bytes - offset).min(self.block.capacity() as u64) as usize;
        let Some(encoded) = &self.encoded else {
            let (count, buf) = steady::read(io, file, bytes, offset).await;
            let is_whole = count? == bytes;
            out.extend_from_slice(buf.filled());
            return if is_whole { Ok(()) } else { Err(changed()) };
        };
        let (first, end) = (encoded.whole_chunks(offset), offset + bytes as u64);
        let stored_bytes = bytes + bytes.div_ceil(encoded.chunk_bytes()) * encoded.added_bytes();
        let (count, buf) = steady::read(io, file, stored_bytes, encoded.offset_of(first)).await;
        if count? != stored_bytes {
            return Err(changed());
        }
        out.resize(bytes, 0);
        let stored = buf.filled().chunks(encoded.stored_chunk_bytes());
        for (index, (stored, content)) in stored.zip(out.chunks_mut(encoded.chunk_bytes())).enumerate() {
            let index = first + index as u64;
            let is_last = end == self.bytes && index + 1 == self.chunk;
            encoded.decode(index, is_last, stored, content).map_err(|_| changed())?;
        }
        Ok(())
    }
}
