//! A reader that removes armor.
//!
//! Owns: recognising armor at the start of a stream, decoding it while it is read.
//! Does not own: the armor's grammar ([`haul_age_format::ArmorDecoder`]).

use std::io::{self, Chain, Cursor, Read};

use haul_age_format::{ArmorDecoder, ArmorError, is_armored, may_become_armored};

/// Length in bytes of the text that is decoded at a time.
const TEXT_BYTES: usize = 64 * 1024;

/// A reader whose start was read already.
type Begun<R> = Chain<Cursor<Vec<u8>>, R>;

/// A stream with an age file, armored or not. Reading it gives the binary form.
pub(crate) enum Unarmored<R> {
    Binary(Begun<R>),
    Armored(ArmorReader<Begun<R>>),
}

/// Reads the start of `source` to see whether it is armored.
pub(crate) fn unarmored<R: Read>(mut source: R) -> io::Result<Unarmored<R>> {
    let mut start = Vec::new();
    let mut bytes = [0; 64];
    while may_become_armored(&start) {
        match source.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => start.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let armored = is_armored(&start);
    let begun = Cursor::new(start).chain(source);
    Ok(if armored { Unarmored::Armored(ArmorReader::new(begun)) } else { Unarmored::Binary(begun) })
}

impl<R> Unarmored<R> {
    /// The underlying reader.
    pub(crate) fn get_ref(&self) -> &R {
        match self {
            Self::Binary(begun) => begun.get_ref().1,
            Self::Armored(reader) => reader.text.get_ref().1,
        }
    }

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

/// Decodes the armor that it reads. An [`ArmorError`] is returned inside an [`io::Error`].
pub(crate) struct ArmorReader<R> {
    text: R,
    /// `None` after the end of the armor or an error in it.
    decoder: Option<ArmorDecoder>,
    bytes: Vec<u8>,
    /// How many of `bytes` were returned.
    returned: usize,
    /// Returned after the bytes that were decoded before it.
    failure: Option<io::Error>,
    piece: Box<[u8]>,
}

impl<R> ArmorReader<R> {
    fn new(text: R) -> Self {
        let (decoder, piece) = (Some(ArmorDecoder::default()), vec![0; TEXT_BYTES].into());
        Self { text, decoder, bytes: Vec::new(), returned: 0, failure: None, piece }
    }
}

impl<R: Read> ArmorReader<R> {
    /// Decodes the next piece of text.
    fn decode(&mut self, mut decoder: ArmorDecoder) {
        self.bytes.clear();
        self.returned = 0;
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
        while self.returned == self.bytes.len() {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            let Some(decoder) = self.decoder.take() else { return Ok(0) };
            self.decode(decoder);
        }
        let count = (&self.bytes[self.returned..]).read(out)?;
        self.returned += count;
        Ok(count)
    }
}

fn damaged(error: ArmorError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Counts the bytes that are read.
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
