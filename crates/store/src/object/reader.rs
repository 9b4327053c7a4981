//! Reading an object at any position.
//!
//! Every request names the version that was found at the beginning, so that bytes of two versions are never mixed.
//!
//! Owns: the position, the length of requests, repetition in the middle of a body.
//! Does not own: repetition before a body begins (`call::send`).

use std::io::{self, Read, Seek, SeekFrom};

use haul_fetch::{BodyReader, StatusCode};

use crate::Error;
use crate::access::address::Object;
use crate::call::store::Store;
use crate::object::requests::Stat;
use crate::refusal::Kind;

/// The first request after a seek asks for this much; each that follows in sequence for twice as much.
const WINDOW_BYTES_MIN: u64 = 256 << 10;
const WINDOW_BYTES_MAX: u64 = 64 << 20;
/// A seek this far ahead reads on instead.
const SKIP_BYTES_MAX: u64 = 128 << 10;

/// An object that is read. Memory: one piece of at most 128 KiB.
///
/// Errors have [`Error`] as their inner error: [`Error::Changed`] if the object was replaced meanwhile.
pub struct ObjectReader {
    store: Store,
    object: Object,
    stat: Stat,
    position: u64,
    body: Option<Body>,
    window: u64,
}

/// The answer that is being read.
struct Body {
    reader: BodyReader,
    /// The position of its next byte.
    position: u64,
    /// The position behind its last byte.
    end: u64,
}

impl Store {
    /// A reader for `object`, at its beginning; none if there is no such object.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn reader(&self, object: &Object) -> Result<Option<ObjectReader>, Error> {
        let reader = |stat| {
            let (store, object) = (self.clone(), object.clone());
            ObjectReader { store, object, stat, position: 0, body: None, window: WINDOW_BYTES_MIN }
        };
        Ok(self.stat(object)?.map(reader))
    }
}

impl ObjectReader {
    /// What the store said of the object.
    pub fn stat(&self) -> &Stat {
        &self.stat
    }

    /// The answer that has the byte at the position next.
    fn body(&mut self) -> Result<&mut Body, Error> {
        if let Some(body) =
            self.body.take_if(|body| body.position != self.position || body.position >= body.end)
        {
            let is_sequel = body.position == self.position;
            self.window = if is_sequel { (self.window * 2).min(WINDOW_BYTES_MAX) } else { WINDOW_BYTES_MIN };
        }
        let body = match self.body.take() {
            Some(body) => body,
            None => self.request()?,
        };
        Ok(self.body.insert(body))
    }

    fn request(&self) -> Result<Body, Error> {
        let end = self.position.saturating_add(self.window).min(self.stat.bytes);
        let answered = match self.store.get(&self.object, &self.stat.etag, self.position, end - 1) {
            Ok(answered) => answered,
            Err(failure) => {
                return Err(match failure.error {
                    Error::Refused(refusal) if matches!(refusal.kind, Kind::Condition | Kind::NoObject) => {
                        Error::Changed
                    }
                    error => error,
                });
            }
        };
        let headers = &answered.response.headers;
        // A store that ignores the condition may still tell that it has another version.
        if crate::object::requests::etag(headers)? != self.stat.etag {
            return Err(Error::Changed);
        }
        let whole = (0, self.stat.bytes);
        let covered = if answered.response.status == StatusCode::OK { whole } else { self.covered(headers)? };
        if covered != (self.position, end) {
            return Err(Error::Answer { reason: "another range than was asked for" });
        }
        Ok(Body { reader: answered.body, position: self.position, end })
    }

    /// The range of an answer, its end excluded.
    fn covered(&self, headers: &haul_fetch::HeaderMap) -> Result<(u64, u64), Error> {
        let malformed = || Error::Answer { reason: "a part without its range" };
        let range = super::requests::text(headers, "content-range").ok_or_else(malformed)?;
        let (bounds, total) =
            range.strip_prefix("bytes ").and_then(|range| range.split_once('/')).ok_or_else(malformed)?;
        let (first, last) = bounds.split_once('-').ok_or_else(malformed)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| malformed());
        if total != "*" && number(total)? != self.stat.bytes {
            return Err(Error::Changed);
        }
        Ok((number(first)?, number(last)?.checked_add(1).ok_or_else(malformed)?))
    }

    fn skip_to(&mut self, position: u64) -> io::Result<()> {
        while self.position < position {
            let mut piece = [0; 8 << 10];
            let rest = usize::try_from(position - self.position).unwrap_or(usize::MAX).min(piece.len());
            if self.read(&mut piece[..rest])? == 0 {
                break;
            }
        }
        Ok(())
    }
}

impl Read for ObjectReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() || self.position >= self.stat.bytes {
            return Ok(0);
        }
        let mut failures = 0;
        loop {
            let body = self.body()?;
            let rest = usize::try_from(body.end - body.position).unwrap_or(usize::MAX);
            let count = out.len().min(rest);
            let error = match body.reader.read(&mut out[..count]) {
                Ok(0) => Error::Answer { reason: "a body that ends early" },
                Ok(count) => {
                    body.position += count as u64;
                    self.position += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => Error::Local(error),
            };
            // What was read before stays good: the next answer begins behind it, in the same version.
            self.body = None;
            failures += 1;
            if failures > self.store.retries() {
                return Err(error.into());
            }
            self.store.pause(failures, None)?;
        }
    }
}

impl Seek for ObjectReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(distance) => self.stat.bytes.checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        let invalid =
            || io::Error::new(io::ErrorKind::InvalidInput, "a position before the object's beginning");
        let position = position.ok_or_else(invalid)?;
        let is_near = self.body.as_ref().is_some_and(|body| {
            (body.position..body.end.min(body.position.saturating_add(SKIP_BYTES_MAX))).contains(&position)
        });
        if is_near {
            self.skip_to(position)?;
        }
        self.position = position;
        Ok(position)
    }
}

impl std::fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectReader")
            .field("object", &self.object)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
