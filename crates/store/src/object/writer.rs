//! Writing an object from its beginning to its end: short ones at once, longer ones in parts.
//!
//! Owns: cutting bytes into parts.
//! Does not own: the parts of an object ([`super::assembly`]), sending them in parallel ([`super::parts`]).

use std::io::{self, Write};

use crate::Error;
use crate::access::address::Object;
use crate::call::store::Store;
use crate::object::options::{Published, WriterOptions};
use crate::object::parts::Parts;

/// An object that is being written. It becomes visible by [`ObjectWriter::finish`]; dropped earlier, nothing is left of
/// it.
#[must_use]
pub struct ObjectWriter {
    parts: Parts,
    part_bytes: usize,
    buffer: Vec<u8>,
    bytes: u64,
    has_failed: bool,
}

impl Store {
    /// A writer for `object`. Nothing is sent yet.
    pub fn writer(&self, object: &Object, options: WriterOptions) -> ObjectWriter {
        ObjectWriter {
            part_bytes: options.actual_part_bytes(),
            parts: Parts::new(options.parts_in_flight_max, self.assembly(object, options)),
            buffer: Vec::new(),
            bytes: 0,
            has_failed: false,
        }
    }
}

impl ObjectWriter {
    /// Sends what is left, and publishes the object.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is an object of this key that isn't to be replaced. After any error nothing is left
    /// of the object, except where the store can't be reached: [`Store::sweep`] then removes its parts later.
    pub fn finish(mut self) -> Result<Published, Error> {
        if self.has_failed {
            return Err(failed_before());
        }
        let rest = std::mem::take(&mut self.buffer);
        if !self.parts.has_begun() {
            return self.parts.assembly().publish_at_once(rest);
        }
        if !rest.is_empty() {
            self.parts.send(rest)?;
        }
        self.parts.join()?;
        self.parts.assembly().publish()
    }

    fn write_some(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        if self.has_failed {
            return Err(failed_before());
        }
        if self.buffer.len() >= self.part_bytes && !bytes.is_empty() {
            self.has_failed = true;
            self.parts.send(std::mem::take(&mut self.buffer))?;
            self.has_failed = false;
        }
        let count = bytes.len().min(self.part_bytes - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.write_some(bytes)?)
    }

    /// Does nothing: parts are sent when they are complete.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl std::fmt::Debug for ObjectWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectWriter")
            .field("object", self.parts.assembly().object())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

fn failed_before() -> Error {
    Error::Local(io::Error::other("the upload failed before"))
}
