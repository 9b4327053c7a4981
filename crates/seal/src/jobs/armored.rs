//! Armored files: one worker seals or opens each from start to end, because lines have no fixed offsets.
//!
//! Owns: the order of the steps for one file, the memory bound (two pieces and their text).
//! Does not own: the armor's grammar, authentication ([`crate::payload`]), publishing.

use haul_age_format::{
    ArmorDecoder, ArmorEncoder, Header, Layout, NONCE_BYTES, Parsed, SEALED_CHUNK_BYTES, SealedHeader,
};
use haul_io::{Buf, File, Io, Offset, Publish, Staged};

use crate::error::{During, Error};
use crate::payload::Payload;
use crate::payload::chunks::{ChunkRun, seal_piece};
use crate::payload::keys::HeaderKeys;
use crate::payload::segments::{PIECE_BYTES, SEALED_PIECE_BYTES, pieces_of};
use crate::task::{Outcome, Remarks, SourceFile};

/// Capacity for a sealed piece as text: 65 bytes of text for 48 bytes, and the first and last line.
const TEXT_BYTES: usize = SEALED_PIECE_BYTES / 48 * 65 + 1024;

/// Seals `source` with `header` into an armored file.
pub(super) async fn seal_armored(
    io: &impl Io,
    source: &SourceFile,
    header: SealedHeader,
    publish: &Publish,
) -> Result<Outcome, Error> {
    let staged = Staged::create(io, publish).await.map_err(Error::at(During::Create))?;
    let result = seal_text(io, source, header, staged.file()).await;
    end(io, staged, publish, result).await
}

/// Opens the armored file `source`; without `publish`, only authenticates it.
pub(super) async fn open_armored(
    io: &impl Io,
    source: &SourceFile,
    keys: &HeaderKeys<'_>,
    publish: Option<&Publish>,
) -> Result<Outcome, Error> {
    let Some(publish) = publish else { return open_text(io, source, keys, None).await };
    let staged = Staged::create(io, publish).await.map_err(Error::at(During::Create))?;
    let result = open_text(io, source, keys, Some(staged.file())).await;
    end(io, staged, publish, result).await
}

/// Publishes the result, or discards it after an error.
async fn end(
    io: &impl Io,
    staged: Staged,
    publish: &Publish,
    result: Result<Outcome, Error>,
) -> Result<Outcome, Error> {
    match result {
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

async fn seal_text(
    io: &impl Io,
    source: &SourceFile,
    header: SealedHeader,
    target: &File,
) -> Result<Outcome, Error> {
    let layout = Layout::of_plain(source.stat.bytes);
    let (mut encoder, mut text) = (ArmorEncoder::default(), Vec::with_capacity(TEXT_BYTES));
    let (mut plain, mut sealed) = (io.take_buf(PIECE_BYTES), io.take_buf(SEALED_PIECE_BYTES));
    let mut output = Output { io, file: target, written: 0, buf: io.take_buf(TEXT_BYTES) };
    encoder.push(&header.bytes, &mut text);
    output.write(&mut text).await?;
    for piece in pieces_of(layout) {
        let bytes = piece.plain_bytes(layout);
        plain = source.read(io, plain, bytes, Layout::plain_offset(piece.first)).await?;
        seal_piece(&header.payload_key, layout, piece, plain.filled(), &mut sealed);
        plain.clear();
        encoder.push(sealed.filled(), &mut text);
        sealed.clear();
        output.write(&mut text).await?;
        io.progress(bytes as u64);
        io.yield_now().await;
    }
    encoder.finish(&mut text);
    output.write(&mut text).await?;
    io.give_buf(plain);
    io.give_buf(sealed);
    source.check_unchanged(io).await?;
    let remarks = Remarks::of(&source.stat);
    Ok(Outcome::File { plain_bytes: source.stat.bytes, sealed_bytes: output.written, remarks })
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

async fn open_text(
    io: &impl Io,
    source: &SourceFile,
    keys: &HeaderKeys<'_>,
    target: Option<&File>,
) -> Result<Outcome, Error> {
    let mut text = Text::new(io, &source.file);
    let payload = text.header(keys).await?;
    let mut plain = io.take_buf(PIECE_BYTES);
    let (mut index, mut plain_bytes) = (0, 0);
    loop {
        let ends = text.decoder.is_none();
        // A whole chunk may be the last until another byte follows it.
        let chunk_count = text.bytes.len().saturating_sub(1) / SEALED_CHUNK_BYTES;
        let now = if ends { text.bytes.len() } else { chunk_count * SEALED_CHUNK_BYTES };
        if ends || chunk_count > 0 {
            payload.open_chunks(ChunkRun { first: index, ends }, &text.bytes[..now], &mut plain)?;
        }
        text.bytes.drain(..now);
        index += chunk_count as u64;
        let opened_bytes = plain.filled().len() as u64;
        if let Some(target) = target {
            let (result, back) = io.write_all(target, plain, Offset::At(plain_bytes)).await;
            plain = back;
            result.map_err(Error::at(During::Write))?;
        }
        plain.clear();
        plain_bytes += opened_bytes;
        io.progress(opened_bytes);
        if ends {
            break;
        }
        io.yield_now().await;
        text.more().await?;
    }
    io.give_buf(plain);
    source.check_unchanged(io).await?;
    let remarks = target.map_or_else(Remarks::default, |_| Remarks::of(&source.stat));
    Ok(Outcome::File { plain_bytes, sealed_bytes: source.stat.bytes, remarks })
}

/// The decoded bytes of an armored file.
struct Text<'a, I> {
    io: &'a I,
    source: &'a File,
    /// The number of bytes of text that were read.
    read: u64,
    /// `None` after the end of the armor.
    decoder: Option<ArmorDecoder>,
    /// Decoded bytes that aren't used yet.
    bytes: Vec<u8>,
}

impl<'a, I: Io> Text<'a, I> {
    fn new(io: &'a I, source: &'a File) -> Self {
        Self { io, source, read: 0, decoder: Some(ArmorDecoder::default()), bytes: Vec::new() }
    }

    /// Decodes the next 256 KiB of text into at most 192 KiB.
    async fn more(&mut self) -> Result<(), Error> {
        let Some(mut decoder) = self.decoder.take() else { return Ok(()) };
        let text = self.io.take_buf(PIECE_BYTES);
        let (count, text) = self.io.read_full(self.source, text, PIECE_BYTES, Offset::At(self.read)).await;
        let count = count.map_err(Error::at(During::Read))?;
        self.read += count as u64;
        decoder.push(text.filled(), &mut self.bytes).map_err(Error::Armor)?;
        self.io.give_buf(text);
        match count {
            PIECE_BYTES => self.decoder = Some(decoder),
            _ => decoder.finish(&mut self.bytes).map_err(Error::Armor)?,
        }
        Ok(())
    }

    /// Removes the header and the nonce, and opens them.
    async fn header(&mut self, keys: &HeaderKeys<'_>) -> Result<Payload, Error> {
        loop {
            self.more().await?;
            match Header::parse(&self.bytes)? {
                Parsed::Complete { header, len } if self.bytes.len() >= len + NONCE_BYTES => {
                    let nonce = &self.bytes[len..len + NONCE_BYTES];
                    let payload = keys.open(&header, len, nonce)?;
                    self.bytes.drain(..len + NONCE_BYTES);
                    return Ok(payload);
                }
                _ if self.decoder.is_none() => return Err(Error::WrongLength),
                _ => {}
            }
        }
    }
}
