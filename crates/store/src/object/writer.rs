//! Writing an object: short ones at once, longer ones in parts, and published whole.
//!
//! Owns: cutting bytes into parts, the checksum of the whole, continuing an earlier upload, aborting.
//! Does not own: sending parts ([`super::parts`]).

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::access::address::Object;
use crate::call::body::{Content, Crc};
use crate::call::store::Store;
use crate::object::multipart::{Part, Target};
use crate::object::parts::Parts;
use crate::object::requests::Publishing;
use crate::{Error, Kind};

/// Parts are whole numbers of chunks.
const CHUNK_BYTES: u64 = 64 << 10;
/// Other parts than the last must not be shorter.
const PART_BYTES_MIN: u64 = 5 << 20;
const PARTS_MAX: u32 = 10_000;

/// How an object is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterOptions {
    /// Bytes of a part, made a multiple of 64 KiB and at least 5 MiB. Defaults to 16 MiB, which allows for objects of
    /// 156 GiB.
    pub part_bytes: u64,
    /// Parts that are sent at the same time. Memory: one more part than that, and a copy of each while it is handed
    /// over. Defaults to 4.
    pub parts_in_flight_max: usize,
    /// The length of the object, if it is known: parts are then large enough for it. Defaults to none.
    pub bytes: Option<u64>,
    /// Whether to replace an object of the same key. Defaults to false: publishing is then on the condition that there
    /// is none.
    pub replace: bool,
    /// Whether to continue the latest upload to the same key: a part that the store has already, with the same length
    /// and checksum, isn't sent again; any other is. Other uploads to this key are aborted. Only for keys that nobody
    /// else writes. Defaults to false.
    pub resume: bool,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { part_bytes: 16 << 20, parts_in_flight_max: 4, bytes: None, replace: false, resume: false }
    }
}

impl WriterOptions {
    /// The bytes of each part but the last.
    fn part_bytes(&self) -> usize {
        let needed = self.bytes.unwrap_or(0).div_ceil(u64::from(PARTS_MAX));
        let bytes = self.part_bytes.max(needed).max(PART_BYTES_MIN).next_multiple_of(CHUNK_BYTES);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

/// A published object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Length in bytes.
    pub bytes: u64,
    /// The version, with its quotation marks.
    pub etag: String,
    /// The CRC64NVME of the object in base 64, which the store has compared if it knows that checksum.
    pub checksum: String,
}

/// An object that is being written. It becomes visible by [`ObjectWriter::finish`]; dropped earlier, nothing is left of
/// it.
#[must_use]
pub struct ObjectWriter {
    store: Store,
    object: Object,
    options: WriterOptions,
    part_bytes: usize,
    buffer: Vec<u8>,
    crc: Crc,
    bytes: u64,
    /// The number of the last part that was sent.
    number: u32,
    token: String,
    /// Set as soon as there is more than one part.
    upload: Option<Parts>,
    has_failed: bool,
}

impl Store {
    /// A writer for `object`. Nothing is sent yet.
    pub fn writer(&self, object: &Object, options: WriterOptions) -> ObjectWriter {
        ObjectWriter {
            store: self.clone(),
            object: object.clone(),
            part_bytes: options.part_bytes(),
            options,
            buffer: Vec::new(),
            crc: Crc::default(),
            bytes: 0,
            number: 0,
            token: self.token(),
            upload: None,
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
        let checksum = self.crc.text();
        let etag = if self.upload.is_some() {
            if !self.buffer.is_empty() {
                self.send_part()?;
            }
            self.complete(&checksum)?
        } else {
            self.refuse_existing()?;
            let content = Content::new(std::mem::take(&mut self.buffer), !self.store.endpoint().is_tls());
            self.store.put(&self.object, &content, self.publishing(&checksum))?
        };
        Ok(Published { bytes: self.bytes, etag, checksum })
    }

    fn complete(&mut self, checksum: &str) -> Result<String, Error> {
        let Some(mut upload) = self.upload.take() else { return Err(failed_before()) };
        let completed = upload.join().and_then(|parts| {
            let target = Target { object: &self.object, id: &upload.id };
            self.store.complete_upload(target, &parts, checksum, self.publishing(checksum))
        });
        if completed.is_err() {
            self.abort(upload);
        }
        completed
    }

    fn publishing<'a>(&'a self, checksum: &'a str) -> Publishing<'a> {
        Publishing { replace: self.options.replace, token: &self.token, bytes: self.bytes, crc: checksum }
    }

    fn write_some(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        if self.has_failed {
            return Err(failed_before());
        }
        if self.buffer.len() >= self.part_bytes && !bytes.is_empty() {
            self.send_part()?;
        }
        let count = bytes.len().min(self.part_bytes - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        self.crc.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn send_part(&mut self) -> Result<(), Error> {
        self.has_failed = true;
        self.number += 1;
        if self.number > PARTS_MAX {
            return Err(Error::TooManyParts);
        }
        if self.upload.is_none() {
            self.upload = Some(self.begin()?);
        }
        let bytes = std::mem::take(&mut self.buffer);
        if let Some(upload) = &mut self.upload {
            upload.send(self.number, bytes)?;
        }
        self.has_failed = false;
        Ok(())
    }

    /// Fails if there is an object that isn't to be replaced, as far as the keys allow to see. The request that
    /// publishes the object has the same condition, but not all stores know it.
    fn refuse_existing(&self) -> Result<(), Error> {
        if self.options.replace {
            return Ok(());
        }
        match self.store.stat(&self.object) {
            Err(Error::Refused(refusal)) if refusal.kind == Kind::Denied => Ok(()),
            found => {
                if found?.is_some() {
                    Err(Error::Exists)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Begins an upload, or continues one.
    fn begin(&self) -> Result<Parts, Error> {
        // Found at the end as well, but then everything has been sent.
        self.refuse_existing()?;
        let mut known = BTreeMap::new();
        let mut found = None;
        if self.options.resume {
            for upload in self.store.uploads_to(&self.object)? {
                let target = Target { object: &self.object, id: &upload.id };
                if found.is_some() {
                    self.store.abort_upload(target)?;
                } else {
                    known = self.parts_of(target)?;
                    found = Some(upload.id);
                }
            }
        }
        let id = match found {
            Some(id) => id,
            None => self.store.create_upload(&self.object, &self.token)?,
        };
        Parts::start(&self.store, &self.object, id, self.options.parts_in_flight_max, known)
    }

    fn parts_of(&self, upload: Target<'_>) -> Result<BTreeMap<u32, Part>, Error> {
        let mut parts = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = self.store.list_parts(upload, after)?;
            parts.extend(page.items.into_iter().map(|part| (part.number, part)));
            match page.next {
                Some(next) => after = next,
                None => return Ok(parts),
            }
        }
    }

    fn abort(&self, mut upload: Parts) {
        upload.settle();
        // An upload that can't be aborted is swept later.
        let _ = self.store.abort_upload(Target { object: &upload.object, id: &upload.id });
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

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            self.abort(upload);
        }
    }
}

impl std::fmt::Debug for ObjectWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectWriter")
            .field("object", &self.object)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

fn failed_before() -> Error {
    Error::Local(io::Error::other("the upload failed before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_documented_ones() {
        let WriterOptions { part_bytes, parts_in_flight_max, bytes, replace, resume } =
            WriterOptions::default();
        assert_eq!((part_bytes, parts_in_flight_max, bytes), (16 << 20, 4, None));
        assert!(!replace && !resume);
    }

    #[test]
    fn parts_are_whole_chunks_and_enough() {
        for (part_bytes, bytes, expected) in [
            (1, None, 5 << 20),
            ((16 << 20) + 1, None, (16 << 20) + (64 << 10)),
            (16 << 20, Some(100), 16 << 20),
            (16 << 20, Some(5 << 40), 549_781_504),
        ] {
            let options = WriterOptions { part_bytes, bytes, ..WriterOptions::default() };
            assert_eq!(options.part_bytes(), expected);
            assert!(bytes.is_none_or(|bytes| bytes.div_ceil(options.part_bytes() as u64) <= 10_000));
        }
    }
}
