//! Going on from bytes that are there: what to ask, and what an answer is worth.
//!
//! Owns: Range and If-Range, the judgement of every answer to them.
//! Does not own: the bytes ([`crate::landing`]), the grammar of Content-Range ([`haul_http1::RequestedRange`]).
//!
//! Source: RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range), 15.3.7 (206), 15.5.17 (416).

use std::borrow::Cow;

use haul_http1::{Framing, RangeAnswer, RequestedRange, ResponseHead};
use http::header::{IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::validator::Validators;
use crate::{Error, Request};

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// For everything.
    Whole,
    /// For what is missing, if the rest is still the same.
    IfRange,
    /// For what is missing, without a condition: some servers say "changed" to every condition. What comes is then believed
    /// only for its validators.
    PlainRange,
}

/// What is there already.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// More than none.
    pub(crate) bytes: u64,
    pub(crate) validators: Validators,
}

/// What an answer is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its body is the whole: what is there is dropped.
    TakeWhole,
    /// Its body, of so many bytes, goes behind what is there; the whole has `total`, where that is known.
    TakePart { bytes: u64, total: Option<u64> },
    /// All is there.
    Complete,
    /// Ask once more, without a condition.
    AskPlain,
    /// Nothing: ask for the whole.
    StartOver,
}

impl Ask {
    /// Adds to `headers` what this asks.
    fn write(self, start: &Start, headers: &mut HeaderMap) {
        if self == Self::Whole {
            return;
        }
        let range = format!("bytes={}-", start.bytes);
        headers.insert(RANGE, HeaderValue::try_from(range).expect("digits are text"));
        if self == Self::IfRange {
            headers.insert(IF_RANGE, start.validators.if_range().clone());
        }
    }

    /// `request`, for what is missing behind `start` where that is what this asks.
    pub(crate) fn of<'a>(self, request: &'a Request, start: Option<&Start>) -> Cow<'a, Request> {
        match start {
            Some(start) if self != Self::Whole => {
                let mut request = request.clone();
                self.write(start, &mut request.headers);
                Cow::Owned(request)
            }
            _ => Cow::Borrowed(request),
        }
    }

    /// What `head` is good for, where it answers this and `start` is there. `ranged` says whether the user asked for a range.
    pub(crate) fn judge(
        self,
        start: Option<&Start>,
        head: &ResponseHead,
        ranged: bool,
    ) -> Result<Verdict, Error> {
        let (Some(start), Self::IfRange | Self::PlainRange) = (start, self) else {
            return match head.status {
                StatusCode::PARTIAL_CONTENT if !ranged => Err(Error::UnaskedPart),
                _ => Ok(Verdict::TakeWhole),
            };
        };
        let range = RequestedRange { first: start.bytes, last: None, total: start.validators.total };
        Ok(match range.check(head) {
            Ok(RangeAnswer::Part { first, last, total }) if self.believes(start, &head.headers, total) => {
                Verdict::TakePart { bytes: last - first + 1, total: total.or(start.validators.total) }
            }
            Ok(RangeAnswer::Whole) if self == Self::IfRange && is_same_whole(start, head) => {
                Verdict::AskPlain
            }
            Ok(RangeAnswer::Whole) => Verdict::TakeWhole,
            Ok(RangeAnswer::AlreadyComplete) => Verdict::Complete,
            Ok(RangeAnswer::Part { .. } | RangeAnswer::Other) | Err(_) => Verdict::StartOver,
        })
    }

    fn believes(self, start: &Start, headers: &HeaderMap, total: Option<u64>) -> bool {
        match self {
            Self::PlainRange => {
                Validators::of(headers, total).is_some_and(|validators| start.validators.same(&validators))
            }
            _ => !start.validators.contradicted_by(headers, total),
        }
    }
}

impl Verdict {
    /// This, for a response whose content is `coded`: what is there never is, so that no part of it can be added.
    pub(crate) fn without_coded_parts(self, coded: bool) -> Self {
        match self {
            Self::TakePart { .. } if coded => Self::StartOver,
            other => other,
        }
    }
}

fn is_same_whole(start: &Start, head: &ResponseHead) -> bool {
    let total = match head.framing {
        Framing::Length(bytes) => Some(bytes),
        _ => None,
    };
    Validators::of(&head.headers, total).is_some_and(|validators| start.validators.same(&validators))
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

    fn start() -> Start {
        let headers = head("200 OK\r\nETag: \"a\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT").headers;
        Start { bytes: 4, validators: Validators::of(&headers, Some(10)).unwrap() }
    }

    #[test]
    fn the_missing_rest_is_asked_for() {
        let written = |ask: Ask| {
            let mut headers = HeaderMap::new();
            ask.write(&start(), &mut headers);
            let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
            (text(RANGE), text(IF_RANGE))
        };
        assert_eq!(written(Ask::Whole), (None, None));
        assert_eq!(written(Ask::IfRange), (Some("bytes=4-".to_owned()), Some("\"a\"".to_owned())));
        assert_eq!(written(Ask::PlainRange), (Some("bytes=4-".to_owned()), None));
    }

    #[test]
    fn answers_are_judged() {
        let date = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT";
        let part = Verdict::TakePart { bytes: 6, total: Some(10) };
        for (answer, conditional, plain) in [
            ("206 x\r\nContent-Range: bytes 4-9/10\r\nETag: \"a\"", part, part),
            ("206 x\r\nContent-Range: bytes 4-9/*\r\nETag: \"a\"", part, part),
            ("206 x\r\nContent-Range: bytes 4-9/10", part, Verdict::StartOver),
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
        let all = Start { bytes: 10, ..start() };
        let judged = Ask::IfRange.judge(Some(&all), &head("416 x\r\nContent-Range: bytes */10"), false);
        assert_eq!(judged.unwrap(), Verdict::Complete);
    }

    #[test]
    fn a_part_that_nobody_asked_for_is_refused() {
        let part = head("206 x\r\nContent-Range: bytes 0-9/10\r\nETag: \"a\"");
        assert!(matches!(Ask::Whole.judge(None, &part, false), Err(Error::UnaskedPart)));
        assert_eq!(Ask::Whole.judge(None, &part, true).unwrap(), Verdict::TakeWhole);
        assert_eq!(Ask::Whole.judge(Some(&start()), &head("200 x"), false).unwrap(), Verdict::TakeWhole);
    }
}
