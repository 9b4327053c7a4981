//! Armor around readers and writers.
//!
//! Owns: telling armor at the start of a stream, decoding and encoding on the way.
//! Does not own: the armor's grammar.

use std::io::{self, Chain, Cursor, Read, Write};

use haul_age_format::{ArmorDecoder, ArmorEncoder, is_armored, may_become_armored};

/// What is decoded at a time.
const TEXT_BYTES: usize = 64 * 1024;

type Begun<R> = Chain<Cursor<Vec<u8>>, R>;

/// The age file in a stream that may be its armor.
pub(crate) enum Unarmored<R> {
    Binary(Begun<R>),
    Armored(ArmorReader<Begun<R>>),
}

/// Reads the start of `source` and tells which it is.
pub(crate) fn unarmored<R: Read>(mut source: R) -> io::Result<Unarmored<R>> {
    let mut start = Vec::new();
    let mut byte = [0; 64];
    while may_become_armored(&start) {
        match source.read(&mut byte) {
            Ok(0) => break,
            Ok(count) => start.extend_from_slice(&byte[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let armored = is_armored(&start);
    let begun = Cursor::new(start).chain(source);
    Ok(if armored { Unarmored::Armored(ArmorReader::new(begun)) } else { Unarmored::Binary(begun) })
}

impl<R> Unarmored<R> {
    pub(crate) fn is_armored(&self) -> bool {
        matches!(self, Self::Armored(_))
    }
}

impl<R: Read> Read for Unarmored<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Binary(reader) => reader.read(out),
            Self::Armored(reader) => reader.read(out),
        }
    }
}

/// Armor in, bytes out. An [`haul_age_format::ArmorError`] travels inside an [`io::Error`].
pub(crate) struct ArmorReader<R> {
    text: R,
    /// `None` once the armor has ended, well or badly.
    decoder: Option<ArmorDecoder>,
    bytes: Vec<u8>,
    /// How many of `bytes` were given out.
    given: usize,
    /// Told of after what was decoded before it.
    failure: Option<io::Error>,
    piece: Box<[u8]>,
}

impl<R> ArmorReader<R> {
    fn new(text: R) -> Self {
        let (decoder, piece) = (Some(ArmorDecoder::default()), vec![0; TEXT_BYTES].into());
        Self { text, decoder, bytes: Vec::new(), given: 0, failure: None, piece }
    }

    /// Where the text comes from.
    pub(crate) fn text(&self) -> &R {
        &self.text
    }
}

impl<R: Read> ArmorReader<R> {
    /// Decodes the next piece of text.
    fn decode(&mut self, mut decoder: ArmorDecoder) {
        self.bytes.clear();
        self.given = 0;
        let result = match self.text.read(&mut self.piece) {
            Ok(0) => decoder.finish(&mut self.bytes).map_err(damaged),
            Ok(count) => {
                let pushed = decoder.push(&self.piece[..count], &mut self.bytes).map_err(damaged);
                self.decoder = pushed.is_ok().then_some(decoder);
                pushed
            }
            Err(error) => {
                self.decoder = Some(decoder);
                Err(error)
            }
        };
        self.failure = result.err();
    }
}

impl<R: Read> Read for ArmorReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.bytes.len() {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            let Some(decoder) = self.decoder.take() else { return Ok(0) };
            self.decode(decoder);
        }
        let count = (&self.bytes[self.given..]).read(out)?;
        self.given += count;
        Ok(count)
    }
}

fn damaged(error: haul_age_format::ArmorError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Bytes in, armor out. Ends with [`ArmorWriter::finish`].
pub(super) struct ArmorWriter<W> {
    sink: W,
    encoder: ArmorEncoder,
    text: Vec<u8>,
}

impl<W: Write> ArmorWriter<W> {
    pub(super) fn new(sink: W) -> Self {
        Self { sink, encoder: ArmorEncoder::default(), text: Vec::new() }
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.encoder.finish(&mut self.text);
        self.sink.write_all(&self.text)?;
        self.sink.flush()
    }
}

impl<W: Write> Write for ArmorWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.clear();
        self.encoder.push(bytes, &mut self.text);
        self.sink.write_all(&self.text)?;
        self.text.clear();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// A reader whose bytes are counted.
pub(crate) struct Counted<R> {
    reader: R,
    pub(crate) bytes: u64,
}

impl<R> Counted<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, bytes: 0 }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(out)?;
        self.bytes += count as u64;
        Ok(count)
    }
}
