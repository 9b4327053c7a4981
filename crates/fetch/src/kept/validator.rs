//! Validators: whether two responses are of the same representation.
//!
//! Owns: which validators are strong, comparing them, their text in a record on disk.
//! Does not own: what follows from a difference ([`crate::kept::resume`]).
//!
//! Source: RFC 9110, sections 8.8.1 to 8.8.3 (strong validators, Last-Modified, ETag) and 13.1.5 (If-Range).

use std::time::{Duration, UNIX_EPOCH};

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};

use crate::kept::mark::{Mark, Salt};
use crate::kept::record::pair;

/// The validators of one representation. Invariant: at least one of them is strong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validators {
    /// A strong entity tag.
    etag: Option<HeaderValue>,
    /// Last-Modified; a strong validator if there is no entity tag.
    modified: Option<HeaderValue>,
    /// Whether that date is strong beside an entity tag, too: old enough to tell two versions apart.
    is_settled: bool,
    /// Length of the whole in bytes, if known.
    pub(crate) total: Option<u64>,
    /// The media type, without its parameters, in lower case.
    media_type: Option<String>,
    /// The content codings.
    coding: Option<String>,
    /// The origin that sent them, where that matters.
    origin: Option<Mark>,
}

/// How much older than the response a modification date must be to be strong: a file may change twice within this time.
const DATE_MARGIN: Duration = Duration::from_secs(60);

/// Why something isn't trusted to be another version.
pub(crate) const OTHER_TYPE: &str = "the server now sends another type of content, perhaps a login page";
/// The same.
pub(crate) const BARE: &str =
    "the server now sends something without ETag and Last-Modified, perhaps a login page";

impl Validators {
    /// The validators of a response, whose whole has `total` bytes if known; `None` if none is strong.
    pub(crate) fn of(headers: &HeaderMap, total: Option<u64>) -> Option<Self> {
        let etag = match headers.get(ETAG) {
            Some(etag) if is_strong(etag) => Some(etag.clone()),
            // RFC 9110 section 13.1.5: if there is a weak tag, the date must not be used.
            Some(_) => return None,
            None if is_settled(headers) => None,
            None => return None,
        };
        let (modified, is_settled) = (headers.get(LAST_MODIFIED).cloned(), is_settled(headers));
        let (media_type, coding) = (media_type(headers), coding(headers));
        Some(Self { etag, modified, is_settled, total, media_type, coding, origin: None })
    }

    /// The same, sent by `origin`.
    pub(crate) fn with_origin(self, origin: String) -> Self {
        Self { origin: Some(Mark::of(origin)), ..self }
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
    /// response its own; the length must then agree and the date, which must be a strong validator itself.
    pub(crate) fn same(&self, other: &Self) -> bool {
        if self.total.zip(other.total).is_some_and(|(one, other)| one != other) {
            return false;
        }
        let dates_agree = self.modified.is_some() && self.modified == other.modified;
        match (&self.etag, &other.etag) {
            (Some(one), Some(other)) if one == other => true,
            (Some(_), Some(_)) => {
                dates_agree && self.is_settled && self.total.is_some() && self.total == other.total
            }
            (None, None) => dates_agree,
            _ => false,
        }
    }

    /// Whether a response with a part of a whole of `total` bytes proves that it is of the same bytes, as far as its
    /// fields go: it has a strong validator in common with them (RFC 9110, section 15.3.7.3), and no other type or
    /// coding. Where it doesn't say the coding of what was received, it must at least say the same length.
    pub(crate) fn proven_by(&self, headers: &HeaderMap, total: Option<u64>) -> bool {
        if self.total.zip(total).is_some_and(|(one, other)| one != other) {
            return false;
        }
        let is_dated = self.modified.is_some() && self.modified.as_ref() == headers.get(LAST_MODIFIED);
        let is_same = match (&self.etag, headers.get(ETAG)) {
            (Some(one), Some(other)) if one == other => true,
            // See `same`.
            (Some(_), Some(other)) if is_strong(other) => {
                is_dated && self.is_settled && self.total.is_some() && self.total == total
            }
            (None, None) => is_dated,
            _ => false,
        };
        // A part may leave out what the whole said (RFC 9110, section 15.3.7). But some servers give what they encode
        // the entity tag of what it was encoded from.
        let has_same_coding = match (&self.coding, coding(headers)) {
            (Some(_), None) => self.total.is_some() && self.total == total,
            (one, other) => *one == other,
        };
        is_same && has_same_coding && !self.has_other_type(headers)
    }

    /// Whether a response that carries no content says by its fields that the representation is another one now.
    pub(crate) fn contradicted_by(&self, headers: &HeaderMap) -> bool {
        let differs = |own: &Option<HeaderValue>, name| {
            own.as_ref().zip(headers.get(name)).is_some_and(|(own, other)| own != other)
        };
        differs(&self.etag, ETAG) || differs(&self.modified, LAST_MODIFIED)
    }

    /// Why a response with `headers` from `origin` must not take the place of what was received before; `None` if it
    /// may. That is given up only for the same bytes, or for another version from the same source.
    pub(crate) fn distrust(&self, headers: &HeaderMap, origin: &str) -> Option<&'static str> {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if length.is_some() && length == self.total && self.proven_by(headers, length) {
            return None;
        }
        if self.has_other_type(headers) {
            return Some(OTHER_TYPE);
        }
        let is_moved = self.origin.as_ref().is_some_and(|first| !first.is_of(origin));
        if is_moved {
            return Some("another server now sends something else, perhaps a login page");
        }
        let is_bare = !headers.contains_key(ETAG) && !headers.contains_key(LAST_MODIFIED);
        is_bare.then_some(BARE)
    }

    fn has_other_type(&self, headers: &HeaderMap) -> bool {
        self.media_type.as_ref().zip(media_type(headers)).is_some_and(|(one, other)| *one != other)
    }

    /// Appends the validators as lines of text, with the origin hidden by `salt` if there is one.
    pub(crate) fn write(&self, out: &mut Vec<u8>, salt: Option<&Salt>) {
        let total = self.total.map(|total| HeaderValue::from(total).as_bytes().to_vec());
        let etag = self.etag.as_ref().map(|value| value.as_bytes().to_vec());
        let modified = self.modified.as_ref().map(|value| value.as_bytes().to_vec());
        let text = |value: &Option<String>| value.as_ref().map(|value| value.as_bytes().to_vec());
        let (media_type, coding) = (text(&self.media_type), text(&self.coding));
        let settled = (self.is_settled && self.etag.is_some()).then(|| b"yes".to_vec());
        let origin = self.origin.as_ref().map(|origin| origin.hidden(salt).to_text().into_bytes());
        for (name, value) in [
            ("etag", etag),
            ("last-modified", modified),
            ("settled", settled),
            ("total", total),
            ("type", media_type),
            ("coding", coding),
            ("origin", origin),
        ] {
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
        let text = |value: &[u8]| String::from_utf8(value.to_vec()).ok();
        let mut read = Self {
            etag: None,
            modified: None,
            is_settled: false,
            total: None,
            media_type: None,
            coding: None,
            origin: None,
        };
        for line in lines {
            let (name, value) = pair(line)?;
            match name {
                b"etag" => read.etag = Some(HeaderValue::from_bytes(value).ok()?),
                b"last-modified" => read.modified = Some(HeaderValue::from_bytes(value).ok()?),
                b"settled" if value == b"yes" => read.is_settled = true,
                b"total" => read.total = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
                b"type" => read.media_type = Some(text(value)?),
                b"coding" => read.coding = Some(text(value)?),
                b"origin" => read.origin = Some(Mark::parse(value)?),
                _ => return None,
            }
        }
        // Alone, it was kept because it is.
        read.is_settled |= read.etag.is_none();
        let etag_is_strong = read.etag.as_ref().is_none_or(is_strong);
        let has_one = read.etag.is_some() || read.modified.is_some();
        (etag_is_strong && has_one).then_some(read)
    }
}

/// The media type, without its parameters; `None` where there is none to compare by.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (!essence.is_empty()).then_some(essence)
}

/// The content codings that aren't none.
fn coding(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(CONTENT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    let codings = values.flat_map(|value| value.split(',')).map(|coding| coding.trim().to_ascii_lowercase());
    let codings: Vec<_> =
        codings.filter(|coding| !matches!(coding.as_str(), "" | "identity" | "none")).collect();
    (!codings.is_empty()).then(|| codings.join(","))
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
        let (recent, other) = (of("\"a\"", MONDAY, Some(5)), of("\"b\"", MONDAY, Some(5)));
        assert!(!recent.same(&other), "both versions may be of that second");
        assert!(!recent.proven_by(&headers("\"b\"", MONDAY), Some(5)));
        assert!(!one.proven_by(&HeaderMap::new(), Some(5)), "silence is no proof");
        assert!(!one.proven_by(&headers("\"b\"", "",), Some(5)));
    }

    /// `fields` of a part of `total` bytes.
    fn proves(one: &Validators, fields: &[(http::HeaderName, &str)], total: Option<u64>) -> bool {
        let fields = fields.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        one.proven_by(&HeaderMap::from_iter(fields), total)
    }

    #[test]
    fn a_part_proves_by_a_strong_validator_that_it_is_of_the_same_bytes() {
        let mut fields = headers("\"a\"", SUNDAY);
        fields.insert(CONTENT_TYPE, "Application/Zip; x=y".parse().unwrap());
        let tagged = Validators::of(&fields, Some(5)).unwrap();
        let recent = Validators::of(&headers("\"a\"", MONDAY), Some(5)).unwrap();
        fields.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        let zipped = Validators::of(&fields, Some(5)).unwrap();
        let zipped_as_sent = Validators { total: None, ..zipped.clone() };
        let dated = Validators::of(&headers("", SUNDAY), None).unwrap();
        let (tag, date) = ((ETAG, "\"a\""), (LAST_MODIFIED, SUNDAY));
        for (what, one, fields, total, is_proof) in [
            ("the tag", &tagged, vec![tag.clone()], None, true),
            ("another length", &tagged, vec![tag.clone()], Some(6), false),
            ("a weak tag", &tagged, vec![(ETAG, "W/\"a\""), date.clone()], Some(5), false),
            ("only the date", &tagged, vec![date.clone()], Some(5), false),
            ("another tag and the date", &tagged, vec![(ETAG, "\"b\""), date.clone()], Some(5), true),
            (
                "another tag and the date, no length",
                &tagged,
                vec![(ETAG, "\"b\""), date.clone()],
                None,
                false,
            ),
            (
                "another tag and a date of the same minute",
                &recent,
                vec![(ETAG, "\"b\""), (LAST_MODIFIED, MONDAY)],
                Some(5),
                false,
            ),
            (
                "the same coding",
                &zipped_as_sent,
                vec![tag.clone(), (CONTENT_ENCODING, "gzip")],
                Some(5),
                true,
            ),
            ("no word of the coding", &zipped, vec![tag.clone()], Some(5), true),
            ("no word of the coding and its length", &zipped, vec![tag.clone()], None, false),
            ("the length of what is not coded, perhaps", &zipped_as_sent, vec![tag.clone()], Some(5), false),
            ("the same type", &tagged, vec![tag.clone(), (CONTENT_TYPE, "application/zip")], None, true),
            ("another type", &tagged, vec![tag.clone(), (CONTENT_TYPE, "text/html")], None, false),
            ("a coding", &tagged, vec![tag.clone(), (CONTENT_ENCODING, "gzip")], None, false),
            ("no coding", &tagged, vec![tag.clone(), (CONTENT_ENCODING, "identity")], None, true),
            ("the date", &dated, vec![date.clone()], Some(5), true),
            ("another date", &dated, vec![(LAST_MODIFIED, MONDAY)], Some(5), false),
            ("a tag that wasn't there", &dated, vec![tag.clone(), date.clone()], Some(5), false),
            ("nothing", &dated, vec![], Some(5), false),
        ] {
            assert_eq!(proves(one, &fields, total), is_proof, "{what}");
        }
    }

    #[test]
    fn what_replaces_received_bytes_comes_from_where_they_came_from() {
        let with_type = |etag: &str, media_type: &str| {
            let mut fields = headers(etag, "");
            fields.insert(CONTENT_TYPE, media_type.parse().unwrap());
            fields
        };
        let one = Validators::of(&with_type("\"a\"", "application/zip"), Some(5)).unwrap();
        let one = one.with_origin("http://h:80".to_owned());
        let as_long = |mut fields: HeaderMap, bytes: u64| {
            fields.insert(CONTENT_LENGTH, bytes.into());
            fields
        };
        for (fields, origin, is_trusted) in [
            (with_type("\"b\"", "application/zip"), "http://h:80", true),
            (headers("\"b\"", ""), "http://h:80", true),
            (headers("", SUNDAY), "http://h:80", true),
            (headers("W/\"b\"", ""), "http://h:80", true),
            (with_type("\"b\"", "application/zip"), "http://g:80", false),
            (as_long(with_type("\"a\"", "application/zip"), 5), "http://g:80", true),
            (as_long(with_type("\"a\"", "application/zip"), 6), "http://g:80", false),
            (as_long(with_type("\"a\"", "text/html"), 5), "http://g:80", false),
            (with_type("", "application/zip"), "http://h:80", false),
            (with_type("\"b\"", "text/html"), "http://h:80", false),
        ] {
            assert_eq!(one.distrust(&fields, origin).is_none(), is_trusted, "{fields:?} {origin}");
        }
    }

    #[test]
    fn only_written_validators_are_parsed() {
        for (etag, modified, total) in [
            ("\"a: b\"", SUNDAY, Some(5)),
            ("\"a\"", MONDAY, Some(5)),
            ("\"a\"", "", None),
            ("", SUNDAY, Some(u64::MAX)),
        ] {
            let validators = Validators::of(&headers(etag, modified), total).unwrap();
            let mut text = Vec::new();
            validators.write(&mut text, None);
            let lines = text.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n');
            assert_eq!(Validators::read(lines), Some(validators));
        }
        for text in ["", "etag: W/\"a\"", "total: 5", "etag \"a\"", "etag: \"a\"\ntotal: -1", "x: y"] {
            assert_eq!(Validators::read(text.lines().map(str::as_bytes)), None, "{text}");
        }
    }
}
