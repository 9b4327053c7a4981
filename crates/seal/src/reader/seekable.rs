//! An age file that is read at any offset: what armor encodes, or the file itself.
//!
//! Owns: recognising armor, seeking, decoding the lines that hold a range of bytes.
//! Does not own: where lines lie ([`haul_age_format::ArmorLayout`]), the content.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use haul_age_format::{ArmorLayout, is_armored};

use crate::error::{Error, Shrunk};

/// The binary form of an age file.
pub(crate) struct Seekable<R> {
    source: R,
    /// `None` if the file isn't armored.
    armor: Option<ArmorLayout>,
    bytes: u64,
    /// Text and bytes of the lines that were read last. Kept for their memory.
    lines: Vec<u8>,
    decoded: Vec<u8>,
}

impl<R: Read + Seek> Seekable<R> {
    /// Examines both ends of `source`.
    pub(crate) fn new(mut source: R) -> Result<Self, Error> {
        let file_bytes = source.seek(SeekFrom::End(0)).map_err(Error::of_read)?;
        let edge_bytes = file_bytes.min(ArmorLayout::EDGE_BYTES as u64);
        let mut edge = |offset| {
            let mut edge = vec![0; edge_bytes as usize];
            read_exact(&mut source, offset, &mut edge).map(|()| edge).map_err(Error::of_read)
        };
        let start = edge(0)?;
        let armor = if is_armored(&start) {
            let end = edge(file_bytes - edge_bytes)?;
            Some(ArmorLayout::new(&start, &end, file_bytes).map_err(Error::Armor)?)
        } else {
            None
        };
        let bytes = armor.map_or(file_bytes, ArmorLayout::bytes);
        Ok(Self { source, armor, bytes, lines: Vec::new(), decoded: Vec::new() })
    }

    /// Length of the binary form.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn into_inner(self) -> R {
        self.source
    }

    /// Fills `out` with the bytes at `offset`, which must exist.
    pub(crate) fn read_at(&mut self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let Some(armor) = self.armor else { return read_exact(&mut self.source, offset, out) };
        let range = offset..offset + out.len() as u64;
        let lines = armor.lines_of(&range);
        self.lines.resize((lines.end - lines.start) as usize, 0);
        read_exact(&mut self.source, lines.start, &mut self.lines)?;
        self.decoded.clear();
        armor
            .decode(&self.lines, &range, &mut self.decoded)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        out.copy_from_slice(&self.decoded);
        Ok(())
    }

    /// A reader of the bytes in `range`, which must exist.
    pub(crate) fn reader_of(&mut self, range: Range<u64>) -> RangeReader<'_, R> {
        RangeReader { file: self, range }
    }
}

fn read_exact(source: &mut (impl Read + Seek), offset: u64, out: &mut [u8]) -> io::Result<()> {
    source.seek(SeekFrom::Start(offset))?;
    source.read_exact(out).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(io::ErrorKind::UnexpectedEof, Shrunk),
        _ => error,
    })
}

/// Reads a range of a [`Seekable`].
pub(crate) struct RangeReader<'a, R> {
    file: &'a mut Seekable<R>,
    /// What was not read yet.
    range: Range<u64>,
}

impl<R: Read + Seek> Read for RangeReader<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = (self.range.end - self.range.start).min(out.len() as u64) as usize;
        if count > 0 {
            self.file.read_at(self.range.start, &mut out[..count])?;
            self.range.start += count as u64;
        }
        Ok(count)
    }
}
