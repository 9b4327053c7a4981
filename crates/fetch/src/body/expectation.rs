//! What a body is expected to be: its length and digests, checked as it arrives.
//!
//! Owns: which digests apply to what: the whole, the content of one response, the content before it is decoded.
//! Does not own: hashing ([`crate::body::digest`]), the bytes.
//!
//! Source: RFC 9530, sections 2 (Content-Digest) and 3 (Repr-Digest).

use http::HeaderMap;

use crate::body::digest::{Check, Hasher};
use crate::{Algorithm, Checksum, Error};

/// What a body must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Checksums that it must match, all of them.
    pub checksums: Vec<Checksum>,
    /// Its length in bytes.
    pub size: Option<u64>,
    /// The algorithm of a hash to report in any case: see [`Fetched::hash`](crate::Fetched::hash).
    pub hash: Option<Algorithm>,
}

/// The digests that the content of one response must match.
#[derive(Default)]
pub(crate) struct ContentChecks(Vec<Check>);

/// The checks on a body that arrives in one or more responses.
pub(crate) struct Expectation {
    expected: Expected,
    /// Digests of the whole. Invariant: each has seen all bytes received so far; of a body that is encoded, those of
    /// encoded chunks.
    whole: Vec<Check>,
    /// Digests of the content of the current response.
    content: ContentChecks,
    /// Whether that content is decoded before it is received: its digests are then those of the encoded bytes.
    is_decoded: bool,
    /// The hash to report.
    hash: Option<Hasher>,
}

impl ContentChecks {
    /// Replaces the checks by the one that `headers` announce, if any.
    pub(crate) fn expect(&mut self, headers: &HeaderMap) {
        self.0.clear();
        self.0.extend(Checksum::of_field(headers, "content-digest").map(Check::new));
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|check| check.update(bytes));
    }

    /// Drops the checks: the content will not be received to its end.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Ends the content.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        std::mem::take(&mut self.0).into_iter().try_for_each(Check::finish)
    }
}

impl Expectation {
    pub(crate) fn new(expected: Expected) -> Self {
        let content = ContentChecks::default();
        let mut expectation = Self { expected, whole: Vec::new(), content, is_decoded: false, hash: None };
        expectation.restart();
        expectation
    }

    /// Begins again: no byte has been received.
    pub(crate) fn restart(&mut self) {
        self.content.clear();
        self.whole = self.expected.checksums.iter().cloned().map(Check::new).collect();
        self.hash = self.expected.hash.map(Hasher::new);
    }

    /// The next response is of the whole representation; its headers may announce the digest of that.
    pub(crate) fn expect_whole(&mut self, headers: &HeaderMap) {
        self.whole.extend(representation_checks(headers));
    }

    /// Content with these headers comes next.
    pub(crate) fn expect_content(&mut self, headers: &HeaderMap) {
        self.content.expect(headers);
        self.is_decoded = false;
    }

    /// The content that comes next is decoded before it is received. RFC 9530 section 3: the digest of the
    /// representation is that of the encoded bytes.
    pub(crate) fn expect_decoded(&mut self, headers: &HeaderMap) {
        self.content.0.extend(representation_checks(headers));
        self.is_decoded = true;
    }

    /// The content that comes next is the whole, received in parts: its digests become those of the whole.
    pub(crate) fn expect_parts(&mut self) {
        self.whole.append(&mut self.content.0);
    }

    /// Whether the user said what the whole hashes to.
    pub(crate) fn has_checksum(&self) -> bool {
        !self.expected.checksums.is_empty()
    }

    /// Whether the whole must be hashed at all.
    pub(crate) fn needs_hashing(&self) -> bool {
        !self.whole.is_empty() || self.hash.is_some()
    }

    /// Whether the bytes of the current response are hashed.
    pub(crate) fn hashes(&self) -> bool {
        self.needs_hashing() || !self.content.0.is_empty()
    }

    /// The next bytes received.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.update_content(bytes);
        self.update_whole(bytes);
    }

    /// The next bytes of the whole, whose content was received before.
    pub(crate) fn update_whole(&mut self, bytes: &[u8]) {
        self.whole.iter_mut().for_each(|check| check.update(bytes));
        self.hash.iter_mut().for_each(|hasher| hasher.update(bytes));
    }

    /// The next bytes of the content of a response, which may be dropped again before they count for the whole.
    pub(crate) fn update_content(&mut self, bytes: &[u8]) {
        if !self.is_decoded {
            self.content.update(bytes);
        }
    }

    /// The next bytes of content, before they are decoded.
    pub(crate) fn update_encoded(&mut self, bytes: &[u8]) {
        self.content.update(bytes);
    }

    /// Drops the checks on the content of the current response, which ended early.
    pub(crate) fn drop_content(&mut self) {
        self.content.clear();
    }

    /// Checks the content of the current response, which ended.
    pub(crate) fn end_content(&mut self) -> Result<(), Error> {
        self.content.finish()
    }

    /// Checks the length of the whole.
    pub(crate) fn check_size(&self, found: u64) -> Result<(), Error> {
        match self.expected.size {
            Some(expected) if expected != found => Err(Error::Size { expected, found }),
            _ => Ok(()),
        }
    }

    /// Checks the whole, of which all `bytes` have been received. Returns the hash to report.
    pub(crate) fn finish(&mut self, bytes: u64) -> Result<Option<Checksum>, Error> {
        self.check_size(bytes)?;
        std::mem::take(&mut self.whole).into_iter().try_for_each(Check::finish)?;
        Ok(self.hash.take().map(Hasher::finish))
    }
}

/// The digests of the representation that a response announces.
fn representation_checks(headers: &HeaderMap) -> impl Iterator<Item = Check> {
    let announced = ["repr-digest", "digest"].map(|name| Checksum::of_field(headers, name));
    announced.into_iter().flatten().map(Check::new)
}
