//! Validators: whether two responses are of the same representation.
//!
//! Owns: which validators are strong, comparing them, their text in a record on disk.
//! Does not own: what follows from a difference ([`crate::kept::resume`]).
//!
//! Source: RFC 9110, sections 8.8.1 to 8.8.3 (strong validators, Last-Modified, ETag) and 13.1.5 (If-Range).

use std::time::{Duration, UNIX_EPOCH};

use http::header::{DATE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};

use crate::kept::record::pair;

/// The validators of one representation. Invariant: at least one of them is strong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validators {
    /// A strong entity tag.
    etag: Option<HeaderValue>,
    /// Last-Modified; a strong validator if there is no entity tag.
    modified: Option<HeaderValue>,
    /// Length of the whole in bytes, if known.
    pub(crate) total: Option<u64>,
}

/// How much older than the response a modification date must be to be strong: a file may change twice within this time.
const DATE_MARGIN: Duration = Duration::from_secs(60);

impl Validators {
    /// The validators of a response, whose whole has `total` bytes if known; `None` if none is strong.
    pub(crate) fn of(headers: &HeaderMap, total: Option<u64>) -> Option<Self> {
        let modified = headers.get(LAST_MODIFIED).cloned();
        match headers.get(ETAG) {
            Some(etag) if is_strong(etag) => Some(Self { etag: Some(etag.clone()), modified, total }),
            // RFC 9110 section 13.1.5: if there is a weak tag, the date must not be used.
            Some(_) => None,
            None if is_settled(headers) => Some(Self { etag: None, modified, total }),
            None => None,
        }
    }

    /// The value of If-Range.
    pub(crate) fn if_range(&self) -> &HeaderValue {
        self.etag.as_ref().or(self.modified.as_ref()).expect("one of them is strong")
    }

    /// Last-Modified in seconds since the epoch, from the first response: responses with parts may omit it (RFC 9110,
    /// section 15.3.7).
    pub(crate) fn modified_seconds(&self) -> Option<i64> {
        seconds(self.modified.as_ref()?)
    }

    /// Whether `other` is of the same representation. Different entity tags don't rule that out, as some CDNs give each
    /// response its own; the date and the length must then agree.
    pub(crate) fn same(&self, other: &Self) -> bool {
        if self.total.zip(other.total).is_some_and(|(one, other)| one != other) {
            return false;
        }
        let dates_agree = self.modified.is_some() && self.modified == other.modified;
        match (&self.etag, &other.etag) {
            (Some(one), Some(other)) if one == other => true,
            (Some(_), Some(_)) => dates_agree && self.total.is_some() && self.total == other.total,
            (None, None) => dates_agree,
            _ => false,
        }
    }

    /// Whether the validators of a response disprove that it continues the same representation.
    pub(crate) fn contradicted_by(&self, headers: &HeaderMap, total: Option<u64>) -> bool {
        Self::of(headers, total).is_some_and(|other| !self.same(&other))
    }

    /// Appends the validators as lines of text.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let total = self.total.map(|total| HeaderValue::from(total).as_bytes().to_vec());
        let etag = self.etag.as_ref().map(|value| value.as_bytes().to_vec());
        let modified = self.modified.as_ref().map(|value| value.as_bytes().to_vec());
        for (name, value) in [("etag", etag), ("last-modified", modified), ("total", total)] {
            if let Some(value) = value {
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b": ");
                out.extend_from_slice(&value);
                out.push(b'\n');
            }
        }
    }

    /// Parses the lines of [`Validators::write`]; `None` for anything else.
    pub(crate) fn read<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut read = Self { etag: None, modified: None, total: None };
        for line in lines {
            let (name, value) = pair(line)?;
            match name {
                b"etag" => read.etag = Some(HeaderValue::from_bytes(value).ok()?),
                b"last-modified" => read.modified = Some(HeaderValue::from_bytes(value).ok()?),
                b"total" => read.total = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
                _ => return None,
            }
        }
        let etag_is_strong = read.etag.as_ref().is_none_or(is_strong);
        let has_one = read.etag.is_some() || read.modified.is_some();
        (etag_is_strong && has_one).then_some(read)
    }
}

/// Last-Modified in seconds since the epoch.
pub(crate) fn last_modified(headers: &HeaderMap) -> Option<i64> {
    seconds(headers.get(LAST_MODIFIED)?)
}

fn seconds(date: &HeaderValue) -> Option<i64> {
    let since = httpdate::parse_http_date(date.to_str().ok()?).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// RFC 9110 section 8.8.3: a quoted string without the weakness prefix `W/`.
pub(crate) fn is_strong(etag: &HeaderValue) -> bool {
    let bytes = etag.as_bytes();
    bytes.len() > 2 && bytes.starts_with(b"\"") && bytes.ends_with(b"\"")
}

/// Whether Last-Modified is sufficiently older than Date (RFC 9110 section 8.8.2.2).
pub(crate) fn is_settled(headers: &HeaderMap) -> bool {
    let date = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
    let (Some(modified), Some(now)) = (date(LAST_MODIFIED), date(DATE)) else { return false };
    now.duration_since(modified).is_ok_and(|age| age >= DATE_MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: &str = "Mon, 07 Nov 1994 08:49:37 GMT";
    const SUNDAY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn headers(etag: &str, modified: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, MONDAY.parse().unwrap());
        for (name, value) in [(ETAG, etag), (LAST_MODIFIED, modified)] {
            if !value.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
        }
        headers
    }

    #[test]
    fn only_strong_validators_count() {
        for (etag, modified, if_range) in [
            ("\"a\"", "", Some("\"a\"")),
            ("\"a\"", SUNDAY, Some("\"a\"")),
            ("W/\"a\"", SUNDAY, None),
            ("\"\"", "", None),
            ("a", "", None),
            ("\"", "", None),
            ("", SUNDAY, Some(SUNDAY)),
            ("", MONDAY, None),
            ("", "Mon, 07 Nov 1994 08:48:38 GMT", None),
            ("", "Mon, 07 Nov 1994 08:48:37 GMT", Some("Mon, 07 Nov 1994 08:48:37 GMT")),
            ("", "yesterday", None),
            ("", "", None),
        ] {
            let validators = Validators::of(&headers(etag, modified), Some(5));
            let found = validators.as_ref().map(|one| one.if_range().to_str().unwrap());
            assert_eq!(found, if_range, "{etag} {modified}");
        }
    }

    #[test]
    fn the_same_bytes_have_a_strong_validator_in_common() {
        let of = |etag, modified, total| Validators::of(&headers(etag, modified), total).unwrap();
        let one = of("\"a\"", SUNDAY, Some(5));
        for (other, same) in [
            (of("\"a\"", SUNDAY, Some(5)), true),
            (of("\"a\"", "", None), true),
            (of("\"a\"", SUNDAY, Some(6)), false),
            (of("\"b\"", SUNDAY, Some(5)), true),
            (of("\"b\"", SUNDAY, None), false),
            (of("\"b\"", MONDAY, Some(5)), false),
            (of("\"b\"", "", Some(5)), false),
            (of("", SUNDAY, Some(5)), false),
        ] {
            assert_eq!(one.same(&other), same, "{other:?}");
            assert_eq!(other.same(&one), same, "{other:?}");
        }
        assert!(
            !one.contradicted_by(&HeaderMap::new(), Some(5)),
            "a response without validators disproves nothing"
        );
        assert!(one.contradicted_by(&headers("\"b\"", "",), Some(5)));
    }

    #[test]
    fn only_written_validators_are_parsed() {
        for (etag, modified, total) in
            [("\"a: b\"", SUNDAY, Some(5)), ("\"a\"", "", None), ("", SUNDAY, Some(u64::MAX))]
        {
            let validators = Validators::of(&headers(etag, modified), total).unwrap();
            let mut text = Vec::new();
            validators.write(&mut text);
            let lines = text.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
            assert_eq!(Validators::read(lines), Some(validators));
        }
        for text in ["", "etag: W/\"a\"", "total: 5", "etag \"a\"", "etag: \"a\"\ntotal: -1", "x: y"] {
            assert_eq!(Validators::read(text.lines().map(str::as_bytes)), None, "{text}");
        }
    }
}
