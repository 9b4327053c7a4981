//! Partial responses: the grammar of Content-Range, and its check against the requested range.

use haul_http1::{
    ContentRange, Exchange, Head, Limits, RangeAnswer, RangeError, RequestedRange, ResponseHead,
    content_range,
};
use http::header::CONTENT_RANGE;
use http::{HeaderMap, HeaderValue, Method};

fn head(status: u16, fields: &[&str]) -> ResponseHead {
    let lines: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let input = format!("HTTP/1.1 {status} \r\n{lines}\r\n");
    match Exchange::new(&Method::GET, Limits::default()).head(input.as_bytes()).unwrap() {
        Head::Complete { response, .. } => response,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(range: &RequestedRange, status: u16, fields: &[&str], expected: Result<RangeAnswer, RangeError>) {
    assert_eq!(range.check(&head(status, fields)), expected, "{range:?} {status} {fields:?}");
}

/// Bytes 100 to 199 of 1 000.
const ASKED: RequestedRange = RequestedRange { first: 100, last: Some(199), total: Some(1_000) };
/// Everything from byte 100 on, of an unknown total.
const OPEN: RequestedRange = RequestedRange { first: 100, last: None, total: None };

#[test]
fn rule_24_the_grammar_of_content_range() {
    let part = |first, last, total| Some(ContentRange::Part { first, last, total });
    for (value, expected) in [
        ("bytes 0-0/1", part(0, 0, Some(1))),
        ("bytes 100-199/1000", part(100, 199, Some(1_000))),
        ("bytes 100-199/*", part(100, 199, None)),
        ("Bytes 100-199/1000", part(100, 199, Some(1_000))),
        ("bytes 0-18446744073709551614/18446744073709551615", part(0, u64::MAX - 1, Some(u64::MAX))),
        ("bytes */1000", Some(ContentRange::Unsatisfied { total: 1_000 })),
        ("bytes */0", Some(ContentRange::Unsatisfied { total: 0 })),
        ("bytes */*", None),
        ("bytes 5-4/10", None),
        ("bytes 5-10/10", None),
        ("bytes 0-0/0", None),
        ("bytes 0-1", None),
        ("bytes 0/10", None),
        ("bytes -5/10", None),
        ("bytes 5-/10", None),
        ("bytes +0-5/10", None),
        ("bytes 0-5/1x", None),
        ("bytes 0-5/", None),
        ("bytes 0 - 5/10", None),
        ("bytes  0-5/10", None),
        ("bytes=0-5/10", None),
        ("bytes 0-18446744073709551616/*", None),
        ("items 0-5/10", None),
        ("0-5/10", None),
        ("bytes", None),
        ("", None),
    ] {
        let headers = HeaderMap::from_iter([(CONTENT_RANGE, HeaderValue::from_static(value))]);
        let expected = expected.map(Some).ok_or(RangeError::Malformed);
        assert_eq!(content_range(&headers), expected, "{value:?}");
    }
    assert_eq!(content_range(&HeaderMap::new()), Ok(None));
    let mut twice = HeaderMap::new();
    twice.append(CONTENT_RANGE, HeaderValue::from_static("bytes 0-5/10"));
    twice.append(CONTENT_RANGE, HeaderValue::from_static("bytes 0-5/10"));
    assert_eq!(content_range(&twice), Err(RangeError::Malformed));
}

#[test]
fn rule_24_a_part_is_what_was_asked_for() {
    let part = |first, last, total| Ok(RangeAnswer::Part { first, last, total });
    check(&ASKED, 206, &["Content-Range: bytes 100-199/1000"], part(100, 199, Some(1_000)));
    check(&ASKED, 206, &["Content-Range: bytes 100-199/*"], part(100, 199, None));
    check(
        &ASKED,
        206,
        &["Content-Range: bytes 100-149/1000", "Content-Length: 50"],
        part(100, 149, Some(1_000)),
    );
    check(
        &OPEN,
        206,
        &["Content-Range: bytes 100-999/1000", "Content-Length: 900"],
        part(100, 999, Some(1_000)),
    );
    let chunked = ["Content-Range: bytes 100-199/1000", "Transfer-Encoding: chunked"];
    check(&ASKED, 206, &chunked, part(100, 199, Some(1_000)));

    let mismatch = |first, last| Err(RangeError::Mismatch { requested_first: 100, first, last });
    check(&ASKED, 206, &["Content-Range: bytes 0-99/1000"], mismatch(0, 99));
    check(&ASKED, 206, &["Content-Range: bytes 101-199/1000"], mismatch(101, 199));
    check(&ASKED, 206, &["Content-Range: bytes 99-199/1000"], mismatch(99, 199));
    check(&ASKED, 206, &["Content-Range: bytes 100-200/1000"], mismatch(100, 200));
    check(
        &RequestedRange { last: None, ..ASKED },
        206,
        &["Content-Range: bytes 100-1000/*"],
        mismatch(100, 1_000),
    );
    let changed = Err(RangeError::TotalChanged { expected: 1_000, found: 1_001 });
    check(&ASKED, 206, &["Content-Range: bytes 100-199/1001"], changed);
    let short = Err(RangeError::LengthMismatch { part_bytes: 100, body_bytes: 99 });
    check(&ASKED, 206, &["Content-Range: bytes 100-199/1000", "Content-Length: 99"], short);
    check(&ASKED, 206, &[], Err(RangeError::Missing));
    check(&ASKED, 206, &["Content-Range: bytes */1000"], Err(RangeError::Malformed));
    check(&ASKED, 206, &["Content-Range: items 100-199/1000"], Err(RangeError::Malformed));
    let whole = RequestedRange { first: 0, last: None, total: None };
    check(&whole, 206, &["Content-Range: bytes 0-18446744073709551615/*"], Err(RangeError::Malformed));
}

#[test]
fn rule_24_several_parts_are_refused() {
    for content_type in ["multipart/byteranges; boundary=x", "Multipart/ByteRanges"] {
        let field = format!("Content-Type: {content_type}");
        check(&ASKED, 206, &[&field], Err(RangeError::Multipart));
        check(&ASKED, 206, &[&field, "Content-Range: bytes 100-199/1000"], Err(RangeError::Multipart));
    }
}

#[test]
fn rule_24_the_whole_means_to_start_over() {
    check(&ASKED, 200, &[], Ok(RangeAnswer::Whole));
    check(&ASKED, 200, &["Content-Range: bytes 100-199/1000"], Ok(RangeAnswer::Whole));
    check(&ASKED, 404, &[], Ok(RangeAnswer::Other));
    check(&ASKED, 301, &["Content-Range: bytes 100-199/1000"], Ok(RangeAnswer::Other));
}

#[test]
fn rule_24_not_satisfiable_with_the_same_total_is_complete() {
    let done = RequestedRange { first: 1_000, last: None, total: Some(1_000) };
    check(&done, 416, &["Content-Range: bytes */1000"], Ok(RangeAnswer::AlreadyComplete));
    let unknown = RequestedRange { total: None, ..done };
    check(&unknown, 416, &["Content-Range: bytes */1000"], Ok(RangeAnswer::AlreadyComplete));

    let unsatisfiable = |total| Err(RangeError::Unsatisfiable { total });
    check(&unknown, 416, &["Content-Range: bytes */999"], unsatisfiable(Some(999)));
    check(&unknown, 416, &["Content-Range: bytes */1001"], unsatisfiable(Some(1_001)));
    check(&unknown, 416, &[], unsatisfiable(None));
    check(&unknown, 416, &["Content-Range: bytes 0-999/1000"], unsatisfiable(None));
    check(&unknown, 416, &["Content-Range: nonsense"], unsatisfiable(None));
    let changed = Err(RangeError::TotalChanged { expected: 1_000, found: 999 });
    check(&done, 416, &["Content-Range: bytes */999"], changed);
    check(&ASKED, 416, &["Content-Range: bytes */1000"], unsatisfiable(Some(1_000)));
}
