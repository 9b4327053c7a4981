//! Continuing a download: which bytes to request, and what a response is worth.
//!
//! Owns: Range and If-Range, judging every possible response.
//! Does not own: the bytes ([`crate::body::download`]), parsing Content-Range ([`haul_http1::RequestedRange`]).
//!
//! Source: RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range), 14.4 (Content-Range), 15.3.7 (206), 15.5.17 (416, which
//! need not tell the length of the whole).

use std::borrow::Cow;

use haul_http1::{
    ContentRange, Framing, RangeAnswer, RangeError, RequestedRange, ResponseHead, content_range,
};
use http::header::{IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::kept::validator::Validators;
use crate::{Error, Request};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The whole representation.
    Whole,
    /// The missing bytes, if the representation is unchanged; otherwise the whole.
    IfRange,
    /// The missing bytes, without a condition, as some servers answer "changed" to every condition. The response is
    /// accepted only if its validators match.
    PlainRange,
    /// The last byte received and the bytes after it, if the representation is unchanged. This is for servers that say
    /// that no byte is missing but not how long the whole is: only a response that proves the length is accepted.
    LastByte,
}

/// The bytes received so far.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    /// Their number; at least one.
    pub(crate) bytes: u64,
    pub(crate) validators: Validators,
}

/// What a response is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its body is the whole; the bytes received so far are dropped.
    TakeWhole,
    /// Its body, of `bytes` bytes, continues the bytes received so far. The whole has `total` bytes, if known.
    TakePart { bytes: u64, total: Option<u64> },
    /// No byte is missing.
    Complete,
    /// The request is to be repeated without a condition.
    AskPlain,
    /// The last byte received is to be requested.
    AskLastByte,
    /// Nothing: the whole is to be requested.
    StartOver,
}

impl Ask {
    /// Adds Range and If-Range to `headers`.
    fn write(self, prefix: &Prefix, headers: &mut HeaderMap) {
        if self == Self::Whole {
            return;
        }
        let range = format!("bytes={}-", self.first(prefix));
        headers.insert(RANGE, HeaderValue::try_from(range).expect("digits are text"));
        if self != Self::PlainRange {
            headers.insert(IF_RANGE, prefix.validators.if_range().clone());
        }
    }

    /// Whether the server refuses the range, by mistake or for reasons of its own, and may yet send the whole.
    pub(crate) fn is_refused(self, head: &ResponseHead) -> bool {
        self != Self::Whole && matches!(head.status.as_u16(), 400 | 403 | 501)
    }

    /// The first byte requested.
    fn first(self, prefix: &Prefix) -> u64 {
        match self {
            Self::LastByte => prefix.bytes - 1,
            _ => prefix.bytes,
        }
    }

    /// `request`, for the bytes after `prefix` if this asks for them.
    pub(crate) fn of<'a>(self, request: &'a Request, prefix: Option<&Prefix>) -> Cow<'a, Request> {
        match prefix {
            Some(prefix) if self != Self::Whole => {
                let mut request = request.clone();
                self.write(prefix, &mut request.headers);
                Cow::Owned(request)
            }
            _ => Cow::Borrowed(request),
        }
    }

    /// What the response with `head` is good for, after the bytes in `prefix`. `ranged` says whether the caller asked
    /// for a range.
    pub(crate) fn judge(
        self,
        prefix: Option<&Prefix>,
        head: &ResponseHead,
        ranged: bool,
    ) -> Result<Verdict, Error> {
        let Some(prefix) = prefix.filter(|_| self != Self::Whole) else {
            return if ranged || is_whole(head) { Ok(Verdict::TakeWhole) } else { Err(Error::UnaskedPart) };
        };
        let range = RequestedRange { first: self.first(prefix), last: None, total: prefix.validators.total };
        let answer = range.check(head);
        if self == Self::LastByte {
            return Ok(judge_last_byte(prefix, head, answer));
        }
        Ok(match answer {
            Ok(RangeAnswer::Part { first, last, total })
                if prefix.validators.proven_by(&head.headers, total) =>
            {
                Verdict::TakePart { bytes: last - first + 1, total: total.or(prefix.validators.total) }
            }
            Ok(RangeAnswer::Whole) if !is_whole(head) => Verdict::StartOver,
            Ok(RangeAnswer::Whole) if self == Self::IfRange && is_same_whole(prefix, head) => {
                Verdict::AskPlain
            }
            Ok(RangeAnswer::Whole) => Verdict::TakeWhole,
            Ok(RangeAnswer::AlreadyComplete) => prefix.judge_claim_of_all(head),
            Err(RangeError::Unsatisfiable { total: None }) if prefix.may_be_all() => Verdict::AskLastByte,
            Ok(RangeAnswer::Part { .. } | RangeAnswer::Other) | Err(_) => Verdict::StartOver,
        })
    }
}

/// No byte is missing only if the last byte received is the last one of the same representation.
fn judge_last_byte(prefix: &Prefix, head: &ResponseHead, answer: Result<RangeAnswer, RangeError>) -> Verdict {
    match answer {
        Ok(RangeAnswer::Part { first, last, total })
            if first == last
                && total == Some(prefix.bytes)
                && prefix.validators.proven_by(&head.headers, total) =>
        {
            Verdict::Complete
        }
        Ok(RangeAnswer::Whole) if is_whole(head) => Verdict::TakeWhole,
        _ => Verdict::StartOver,
    }
}

/// Whether a part answers the one range that the caller asked for, if there is one. A server may ignore the range.
pub(crate) fn answers(request: &Request, head: &ResponseHead) -> bool {
    let Some(asked) = request.headers.get(RANGE).and_then(|range| asked_range(range.to_str().ok()?)) else {
        return true;
    };
    head.status != StatusCode::PARTIAL_CONTENT || matches!(asked.check(head), Ok(RangeAnswer::Part { .. }))
}

/// The range in the value of Range, if that is one range with a first byte.
fn asked_range(value: &str) -> Option<RequestedRange> {
    let (first, last) = value.trim().strip_prefix("bytes=")?.split_once('-')?;
    let last = match last.trim() {
        "" => None,
        last => Some(last.parse().ok()?),
    };
    Some(RequestedRange { first: first.trim().parse().ok()?, last, total: None })
}

/// Whether the content is all of the representation, as far as status and Content-Range tell: some servers say 200 of
/// a part, and some 206 of the whole.
fn is_whole(head: &ResponseHead) -> bool {
    let covered = match content_range(&head.headers) {
        Ok(Some(ContentRange::Part { first: 0, last, total })) => {
            total.filter(|total| last.checked_add(1) == Some(*total))
        }
        Ok(Some(ContentRange::Part { .. })) => None,
        // RFC 9110 section 14.4: it means nothing with other statuses than 206 and 416.
        _ => return head.status != StatusCode::PARTIAL_CONTENT,
    };
    match head.framing {
        Framing::Length(bytes) => covered == Some(bytes),
        _ => covered.is_some() && head.status != StatusCode::PARTIAL_CONTENT,
    }
}

impl Prefix {
    /// A 416 that says that the whole is as long as this. It proves nothing by itself where the length of the whole
    /// isn't known otherwise: the bytes may be the beginning of another representation, which was longer.
    fn judge_claim_of_all(&self, head: &ResponseHead) -> Verdict {
        if self.validators.contradicted_by(&head.headers) {
            Verdict::StartOver
        } else if self.validators.total == Some(self.bytes) {
            Verdict::Complete
        } else {
            Verdict::AskLastByte
        }
    }

    /// Whether no byte may be missing, as far as the length is known.
    fn may_be_all(&self) -> bool {
        self.validators.total.is_none_or(|total| total == self.bytes)
    }
}

impl Verdict {
    /// The verdict for a response that may be `coded`: the bytes received so far are never encoded, so that encoded
    /// parts can't continue them.
    pub(crate) fn without_coded_parts(self, coded: bool) -> Self {
        match self {
            Self::TakePart { .. } if coded => Self::StartOver,
            other => other,
        }
    }
}

fn is_same_whole(prefix: &Prefix, head: &ResponseHead) -> bool {
    let total = match head.framing {
        Framing::Length(bytes) => Some(bytes),
        _ => None,
    };
    Validators::of(&head.headers, total).is_some_and(|validators| prefix.validators.same(&validators))
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul_http1::{Exchange, Head, Limits};
    use http::Method;

    fn head(text: &str) -> ResponseHead {
        let bytes = format!("HTTP/1.1 {text}\r\n\r\n");
        match Exchange::new(&Method::GET, Limits::default()).head(bytes.as_bytes()).unwrap() {
            Head::Complete { response, .. } => response,
            other => panic!("{other:?}"),
        }
    }

    fn start() -> Prefix {
        let dates = "Date: Mon, 07 Nov 1994 08:49:37 GMT\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT";
        let headers = head(&format!("200 OK\r\nETag: \"a\"\r\n{dates}")).headers;
        Prefix { bytes: 4, validators: Validators::of(&headers, Some(10)).unwrap() }
    }

    fn of(bytes: u64, total: Option<u64>) -> Prefix {
        let mut start = Prefix { bytes, ..start() };
        start.validators.total = total;
        start
    }

    #[test]
    fn the_missing_bytes_are_requested() {
        let written = |ask: Ask| {
            let mut headers = HeaderMap::new();
            ask.write(&start(), &mut headers);
            let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
            (text(RANGE), text(IF_RANGE))
        };
        assert_eq!(written(Ask::Whole), (None, None));
        assert_eq!(written(Ask::IfRange), (Some("bytes=4-".to_owned()), Some("\"a\"".to_owned())));
        assert_eq!(written(Ask::PlainRange), (Some("bytes=4-".to_owned()), None));
        assert_eq!(written(Ask::LastByte), (Some("bytes=3-".to_owned()), Some("\"a\"".to_owned())));
    }

    #[test]
    fn responses_are_judged() {
        let date = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT";
        let part = Verdict::TakePart { bytes: 6, total: Some(10) };
        for (answer, conditional, plain) in [
            ("206 x\r\nContent-Range: bytes 4-9/10\r\nETag: \"a\"", part, part),
            ("206 x\r\nContent-Range: bytes 4-9/*\r\nETag: \"a\"", part, part),
            ("206 x\r\nContent-Range: bytes 4-9/10", Verdict::StartOver, Verdict::StartOver),
            ("200 x\r\nContent-Range: bytes 4-9/10\r\nETag: \"a\"", Verdict::StartOver, Verdict::StartOver),
            ("206 x\r\nContent-Range: bytes 4-11/12\r\nETag: \"a\"", Verdict::StartOver, Verdict::StartOver),
            ("206 x\r\nContent-Range: bytes 4-9/10\r\nETag: \"b\"", Verdict::StartOver, Verdict::StartOver),
            (&format!("206 x\r\nContent-Range: bytes 4-9/10\r\nETag: \"b\"\r\n{date}"), part, part),
            ("206 x\r\nContent-Range: bytes 3-9/10\r\nETag: \"a\"", Verdict::StartOver, Verdict::StartOver),
            ("206 x\r\nContent-Range: bytes 4-10/11\r\nETag: \"a\"", Verdict::StartOver, Verdict::StartOver),
            ("206 x\r\nETag: \"a\"", Verdict::StartOver, Verdict::StartOver),
            (
                "206 x\r\nContent-Type: multipart/byteranges; boundary=x",
                Verdict::StartOver,
                Verdict::StartOver,
            ),
            ("200 x\r\nContent-Length: 10\r\nETag: \"a\"", Verdict::AskPlain, Verdict::TakeWhole),
            (
                &format!("200 x\r\nContent-Length: 10\r\nETag: \"b\"\r\n{date}"),
                Verdict::AskPlain,
                Verdict::TakeWhole,
            ),
            ("200 x\r\nContent-Length: 10\r\nETag: \"b\"", Verdict::TakeWhole, Verdict::TakeWhole),
            ("200 x\r\nContent-Length: 11\r\nETag: \"a\"", Verdict::TakeWhole, Verdict::TakeWhole),
            ("200 x\r\nContent-Length: 10", Verdict::TakeWhole, Verdict::TakeWhole),
            ("416 x\r\nContent-Range: bytes */10", Verdict::StartOver, Verdict::StartOver),
            ("416 x\r\nContent-Range: bytes */4", Verdict::StartOver, Verdict::StartOver),
            ("416 x", Verdict::StartOver, Verdict::StartOver),
            ("204 x", Verdict::StartOver, Verdict::StartOver),
        ] {
            let judged = |ask: Ask| ask.judge(Some(&start()), &head(answer), false).unwrap();
            assert_eq!((judged(Ask::IfRange), judged(Ask::PlainRange)), (conditional, plain), "{answer}");
        }
        let short = head("206 x\r\nContent-Range: bytes 4-6/10\r\nETag: \"a\"");
        let judged = Ask::IfRange.judge(Some(&start()), &short, false).unwrap();
        assert_eq!(judged, Verdict::TakePart { bytes: 3, total: Some(10) }, "a server may send less");
        let all = Prefix { bytes: 10, ..start() };
        let judged = Ask::IfRange.judge(Some(&all), &head("416 x\r\nContent-Range: bytes */10"), false);
        assert_eq!(judged.unwrap(), Verdict::Complete);
    }

    #[test]
    fn a_416_that_says_the_length_proves_nothing_of_a_whole_of_unknown_length() {
        for (start, fields, verdict) in [
            (of(10, Some(10)), "", Verdict::Complete),
            (of(10, Some(10)), "\r\nETag: \"a\"", Verdict::Complete),
            (of(10, Some(10)), "\r\nETag: \"b\"", Verdict::StartOver),
            (of(10, Some(10)), "\r\nLast-Modified: Mon, 07 Nov 1994 08:49:37 GMT", Verdict::StartOver),
            (of(10, None), "", Verdict::AskLastByte),
            (of(10, None), "\r\nETag: \"a\"", Verdict::AskLastByte),
            (of(10, None), "\r\nETag: \"b\"", Verdict::StartOver),
        ] {
            let answer = head(&format!("416 x\r\nContent-Range: bytes */10{fields}"));
            for ask in [Ask::IfRange, Ask::PlainRange] {
                assert_eq!(ask.judge(Some(&start), &answer, false).unwrap(), verdict, "{fields}");
            }
        }
    }

    #[test]
    fn a_416_that_says_no_length_leads_to_the_last_byte_where_that_may_be_there() {
        for (start, verdict) in [
            (of(10, Some(10)), Verdict::AskLastByte),
            (of(10, None), Verdict::AskLastByte),
            (of(4, Some(10)), Verdict::StartOver),
        ] {
            for answer in ["416 x", "416 x\r\nContent-Range: bytes 0-1/*", "416 x\r\nContent-Range: nonsense"]
            {
                for ask in [Ask::IfRange, Ask::PlainRange] {
                    assert_eq!(ask.judge(Some(&start), &head(answer), false).unwrap(), verdict, "{answer}");
                }
            }
        }
    }

    #[test]
    fn only_the_last_byte_of_the_same_whole_proves_that_all_is_there() {
        let date = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT";
        for (answer, known, unknown) in [
            ("206 x\r\nContent-Range: bytes 9-9/10\r\nETag: \"a\"", Verdict::Complete, Verdict::Complete),
            ("206 x\r\nContent-Range: bytes 9-9/10", Verdict::StartOver, Verdict::StartOver),
            ("206 x\r\nContent-Range: bytes 9-9/*\r\nETag: \"a\"", Verdict::StartOver, Verdict::StartOver),
            ("206 x\r\nContent-Range: bytes 9-9/11\r\nETag: \"a\"", Verdict::StartOver, Verdict::StartOver),
            ("206 x\r\nContent-Range: bytes 9-10/11\r\nETag: \"a\"", Verdict::StartOver, Verdict::StartOver),
            ("206 x\r\nContent-Range: bytes 8-9/10\r\nETag: \"a\"", Verdict::StartOver, Verdict::StartOver),
            ("206 x\r\nContent-Range: bytes 9-9/10\r\nETag: W/\"a\"", Verdict::StartOver, Verdict::StartOver),
            ("206 x\r\nContent-Range: bytes 9-9/10\r\nETag: \"b\"", Verdict::StartOver, Verdict::StartOver),
            (
                &format!("206 x\r\nContent-Range: bytes 9-9/10\r\nETag: \"b\"\r\n{date}"),
                Verdict::Complete,
                Verdict::StartOver,
            ),
            ("200 x\r\nContent-Length: 10\r\nETag: \"a\"", Verdict::TakeWhole, Verdict::TakeWhole),
            ("200 x\r\nContent-Length: 12\r\nETag: \"b\"", Verdict::TakeWhole, Verdict::TakeWhole),
            ("416 x", Verdict::StartOver, Verdict::StartOver),
            ("416 x\r\nContent-Range: bytes */9", Verdict::StartOver, Verdict::StartOver),
            ("204 x", Verdict::StartOver, Verdict::StartOver),
        ] {
            for (total, verdict) in [(Some(10), known), (None, unknown)] {
                let start = of(10, total);
                let judged = Ask::LastByte.judge(Some(&start), &head(answer), false).unwrap();
                assert_eq!(judged, verdict, "{answer}, {total:?}");
            }
        }
        let judged = Ask::LastByte.judge(
            Some(&of(1, None)),
            &head("206 x\r\nContent-Range: bytes 0-0/1\r\nETag: \"a\""),
            false,
        );
        assert_eq!(judged.unwrap(), Verdict::Complete);
    }

    #[test]
    fn a_part_must_be_of_the_range_that_was_asked_for() {
        let part = |range: &str| head(&format!("206 x\r\nContent-Range: {range}"));
        for (asked, answer, is_right) in [
            ("bytes=5-9", part("bytes 5-9/20"), true),
            ("bytes=5-9", part("bytes 5-7/20"), true),
            ("bytes=5-", part("bytes 5-19/20"), true),
            ("bytes=5-9", part("bytes 0-9/20"), false),
            ("bytes=5-9", part("bytes 5-10/20"), false),
            ("bytes=5-9", head("206 x"), false),
            ("bytes=5-9", head("206 x\r\nContent-Type: multipart/byteranges; boundary=x"), false),
            ("bytes=5-9", head("200 x"), true),
            ("bytes=-9", part("bytes 11-19/20"), true),
            ("bytes=0-1,5-9", head("206 x\r\nContent-Type: multipart/byteranges; boundary=x"), true),
            ("lines=5-9", part("lines 5-9/20"), true),
        ] {
            let request = Request::get("http://h/x").header("Range", asked);
            assert_eq!(answers(&request, &answer), is_right, "{asked} {answer:?}");
        }
        assert!(answers(&Request::get("http://h/x"), &part("bytes 0-9/20")));
    }

    #[test]
    fn an_unrequested_part_is_refused() {
        let part = head("206 x\r\nContent-Range: bytes 0-9/10\r\nETag: \"a\"");
        assert!(matches!(Ask::Whole.judge(None, &part, false), Err(Error::UnaskedPart)));
        assert_eq!(Ask::Whole.judge(None, &part, true).unwrap(), Verdict::TakeWhole);
        for (answer, is_whole) in [
            ("206 x\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10", true),
            ("206 x\r\nContent-Range: bytes 0-9/10\r\nTransfer-Encoding: chunked", false),
            ("206 x\r\nContent-Range: bytes 0-8/10\r\nContent-Length: 9", false),
            ("206 x\r\nContent-Range: bytes 1-9/10\r\nContent-Length: 9", false),
            ("206 x\r\nContent-Range: bytes 0-9/*\r\nContent-Length: 10", false),
            ("206 x\r\nContent-Range: bytes */10\r\nContent-Length: 10", false),
            ("206 x\r\nContent-Length: 10", false),
            ("200 x\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10", true),
            ("200 x\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6", false),
            ("200 x\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 6", false),
            ("200 x\r\nContent-Range: nonsense\r\nContent-Length: 6", true),
        ] {
            assert_eq!(Ask::Whole.judge(None, &head(answer), false).is_ok(), is_whole, "{answer}");
        }
        assert_eq!(Ask::Whole.judge(Some(&start()), &head("200 x"), false).unwrap(), Verdict::TakeWhole);
    }
}
