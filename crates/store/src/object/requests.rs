//! Requests for whole objects: HeadObject, GetObject, PutObject, DeleteObject.
//!
//! Owns: their fields, their answers.
//! Does not own: repetition (`call::send`).

use haul_fetch::{BodyReader, HeaderMap, Method};

use crate::Error;
use crate::access::address::Object;
use crate::call::body::Content;
use crate::call::send::{Answered, Call, Failure};
use crate::call::store::Store;
use crate::object::options::Existing;
use crate::refusal::Kind;

/// The field that tells this run's object from another's after an answer was lost.
pub(crate) const TOKEN: &str = "x-amz-meta-haul-upload";
pub(crate) const CRC: &str = "x-amz-checksum-crc64nvme";
const METADATA: &str = "x-amz-meta-";
/// What a store keeps with an object besides [`METADATA`].
const KEPT: [&str; 10] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];
const MODIFIED: &str = "x-amz-meta-mtime";
const CONTENT_BYTES: &str = "x-amz-meta-haul-content-bytes";

/// What a store says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Length in bytes.
    pub bytes: u64,
    /// The version, with its quotation marks.
    pub etag: String,
    /// The CRC64NVME of the whole object in base 64, if the store knows it.
    pub checksum: Option<String>,
    /// The time of last modification of what it was made from, in seconds since the epoch, if its metadata tell.
    pub modified: Option<i64>,
    /// Nanoseconds beyond [`Stat::modified`]; 0 where the metadata have whole seconds.
    pub modified_nanos: u32,
    /// The length of the content that it holds in another form, if its metadata tell.
    pub content_bytes: Option<u64>,
    /// What else the store keeps with the object: its type and encoding, its class of storage, the metadata of its
    /// owner. By lower-case names; what is in the other members isn't left out.
    pub fields: Vec<(String, String)>,
    pub(crate) token: Option<String>,
}

/// The metadata of an object that is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) token: &'a str,
    pub(crate) modified: Option<i64>,
    pub(crate) modified_nanos: u32,
    pub(crate) content_bytes: Option<u64>,
    pub(crate) fields: &'a [(String, String)],
}

impl About<'_> {
    /// `call` with the metadata.
    pub(crate) fn of_call<'c>(&self, call: Call<'c>) -> Call<'c> {
        let is_given = |name: &str| {
            (name == MODIFIED && self.modified.is_some())
                || (name == CONTENT_BYTES && self.content_bytes.is_some())
        };
        let kept = self.fields.iter().filter(|(name, _)| !is_given(name));
        let mut call = kept.fold(call, |call, (name, value)| call.field(name.clone(), value));
        call = call.field(TOKEN, self.token);
        if let Some(modified) = self.modified {
            let fraction = match self.modified_nanos {
                0 => String::new(),
                nanos => format!(".{nanos:09}"),
            };
            call = call.field(MODIFIED, format!("{modified}{fraction}"));
        }
        if let Some(bytes) = self.content_bytes {
            call = call.field(CONTENT_BYTES, bytes.to_string());
        }
        call
    }
}

/// How an object is published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publishing<'a> {
    pub(crate) existing: &'a Existing,
    pub(crate) token: &'a str,
    /// Length and CRC64NVME of the whole object.
    pub(crate) bytes: u64,
    pub(crate) crc: &'a str,
}

impl Publishing<'_> {
    /// `call` with the condition.
    pub(crate) fn of_call<'c>(&self, call: Call<'c>) -> Call<'c> {
        match self.existing {
            Existing::Keep => call.field("if-none-match", "*"),
            Existing::Replace => call,
            Existing::ReplaceVersion(etag) => call.field("if-match", etag),
        }
    }
}

impl Store {
    /// HeadObject: what the store says of `object`; none if there is no such object.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn stat(&self, object: &Object) -> Result<Option<Stat>, Error> {
        let call =
            Call::new(Method::HEAD, object.bucket(), object.key()).field("x-amz-checksum-mode", "ENABLED");
        let mut answer = self.call(&call).map_err(Error::from);
        // The answer to HEAD has no body, and so no code. That to GET has: what it tells to correct is then correct.
        if let Err(Error::Refused(refusal)) = &answer
            && refusal.code.is_empty()
            && matches!(refusal.status, 400 | 403)
        {
            let why = Call::new(Method::GET, object.bucket(), object.key()).field("range", "bytes=0-0");
            match self.stream(&why).map_err(Error::from) {
                Ok(_) => answer = self.call(&call).map_err(Error::from),
                // An empty object.
                Err(Error::Refused(refusal)) if refusal.kind == Kind::Range => {
                    answer = self.call(&call).map_err(Error::from);
                }
                Err(error) => answer = Err(error),
            }
        }
        match answer {
            Ok(response) => {
                let bytes = haul_http1::content_length(&response.headers).ok().flatten();
                let bytes = bytes.ok_or(Error::Answer { reason: "an object without a length" })?;
                let (etag, token) = (etag(&response.headers)?, text(&response.headers, TOKEN));
                let checksum = whole_checksum(&response.headers);
                let modified = text(&response.headers, MODIFIED).and_then(|text| time(&text));
                let (modified, modified_nanos) = modified.map_or((None, 0), |(at, nanos)| (Some(at), nanos));
                let content_bytes = text(&response.headers, CONTENT_BYTES).and_then(|text| text.parse().ok());
                let fields = kept_fields(&response.headers);
                Ok(Some(Stat {
                    bytes,
                    etag,
                    checksum,
                    modified,
                    modified_nanos,
                    content_bytes,
                    fields,
                    token,
                }))
            }
            Err(Error::Refused(refusal)) if refusal.kind == Kind::NoObject => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// DeleteObject. An object that doesn't exist is no error.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn remove(&self, object: &Object) -> Result<(), Error> {
        match self.call(&Call::new(Method::DELETE, object.bucket(), object.key())).map_err(Error::from) {
            Err(Error::Refused(refusal)) if refusal.kind == Kind::NoObject => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// GetObject: the bytes from `first` to `last`, both included, of the version `etag`.
    pub(crate) fn get(
        &self,
        object: &Object,
        etag: &str,
        first: u64,
        last: u64,
    ) -> Result<Answered<BodyReader>, Failure> {
        let call = Call::new(Method::GET, object.bucket(), object.key())
            .field("if-match", etag)
            .field("range", format!("bytes={first}-{last}"));
        self.stream(&call)
    }

    /// PutObject. Returns the ETag.
    pub(crate) fn put(
        &self,
        object: &Object,
        content: &Content,
        how: Publishing<'_>,
        about: &About<'_>,
    ) -> Result<String, Error> {
        let call = Call::new(Method::PUT, object.bucket(), object.key())
            .field(CRC, content.crc.clone())
            .field("x-amz-sdk-checksum-algorithm", "CRC64NVME")
            .content(content.clone());
        let call = how.of_call(about.of_call(call));
        match self.call(&call) {
            Ok(response) => {
                compare(&content.crc, text(&response.headers, CRC).as_deref())?;
                etag(&response.headers)
            }
            Err(failure) => self.published_unseen(object, failure, how),
        }
    }

    /// The ETag of `object` if the request that failed has published it nevertheless: its answer was lost, and when it
    /// was repeated, the object existed. It is known again by its token, or by its bytes if
    /// another run began the upload.
    pub(crate) fn published_unseen(
        &self,
        object: &Object,
        failure: Failure,
        how: Publishing<'_>,
    ) -> Result<String, Error> {
        let kind = match &failure.error {
            Error::Refused(refusal) => Some(refusal.kind),
            _ => None,
        };
        let is_about_state = matches!(kind, Some(Kind::Condition | Kind::NoUpload));
        // The token is known to this writer alone. It decides even if no failure was seen: the client below repeats a
        // request by itself when a connection that was idle turns out to be closed.
        let is_ours = |stat: &Stat| {
            stat.token.as_deref() == Some(how.token)
                || (failure.is_uncertain
                    && stat.bytes == how.bytes
                    && stat.checksum.as_deref() == Some(how.crc))
        };
        if is_about_state
            && let Some(stat) = self.stat(object)?
            && is_ours(&stat)
        {
            return Ok(stat.etag);
        }
        Err(match (how.existing, kind) {
            (Existing::ReplaceVersion(_), Some(Kind::Condition | Kind::NoObject)) => Error::Changed,
            (_, Some(Kind::Condition)) => Error::Exists,
            _ => failure.error,
        })
    }
}

/// Seconds and nanoseconds in `text`, which has a fraction of up to nine digits, as rclone writes it, or none.
fn time(text: &str) -> Option<(i64, u32)> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.get(..9).unwrap_or(fraction);
    let nanos = format!("{digits:0<9}").parse().ok()?;
    Some((seconds.parse().ok()?, nanos))
}

/// The fields of an answer that belong to the object, and that a request that writes one can have.
fn kept_fields(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let kept =
        kept.filter(|&(name, _)| (name.starts_with(METADATA) && name != TOKEN) || KEPT.contains(&name));
    kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The ETag of an answer.
pub(crate) fn etag(headers: &HeaderMap) -> Result<String, Error> {
    text(headers, "etag")
        .filter(|etag| !etag.is_empty())
        .ok_or(Error::Answer { reason: "an object without an ETag" })
}

/// The value of a field, if it is text.
pub(crate) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.trim().to_owned())
}

/// The checksum of the bytes as one: a checksum of checksums has the number of parts after a hyphen.
fn whole_checksum(headers: &HeaderMap) -> Option<String> {
    let is_composite = text(headers, "x-amz-checksum-type").is_some_and(|kind| kind == "COMPOSITE");
    text(headers, CRC).filter(|crc| !is_composite && !crc.contains('-'))
}

/// Compares a checksum with what the store has computed, if it tells.
pub(crate) fn compare(expected: &str, found: Option<&str>) -> Result<(), Error> {
    match found {
        Some(found) if found != expected => {
            Err(Error::Checksum { expected: expected.to_owned(), found: found.chars().take(64).collect() })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_up_to_nine_digits_of_a_fraction() {
        for (text, expected) in [
            ("7", Some((7, 0))),
            ("-7.5", Some((-7, 500_000_000))),
            ("1700000000.123456789", Some((1_700_000_000, 123_456_789))),
            ("7.1234567891", Some((7, 123_456_789))),
            ("7.", Some((7, 0))),
            ("7.x", None),
            ("", None),
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
    }
}
