//! The form of journals.
//!
//! A journal is an age header and its nonce, then records. A record is its length in four bytes, the lowest first, and
//! the record's text, sealed as the chunk of its number under the payload key of the header. So a process that is
//! killed leaves every entry that it wrote. A record that was cut is the end of the journal.
//!
//! Owns: reading records.
//! Does not own: writing them ([`super::journal`]), the header.

use std::io::{self, ErrorKind, Read};

use haul_age_format::{PayloadKey, SEALED_CHUNK_BYTES, TAG_BYTES};

/// What the name of a journal ends in.
pub(super) const SUFFIX: &str = ".haul-names";

/// The records of a journal, behind its header.
pub(super) struct Records<'a, R> {
    pub(super) source: R,
    pub(super) key: &'a PayloadKey,
    pub(super) next: u64,
}

impl<R: Read> Records<'_, R> {
    /// The text of the next record; `None` at the end of the journal, and at a record that was cut or changed.
    pub(super) fn next_text(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        if !read_whole(&mut self.source, &mut length)? {
            return Ok(None);
        }
        let sealed_bytes = u32::from_le_bytes(length) as usize;
        let is_possible = (TAG_BYTES..=SEALED_CHUNK_BYTES).contains(&sealed_bytes);
        let mut sealed = vec![0; if is_possible { sealed_bytes } else { 0 }];
        if !is_possible || !read_whole(&mut self.source, &mut sealed)? {
            return Ok(None);
        }
        let mut text = vec![0; sealed_bytes - TAG_BYTES];
        if self.key.open_chunk(self.next, false, &sealed, &mut text).is_err() {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(text))
    }

    /// The text of all records.
    pub(super) fn text(self) -> impl Read + Send
    where
        R: Send,
    {
        Text { records: self, text: io::Cursor::default() }
    }
}

/// The text of all records, as a stream.
struct Text<'a, R> {
    records: Records<'a, R>,
    text: io::Cursor<Vec<u8>>,
}

impl<R: Read> Read for Text<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.text.read(out)?;
            if count > 0 || out.is_empty() {
                return Ok(count);
            }
            match self.records.next_text()? {
                Some(text) => self.text = io::Cursor::new(text),
                None => return Ok(0),
            }
        }
    }
}

/// Fills `out`. Returns false if the source ends before that.
fn read_whole(source: &mut impl Read, out: &mut [u8]) -> io::Result<bool> {
    match source.read_exact(out) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
