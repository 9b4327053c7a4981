//! Which conditions a store honours: some ignore them silently, and replace what they should not.
//!
//! Owns: the probe.
//! Does not own: what is done without a condition.

use std::fmt;

use crate::Error;
use crate::access::address::{Bucket, Object};
use crate::call::body::Content;
use crate::call::store::Store;
use crate::object::multipart::Target;
use crate::object::options::Existing;
use crate::object::requests::{About, Publishing};
use crate::refusal::Kind;

/// A version that no object has.
const ABSENT: &str = "\"00000000000000000000000000000000\"";

/// Which conditions a store honours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// `If-None-Match: *` for objects that are sent at once.
    pub put: bool,
    /// `If-None-Match: *` for uploads in parts.
    pub complete: bool,
    /// `If-Match` for reading.
    pub read: bool,
    /// `If-Match` for objects that are sent at once.
    pub replace: bool,
}

impl Conditions {
    /// Whether all are honoured on which publishing and reading rest. [`Conditions::replace`] isn't among them.
    pub fn all(&self) -> bool {
        self.put && self.complete && self.read
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ignored: Vec<&str> = [
            (self.put, "If-None-Match when an object is written"),
            (self.complete, "If-None-Match when an upload is completed"),
            (self.read, "If-Match when an object is read"),
        ]
        .into_iter()
        .filter_map(|(is_honoured, name)| (!is_honoured).then_some(name))
        .collect();
        if ignored.is_empty() {
            return f.write_str("the store honours all conditions");
        }
        write!(
            f,
            "the store ignores {}: runs at the same time may replace each other's objects",
            ignored.join(", ")
        )
    }
}

impl Store {
    /// Finds which conditions the store honours, by an object of a fresh key below `bucket`'s prefix, which is removed
    /// afterwards. Nine short requests; once for a store is enough.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn probe(&self, bucket: &Bucket) -> Result<Conditions, Error> {
        let object = bucket.object(&format!(".haul-probe-{}", self.token()))?;
        let found = self.probe_with(&object);
        let removed = self.remove(&object);
        let found = found?;
        removed.map(|()| found)
    }

    fn probe_with(&self, object: &Object) -> Result<Conditions, Error> {
        let content = || Content::new(b"haul".to_vec(), !self.endpoint().is_tls());
        let crc = content().crc;
        let publish = |token, existing| Publishing { existing, token, bytes: 4, crc: &crc };
        let about =
            |token| About { token, modified: None, modified_nanos: 0, content_bytes: None, fields: &[] };
        let put = |token, existing| self.put(object, &content(), publish(token, existing), &about(token));
        put("first", &Existing::Replace)?;
        let absent = Existing::ReplaceVersion(ABSENT.to_owned());
        let replace = refused(put("second", &absent))?;
        let put = refused(put("third", &Existing::Keep))?;
        let id = self.create_upload(object, &about("fourth"))?;
        let upload = Target { object, id: &id };
        let complete = self.upload_part(upload, 1, &content()).and_then(|part| {
            refused(self.complete_upload(upload, &[part], &crc, publish("fourth", &Existing::Keep)))
        });
        let aborted = self.abort_upload(upload);
        let complete = complete?;
        aborted?;
        let read = match self.get(object, ABSENT, 0, 0) {
            Ok(_) => false,
            Err(failure) => match failure.error {
                Error::Refused(refusal) if refusal.kind == Kind::Condition => true,
                error => return Err(error),
            },
        };
        Ok(Conditions { put, complete, read, replace })
    }
}

/// Whether a request was refused for its condition.
fn refused(result: Result<String, Error>) -> Result<bool, Error> {
    match result {
        Ok(_) => Ok(false),
        Err(Error::Exists | Error::Changed) => Ok(true),
        Err(error) => Err(error),
    }
}
