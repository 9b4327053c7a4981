//! Files that one worker seals or opens from start to end: armored ones, because lines have no fixed offsets, and those
//! whose length isn't known before their end.
//!
//! Owns: the order of the steps for one file, the memory bound (three pieces and their text).
//! Does not own: the armor's grammar, authentication ([`crate::payload`]), publishing.

use haul_age_format::{
    ArmorDecoder, ArmorEncoder, CHUNK_BYTES, Header, NONCE_BYTES, Parsed, SEALED_CHUNK_BYTES, SealedHeader,
    identities_in,
};
use haul_io::{Buf, BufResult, File, Io, Offset, Op, Publish, Staged, write_sparse};

use crate::error::{During, Error};
use crate::payload::Payload;
pub(super) use crate::payload::accept::Form;
use crate::payload::accept::is_by_passphrase;
use crate::payload::chunks::{ChunkRun, seal_chunks};
use crate::payload::keys::HeaderKeys;
use crate::payload::segments::{PIECE_BYTES, SEALED_PIECE_BYTES};
use crate::task::{Outcome, Remarks, SkipReason, SourceFile};

/// Capacity for a sealed piece as text: 65 bytes of text for 48 bytes, and the first and last line.
const TEXT_BYTES: usize = SEALED_PIECE_BYTES / 48 * 65 + 1024;

/// Seals `source`, whatever its length, with `header`.
pub(super) async fn seal_in_order(
    io: &impl Io,
    source: &SourceFile,
    header: SealedHeader,
    publish: &Publish,
    form: Form,
) -> Result<Outcome, Error> {
    let staged = Staged::create(io, publish).await.map_err(Error::at(During::Create))?;
    source.spare_cache_with(io, staged.file()).await;
    let result = seal_pieces(io, source, header, staged.file(), form).await;
    end(io, staged, publish, result).await
}

/// The result of a file that is opened.
pub(super) struct Opened<'a> {
    pub(super) publish: &'a Publish,
    /// Whether there is none if the file is an identity that a passphrase protects.
    pub(super) spares_identities: bool,
}

/// Opens the file `source`; without a `result`, only authenticates it.
pub(super) async fn open_in_order(
    io: &impl Io,
    source: &SourceFile,
    keys: &HeaderKeys<'_>,
    result: Option<Opened<'_>>,
    form: Form,
) -> Result<Outcome, Error> {
    let Some(Opened { publish, spares_identities }) = result else {
        return open_pieces(io, source, keys, None, form).await;
    };
    let staged = Staged::create(io, publish).await.map_err(Error::at(During::Create))?;
    source.spare_cache_with(io, staged.file()).await;
    let target = Target { file: staged.file(), is_sparse: publish.sparse, spares_identities };
    let result = open_pieces(io, source, keys, Some(target), form).await;
    end(io, staged, publish, result).await
}

/// Copies the armored file `source` with another header, which `rewrap` makes of the present one, and authenticates
/// it on the way.
pub(super) async fn rekey_in_order(
    io: &impl Io,
    source: &SourceFile,
    publish: &Publish,
    rewrap: impl FnOnce(&Header, usize, &[u8; NONCE_BYTES]) -> Result<Rewrapped, Error>,
) -> Result<Outcome, Error> {
    let staged = Staged::create(io, publish).await.map_err(Error::at(During::Create))?;
    let result = rekey_pieces(io, source, staged.file(), rewrap).await;
    end(io, staged, publish, result).await
}

/// A header that was made anew for a payload that stays.
pub(super) struct Rewrapped {
    /// The new header, with the nonce.
    pub(super) start: Vec<u8>,
    /// The payload in the present file.
    pub(super) payload: Payload,
}

/// Whether `plain` is the content of a file of identities.
pub(super) fn holds_identities(plain: &[u8]) -> bool {
    identities_in(plain).is_ok()
}

/// Publishes the result, or discards it after an error or where there is to be none.
pub(super) async fn end(
    io: &impl Io,
    staged: Staged,
    publish: &Publish,
    result: Result<Outcome, Error>,
) -> Result<Outcome, Error> {
    match result {
        Ok(outcome @ Outcome::Skipped(_)) => {
            staged.discard(io).await;
            Ok(outcome)
        }
        Ok(outcome) => {
            let published = staged.publish(io, publish).await.map_err(Error::at(During::Publish))?;
            Ok(outcome.with(&published))
        }
        Err(error) => {
            staged.discard(io).await;
            Err(error)
        }
    }
}

async fn seal_pieces(
    io: &impl Io,
    source: &SourceFile,
    header: SealedHeader,
    target: &File,
    form: Form,
) -> Result<Outcome, Error> {
    let mut encoder = (form == Form::Armored).then(ArmorEncoder::default);
    let mut encoded = Vec::with_capacity(TEXT_BYTES);
    let mut encode = |bytes: &[u8], out: &mut Vec<u8>| match &mut encoder {
        Some(encoder) => encoder.push(bytes, out),
        None => out.extend_from_slice(bytes),
    };
    let mut sealed = io.take_buf(SEALED_PIECE_BYTES);
    let mut output = Output { io, file: target, written: 0, buf: io.take_buf(TEXT_BYTES) };
    encode(&header.bytes, &mut encoded);
    output.write(&mut encoded).await?;
    let (mut plain, mut plain_bytes, mut first) = (io.take_buf(PIECE_BYTES), 0, 0);
    plain = read_piece(io, source, plain, 0).await?;
    loop {
        let count = plain.filled().len();
        plain_bytes += count as u64;
        // A whole piece is the last one if nothing follows it.
        let next = match count {
            PIECE_BYTES => read_piece(io, source, io.take_buf(PIECE_BYTES), plain_bytes).await?,
            _ => io.take_buf(PIECE_BYTES),
        };
        let ends = next.filled().is_empty();
        seal_chunks(&header.payload_key, ChunkRun { first, ends }, plain.filled(), &mut sealed);
        first += (count / CHUNK_BYTES) as u64;
        encode(sealed.filled(), &mut encoded);
        sealed.clear();
        output.write(&mut encoded).await?;
        io.progress(count as u64);
        io.give_buf(std::mem::replace(&mut plain, next));
        if ends {
            break;
        }
        io.yield_now().await;
    }
    if let Some(encoder) = encoder {
        encoder.finish(&mut encoded);
        output.write(&mut encoded).await?;
    }
    io.give_buf(plain);
    io.give_buf(sealed);
    source.check_unchanged(io).await?;
    Ok(Outcome::File { plain_bytes, sealed_bytes: output.written, remarks: source.remarks() })
}

async fn rekey_pieces(
    io: &impl Io,
    source: &SourceFile,
    target: &File,
    rewrap: impl FnOnce(&Header, usize, &[u8; NONCE_BYTES]) -> Result<Rewrapped, Error>,
) -> Result<Outcome, Error> {
    let mut text = Decoded::new(io, &source.file, Form::Armored);
    let Rewrapped { start, payload } = text.header(rewrap).await?;
    let mut encoder = ArmorEncoder::default();
    let mut encoded = Vec::with_capacity(TEXT_BYTES);
    let mut output = Output { io, file: target, written: 0, buf: io.take_buf(TEXT_BYTES) };
    encoder.push(&start, &mut encoded);
    let (mut plain, mut plain_bytes) = (io.take_buf(PIECE_BYTES), 0);
    let mut first = 0;
    loop {
        let run = text.next_run(first);
        if let Some((chunks, bytes)) = run {
            payload.open_chunks(chunks, &text.bytes[..bytes], &mut plain)?;
            encoder.push(&text.bytes[..bytes], &mut encoded);
            text.bytes.drain(..bytes);
            first += (bytes / SEALED_CHUNK_BYTES) as u64;
        }
        output.write(&mut encoded).await?;
        plain_bytes += plain.filled().len() as u64;
        io.progress(plain.filled().len() as u64);
        plain.clear();
        if run.is_some_and(|(chunks, _)| chunks.ends) {
            break;
        }
        io.yield_now().await;
        text.more().await?;
    }
    encoder.finish(&mut encoded);
    output.write(&mut encoded).await?;
    io.give_buf(plain);
    source.check_unchanged(io).await?;
    Ok(Outcome::File { plain_bytes, sealed_bytes: output.written, remarks: source.remarks() })
}

/// Reads a piece, or less at the end of the file, into the empty buffer `buf`.
async fn read_piece(io: &impl Io, source: &SourceFile, buf: Buf, offset: u64) -> Result<Buf, Error> {
    let (count, buf) = io.read_full(&source.file, buf, PIECE_BYTES, Offset::At(offset)).await;
    count.map_err(Error::at(During::Read))?;
    Ok(buf)
}

/// A result that is written from start to end.
struct Output<'a, I> {
    io: &'a I,
    file: &'a File,
    /// The number of bytes written.
    written: u64,
    /// Invariant: empty between calls, with room for [`TEXT_BYTES`].
    buf: Buf,
}

impl<I: Io> Output<'_, I> {
    /// Writes `text` and empties it.
    async fn write(&mut self, text: &mut Vec<u8>) -> Result<(), Error> {
        for part in text.chunks(TEXT_BYTES) {
            let mut buf = std::mem::replace(&mut self.buf, Buf::with_capacity(0));
            buf.append(part);
            let (result, back) = self.io.write_all(self.file, buf, Offset::At(self.written)).await;
            self.buf = back;
            result.map_err(Error::at(During::Write))?;
            self.written += part.len() as u64;
        }
        text.clear();
        Ok(())
    }
}

/// Where plaintext goes.
#[derive(Clone, Copy)]
struct Target<'a> {
    file: &'a File,
    is_sparse: bool,
    /// See [`Opened`].
    spares_identities: bool,
}

impl Target<'_> {
    async fn write(self, io: &impl Io, plain: Buf, offset: u64) -> BufResult<()> {
        if self.is_sparse {
            write_sparse(io, self.file, plain, offset).await
        } else {
            io.write_all(self.file, plain, Offset::At(offset)).await
        }
    }
}

async fn open_pieces(
    io: &impl Io,
    source: &SourceFile,
    keys: &HeaderKeys<'_>,
    target: Option<Target<'_>>,
    form: Form,
) -> Result<Outcome, Error> {
    let mut text = Decoded::new(io, &source.file, form);
    let open = |header: &Header, bytes, nonce: &[u8; NONCE_BYTES]| {
        Ok((keys.open(header, bytes, nonce)?, is_by_passphrase(header)))
    };
    let (payload, is_by_passphrase) = text.header(open).await?;
    let spares_identities = is_by_passphrase && target.is_some_and(|target| target.spares_identities);
    let mut plain = io.take_buf(PIECE_BYTES);
    let (mut index, mut plain_bytes) = (0, 0);
    loop {
        let run = text.next_run(index);
        if let Some((chunks, bytes)) = run {
            payload.open_chunks(chunks, &text.bytes[..bytes], &mut plain)?;
            text.bytes.drain(..bytes);
            index += (bytes / SEALED_CHUNK_BYTES) as u64;
        }
        let is_whole = plain_bytes == 0 && run.is_some_and(|(chunks, _)| chunks.ends);
        if spares_identities && is_whole && holds_identities(plain.filled()) {
            return Ok(Outcome::Skipped(SkipReason::Identity));
        }
        let opened_bytes = plain.filled().len() as u64;
        if let Some(target) = target {
            let (result, back) = target.write(io, plain, plain_bytes).await;
            plain = back;
            result.map_err(Error::at(During::Write))?;
        }
        plain.clear();
        plain_bytes += opened_bytes;
        io.progress(opened_bytes);
        if run.is_some_and(|(chunks, _)| chunks.ends) {
            break;
        }
        io.yield_now().await;
        text.more().await?;
    }
    io.give_buf(plain);
    if let Some(Target { file, is_sparse: true, .. }) = target {
        let set = io.done(Op::SetLength { file: file.clone(), bytes: plain_bytes }).await;
        set.map_err(Error::at(During::Write))?;
    }
    source.check_unchanged(io).await?;
    let remarks = target.map_or_else(Remarks::default, |_| source.remarks());
    Ok(Outcome::File { plain_bytes, sealed_bytes: text.read, remarks })
}

/// The decoded bytes of an age file.
struct Decoded<'a, I> {
    io: &'a I,
    source: &'a File,
    /// The number of bytes that were read.
    read: u64,
    /// Of an armored file, until its end.
    decoder: Option<ArmorDecoder>,
    /// Whether everything was read.
    is_over: bool,
    /// Decoded bytes that aren't used yet.
    bytes: Vec<u8>,
}

impl<'a, I: Io> Decoded<'a, I> {
    fn new(io: &'a I, source: &'a File, form: Form) -> Self {
        let decoder = (form == Form::Armored).then(ArmorDecoder::default);
        Self { io, source, read: 0, decoder, is_over: false, bytes: Vec::new() }
    }

    /// Decodes the next 256 KiB.
    async fn more(&mut self) -> Result<(), Error> {
        if self.is_over {
            return Ok(());
        }
        let text = self.io.take_buf(PIECE_BYTES);
        let (count, text) = self.io.read_full(self.source, text, PIECE_BYTES, Offset::At(self.read)).await;
        let count = count.map_err(Error::at(During::Read))?;
        self.read += count as u64;
        self.is_over = count < PIECE_BYTES;
        match &mut self.decoder {
            Some(decoder) => decoder.push(text.filled(), &mut self.bytes).map_err(Error::Armor)?,
            None => self.bytes.extend_from_slice(text.filled()),
        }
        self.io.give_buf(text);
        match self.decoder.take_if(|_| self.is_over) {
            Some(decoder) => decoder.finish(&mut self.bytes).map_err(Error::Armor),
            None => Ok(()),
        }
    }

    /// The chunks that are whole, of which the first has the number `first`, and their length; `None` if there are
    /// none yet. A whole chunk may be the last until another byte follows it.
    fn next_run(&self, first: u64) -> Option<(ChunkRun, usize)> {
        if self.is_over {
            return Some((ChunkRun { first, ends: true }, self.bytes.len()));
        }
        let bytes = self.bytes.len().saturating_sub(1) / SEALED_CHUNK_BYTES * SEALED_CHUNK_BYTES;
        (bytes > 0).then_some((ChunkRun { first, ends: false }, bytes))
    }

    /// Removes the header and the nonce, and lets `open` open them. `open` gets the header, its length and the nonce.
    async fn header<T>(
        &mut self,
        open: impl FnOnce(&Header, usize, &[u8; NONCE_BYTES]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        loop {
            self.more().await?;
            match Header::parse(&self.bytes)? {
                Parsed::Complete { header, len } if self.bytes.len() >= len + NONCE_BYTES => {
                    let nonce = self.bytes[len..].first_chunk().expect("the length was checked");
                    let opened = open(&header, len, nonce)?;
                    self.bytes.drain(..len + NONCE_BYTES);
                    return Ok(opened);
                }
                _ if self.is_over => return Err(Error::WrongLength),
                _ => {}
            }
        }
    }
}
