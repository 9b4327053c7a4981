//! Conditional requests: fetching a representation only if it has changed.
//!
//! Owns: the condition of a request, judging the responses to it, its text in a record on disk.
//! Does not own: the local file ([`crate::kept::sync`]), partial files ([`crate::kept::resume`]).
//!
//! Source: RFC 9110, sections 8.8.3.2 (comparison of entity tags), 13.1.2 (If-None-Match), 13.1.3 (If-Modified-Since),
//! 15.4.5 (304).

use haul_http1::{Framing, ResponseHead};
use http::header::{CONTENT_ENCODING, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, StatusCode};
use url::Url;

use crate::kept::mark::{Mark, Salt};
use crate::kept::record::pair;
use crate::kept::validator::{BARE, OTHER_TYPE, is_settled, is_strong, media_type};
use crate::{Request, Response};

/// The validators of a local copy. Invariant: at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// The URL that the copy came from, after redirects: validators of one URL say nothing about another.
    url: Mark,
    /// The same without what signs it, if that is hidden.
    unsigned: Option<Mark>,
    /// The entity tag, weak or strong.
    etag: Option<HeaderValue>,
    /// Last-Modified, if it was old enough to distinguish two versions.
    modified: Option<HeaderValue>,
    /// The media type, without its parameters, in lower case.
    media_type: Option<String>,
}

/// A copy of a representation from an earlier run.
#[derive(Clone, Debug)]
pub(crate) struct LocalCopy {
    pub(crate) condition: Condition,
    pub(crate) bytes: u64,
}

impl LocalCopy {
    /// Whether it was fetched from `url`.
    pub(crate) fn is_of(&self, url: &Url) -> bool {
        self.condition.is_for(url)
    }

    /// `request`, on condition that this copy is out of date.
    pub(crate) fn conditional(&self, request: &Request) -> Request {
        self.condition.of_request(request)
    }

    /// What the response with `head` says of this copy.
    pub(crate) fn judge(&self, head: &ResponseHead) -> Judgement {
        self.condition.judge(head, self.bytes)
    }

    /// Why a whole with `headers` must not take the place of this copy; `None` if it may. Another origin may: mirrors
    /// take turns. So may another type that isn't a page.
    pub(crate) fn distrust(&self, headers: &HeaderMap) -> Option<&'static str> {
        if !headers.contains_key(ETAG) && !headers.contains_key(LAST_MODIFIED) {
            return Some(BARE);
        }
        let is_page = |media_type: &str| matches!(media_type, "text/html" | "application/xhtml+xml");
        let was_page = self.condition.media_type.as_deref().is_none_or(is_page);
        let becomes_page = !was_page && media_type(headers).is_some_and(|now| is_page(&now));
        becomes_page.then_some(OTHER_TYPE)
    }
}

/// What a response says of the local copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// The local copy is current.
    Unchanged,
    /// The response is another representation, or an error.
    Changed,
    /// Nothing reliable: the request must be repeated without a condition.
    Nothing,
}

impl Condition {
    /// The condition for a copy of `response`; `None` if it has no validators.
    pub(crate) fn of(response: &Response) -> Option<Self> {
        let headers = &response.headers;
        let etag = headers.get(ETAG).filter(|etag| is_tag(etag)).cloned();
        // A recent date isn't reliable: the representation may have changed again within the same second.
        let modified = headers.get(LAST_MODIFIED).filter(|_| is_settled(headers)).cloned();
        let (url, unsigned) = (Mark::of(text(&response.url)), None);
        let media_type = media_type(headers);
        (etag.is_some() || modified.is_some()).then_some(Self { url, unsigned, etag, modified, media_type })
    }

    /// Whether a request for `url` may have this condition: the bytes came from there, though the URL may be signed
    /// anew.
    pub(crate) fn is_for(&self, url: &Url) -> bool {
        if self.url.is_of(text(url)) {
            return true;
        }
        let unsigned = is_signed(url).then(|| unsigned_text(url));
        match (unsigned, self.url.plain(), &self.unsigned) {
            (Some(unsigned), Some(from), _) => {
                Url::parse(from).is_ok_and(|from| unsigned_text(&from) == unsigned)
            }
            (Some(unsigned), None, Some(mark)) => mark.is_of(&unsigned),
            _ => false,
        }
    }

    /// `request` with this condition.
    pub(crate) fn of_request(&self, request: &Request) -> Request {
        let mut request = request.clone();
        match (&self.etag, &self.modified) {
            (Some(etag), _) => request.headers.insert(IF_NONE_MATCH, etag.clone()),
            (None, Some(modified)) => request.headers.insert(IF_MODIFIED_SINCE, modified.clone()),
            (None, None) => None,
        };
        request
    }

    /// What the response with `head` says of a local copy of `bytes` bytes.
    pub(crate) fn judge(&self, head: &ResponseHead, bytes: u64) -> Judgement {
        let (etag, modified) = (head.headers.get(ETAG), head.headers.get(LAST_MODIFIED));
        match head.status {
            StatusCode::NOT_MODIFIED => match (&self.etag, etag, &self.modified, modified) {
                (Some(one), Some(other), ..) if !weakly_same(one, other) => Judgement::Nothing,
                (None, _, Some(one), Some(other)) if one != other => Judgement::Nothing,
                _ => Judgement::Unchanged,
            },
            StatusCode::PRECONDITION_FAILED => Judgement::Nothing,
            // The server ignores conditions.
            StatusCode::OK => match (&self.etag, etag) {
                (Some(one), Some(other))
                    if one == other && is_strong(one) && !is_of_another_length(head, bytes) =>
                {
                    Judgement::Unchanged
                }
                (None, None) if self.is_of_the_same_date(head, bytes) => Judgement::Unchanged,
                _ => Judgement::Changed,
            },
            _ => Judgement::Changed,
        }
    }

    fn is_of_the_same_date(&self, head: &ResponseHead, bytes: u64) -> bool {
        let same = self.modified.is_some() && self.modified.as_ref() == head.headers.get(LAST_MODIFIED);
        same && head.framing == Framing::Length(bytes)
    }

    /// Appends the condition as lines of text, with the URL hidden by `salt` if there is one.
    pub(crate) fn write(&self, out: &mut Vec<u8>, salt: Option<&Salt>) {
        let url = self.url.hidden(salt).to_text();
        let signed = self.url.plain().filter(|_| salt.is_some()).and_then(|url| Url::parse(url).ok());
        let unsigned = match signed.filter(is_signed) {
            Some(url) => Some(Mark::of(unsigned_text(&url)).hidden(salt)),
            None => self.unsigned.clone(),
        };
        let unsigned = unsigned.map(|mark| mark.to_text());
        let lines = [
            ("at", Some(url.as_bytes())),
            ("unsigned", unsigned.as_deref().map(str::as_bytes)),
            ("etag", self.etag.as_ref().map(HeaderValue::as_bytes)),
            ("last-modified", self.modified.as_ref().map(HeaderValue::as_bytes)),
            ("type", self.media_type.as_deref().map(str::as_bytes)),
        ];
        for (name, value) in lines {
            if let Some(value) = value {
                out.extend_from_slice(&[name.as_bytes(), b": ", value, b"\n"].concat());
            }
        }
    }

    /// Parses the lines of [`Condition::write`]; `None` for anything else.
    pub(crate) fn read(lines: &[Vec<u8>]) -> Option<Self> {
        let (mut url, mut read) = (None, Self::default());
        for line in lines {
            let (name, value) = pair(line)?;
            match name {
                b"at" => url = Some(Mark::parse(value)?),
                b"unsigned" => read.unsigned = Some(Mark::parse(value)?),
                b"etag" => read.etag = Some(HeaderValue::from_bytes(value).ok().filter(is_tag)?),
                b"last-modified" => read.modified = Some(HeaderValue::from_bytes(value).ok()?),
                b"type" => read.media_type = Some(String::from_utf8(value.to_vec()).ok()?),
                _ => return None,
            }
        }
        read.url = url?;
        (read.etag.is_some() || read.modified.is_some()).then_some(read)
    }
}

/// Whether the content is not `bytes` long, as far as `head` tells: that of a coded body says nothing.
fn is_of_another_length(head: &ResponseHead, bytes: u64) -> bool {
    let is_coded = head.headers.contains_key(CONTENT_ENCODING);
    !is_coded && matches!(head.framing, Framing::Length(length) if length != bytes)
}

/// Whether the user's own condition is met, so that there is nothing to fetch.
pub(crate) fn is_unchanged(request: &Request, status: StatusCode) -> bool {
    let has_condition =
        [IF_NONE_MATCH, IF_MODIFIED_SINCE].iter().any(|name| request.headers.contains_key(name));
    status == StatusCode::NOT_MODIFIED && has_condition
}

fn text(url: &Url) -> &str {
    &url[..url::Position::AfterQuery]
}

/// Parameters of a query that prove a right for a while, and say nothing of what is asked for: those of S3, Google
/// Cloud Storage, Azure, CloudFront and their like, in lower case.
const SIGNATURES: [&str; 26] = [
    "awsaccesskeyid",
    "expires",
    "googleaccessid",
    "hdnea",
    "hdnts",
    "hmac",
    "jwt",
    "key-pair-id",
    "policy",
    "se",
    "sig",
    "sign",
    "signature",
    "ske",
    "skoid",
    "sks",
    "skt",
    "sktid",
    "skv",
    "sp",
    "spr",
    "sr",
    "st",
    "sv",
    "token",
    "verify",
];

fn is_signature(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_of_a_store = ["x-amz-", "x-goog-"].iter().any(|prefix| name.starts_with(prefix));
    is_of_a_store || SIGNATURES.contains(&name.as_str())
}

fn is_signed(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| is_signature(&name))
}

/// What of `url` says what is asked for.
fn unsigned_text(url: &Url) -> String {
    let pairs = url.query_pairs().filter(|(name, _)| !is_signature(name));
    format!("{} {:?}", &url[..url::Position::AfterPath], pairs.collect::<Vec<_>>())
}

/// RFC 9110 section 8.8.3: a quoted string, with or without the weakness prefix `W/`.
fn is_tag(etag: &HeaderValue) -> bool {
    let opaque = opaque(etag);
    opaque.len() >= 2 && opaque.starts_with(b"\"") && opaque.ends_with(b"\"")
}

fn opaque(etag: &HeaderValue) -> &[u8] {
    let bytes = etag.as_bytes();
    bytes.strip_prefix(b"W/").unwrap_or(bytes)
}

fn weakly_same(one: &HeaderValue, other: &HeaderValue) -> bool {
    opaque(one) == opaque(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul_http1::{Exchange, Head, Limits};
    use http::Method;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const DATE: &str = "Date: Mon, 07 Nov 1994 08:49:37 GMT";

    fn head(fields: &str) -> ResponseHead {
        let text = format!("HTTP/1.1 {fields}\r\n\r\n");
        match Exchange::new(&Method::GET, Limits::default()).head(text.as_bytes()).unwrap() {
            Head::Complete { response, .. } => response,
            other => panic!("{other:?}"),
        }
    }

    fn condition(fields: &str) -> Option<Condition> {
        let ResponseHead { status, headers, .. } = head(&format!("200 x\r\n{fields}"));
        let url = Url::parse("http://h/x?a#f").unwrap();
        let (trailers, body) = (http::HeaderMap::new(), Vec::new());
        Condition::of(&Response { status, headers, trailers, url, body, body_bytes: 0, redirect_count: 0 })
    }

    fn asked(fields: &str) -> Option<String> {
        let request = Request::get("http://h/x");
        let asked = condition(fields)?.of_request(&request);
        let fields = asked.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        Some(fields.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn a_request_has_the_one_condition_that_counts() {
        for (fields, asks) in [
            ("ETag: \"a\"".to_owned(), Some("if-none-match: \"a\"".to_owned())),
            ("ETag: W/\"a\"".to_owned(), Some("if-none-match: W/\"a\"".to_owned())),
            (
                format!("ETag: \"a\"\r\nLast-Modified: {OLD}\r\n{DATE}"),
                Some("if-none-match: \"a\"".to_owned()),
            ),
            (format!("Last-Modified: {OLD}\r\n{DATE}"), Some(format!("if-modified-since: {OLD}"))),
            (format!("ETag: a\r\nLast-Modified: {OLD}\r\n{DATE}"), Some(format!("if-modified-since: {OLD}"))),
            // It may change again within that second.
            (format!("Last-Modified: {OLD}\r\nDate: {OLD}"), None),
            (format!("Last-Modified: {OLD}"), None),
            ("ETag: a".to_owned(), None),
            (DATE.to_owned(), None),
        ] {
            assert_eq!(asked(&fields), asks, "{fields}");
        }
        let one = condition("ETag: \"a\"").unwrap();
        let is_for = |url| one.is_for(&Url::parse(url).unwrap());
        assert!(is_for("http://h/x?a") && !is_for("http://h/x?b") && !is_for("http://g/x?a"));
    }

    #[test]
    fn a_url_that_was_signed_anew_is_the_same() {
        let mut one = condition("ETag: \"a\"").unwrap();
        one.url = Mark::of("http://h/x?id=1&X-Amz-Signature=a&X-Amz-Date=b");
        for (url, is_for) in [
            ("http://h/x?id=1&X-Amz-Signature=c&X-Amz-Date=d", true),
            ("http://h/x?id=1&x-amz-signature=c", true),
            ("http://h/x?id=2&X-Amz-Signature=a&X-Amz-Date=b", false),
            ("http://h/y?id=1&X-Amz-Signature=a&X-Amz-Date=b", false),
            ("https://h/x?id=1&X-Amz-Signature=a&X-Amz-Date=b", false),
            ("http://h/x?X-Amz-Signature=a&X-Amz-Date=b", false),
            ("http://h/x?id=1", false),
        ] {
            assert_eq!(one.is_for(&Url::parse(url).unwrap()), is_for, "{url}");
        }
    }

    #[test]
    fn responses_are_judged_by_their_validators() {
        use Judgement::{Changed, Nothing, Unchanged};
        let tag = condition("ETag: W/\"a\"").unwrap();
        let strong = condition("ETag: \"a\"").unwrap();
        let date = condition(&format!("Last-Modified: {OLD}\r\n{DATE}")).unwrap();
        let dated = |status: &str, modified: &str, length: u64| {
            format!("{status}\r\nLast-Modified: {modified}\r\n{DATE}\r\nContent-Length: {length}")
        };
        let tagged = dated("200 x\r\nETag: \"new\"", OLD, 5);
        for (condition, answer, judgement) in [
            (&tag, "304 x", Unchanged),
            (&tag, "304 x\r\nETag: W/\"a\"", Unchanged),
            (&tag, "304 x\r\nETag: \"a\"", Unchanged),
            (&tag, "304 x\r\nETag: \"b\"", Nothing),
            (&tag, "412 x", Nothing),
            (&tag, "200 x\r\nETag: W/\"a\"", Changed),
            (&tag, "404 x", Changed),
            (&strong, "200 x\r\nETag: \"a\"", Unchanged),
            (&strong, "200 x\r\nETag: \"a\"\r\nContent-Length: 5", Unchanged),
            (&strong, "200 x\r\nETag: \"a\"\r\nContent-Length: 6", Changed),
            (&strong, "200 x\r\nETag: \"a\"\r\nContent-Length: 6\r\nContent-Encoding: gzip", Unchanged),
            (&strong, "200 x\r\nETag: \"b\"", Changed),
            (&strong, "200 x", Changed),
            (&date, "304 x", Unchanged),
            (&date, &dated("304 x", OLD, 5), Unchanged),
            (&date, &dated("304 x", "Mon, 07 Nov 1994 08:00:00 GMT", 5), Nothing),
            (&date, &dated("200 x", OLD, 5), Unchanged),
            (&date, &dated("200 x", OLD, 6), Changed),
            (&date, &dated("200 x", "Mon, 07 Nov 1994 08:00:00 GMT", 5), Changed),
            (&date, &tagged, Changed),
        ] {
            assert_eq!(condition.judge(&head(answer), 5), judgement, "{condition:?}: {answer}");
        }
    }

    #[test]
    fn a_page_takes_the_place_of_pages_only() {
        let copy = |fields: &str| LocalCopy { condition: condition(fields).unwrap(), bytes: 5 };
        let (zip, page) =
            ("ETag: \"a\"\r\nContent-Type: application/zip", "ETag: \"a\"\r\nContent-Type: text/html");
        for (copy, answer, is_trusted) in [
            (copy(zip), "ETag: \"b\"", true),
            (copy(zip), "ETag: \"b\"\r\nContent-Type: application/gzip", true),
            (copy(zip), "ETag: \"b\"\r\nContent-Type: Text/HTML; charset=x", false),
            (copy(zip), "Content-Type: application/zip", false),
            (copy(page), "ETag: \"b\"\r\nContent-Type: text/html", true),
            (copy(page), "Content-Type: text/html", false),
            (copy("ETag: \"a\""), "ETag: \"b\"\r\nContent-Type: text/html", true),
        ] {
            let headers = head(&format!("200 x\r\n{answer}")).headers;
            assert_eq!(copy.distrust(&headers).is_none(), is_trusted, "{copy:?}: {answer}");
        }
    }

    #[test]
    fn only_written_conditions_are_parsed() {
        let lines = |text: &[u8]| -> Vec<Vec<u8>> {
            text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
        };
        for fields in [
            "ETag: W/\"a: b\"".to_owned(),
            "ETag: \"a\"\r\nContent-Type: text/plain; x".to_owned(),
            format!("ETag: \"a\"\r\nLast-Modified: {OLD}\r\n{DATE}"),
            format!("Last-Modified: {OLD}\r\n{DATE}"),
        ] {
            let condition = condition(&fields).unwrap();
            let mut text = Vec::new();
            condition.write(&mut text, None);
            assert_eq!(Condition::read(&lines(&text)), Some(condition));
        }
        for text in
            ["", "at: x", "etag: \"a\"", "at: x\netag: a", "at: x\netag \"a\"", "at: x\netag: \"a\"\ny: z"]
        {
            assert_eq!(Condition::read(&lines(text.as_bytes())), None, "{text}");
        }
    }
}
