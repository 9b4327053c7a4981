//! Bodies of known length, until close, and absent: complete ones and truncated ones.

use haul_http1::{Body, BodyState, Framing, Limits, ProtocolError};

use crate::drive::{Reader, check};

#[test]
fn rule_14_a_short_body_is_an_incomplete_message() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for clean in [true, false] {
        let closing = Reader::get().closing(clean);
        check(&closing, format!("{length}hello"), "200 length=5 'hello' complete");
        let short = "200 length=5 'hell' Incomplete { received_bytes: 4, expected_bytes: Some(5) }";
        check(&closing, format!("{length}hell"), short);
        let empty = "200 length=5 Incomplete { received_bytes: 0, expected_bytes: Some(5) }";
        check(&closing, length, empty);
        check(&closing, format!("{chunked}1\r\nx\r\n0\r\n\r\n"), "200 chunked 'x' complete");
        let whole = format!("{chunked}1\r\nx\r\n0\r\nA: b\r\n\r\n");
        for len in chunked.len()..whole.len() {
            let data = if len > chunked.len() + 3 { " 'x'" } else { "" };
            let received = data.len().min(1);
            let expected = format!(
                "200 chunked{data} Incomplete {{ received_bytes: {received}, expected_bytes: None }}"
            );
            check(&closing, &whole[..len], &expected);
        }
    }
}

#[test]
fn rule_15_a_body_until_close_needs_a_clean_close() {
    let input = "HTTP/1.1 200 OK\r\n\r\nhello";
    check(&Reader::get(), input, "200 untilclose 'hello' open");
    check(&Reader::get().closing(true), input, "200 untilclose 'hello' complete");
    check(&Reader::get().closing(false), input, "200 untilclose 'hello' UncleanClose { received_bytes: 5 }");
    // If the length is known, an unclean close after the last byte does no harm.
    let input = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    check(&Reader::get().closing(false), input, "200 length=5 'hello' complete");
    check(&Reader::get().closing(false), "HTTP/1.1 204 \r\n\r\n", "204 none complete");
}

#[test]
fn rule_19_bytes_after_a_body_are_not_consumed() {
    let second = "HTTP/1.1 200 OK\r\n\r\n";
    let escaped = "HTTP/1.1 200 OK\\r\\n\\r\\n";
    for (head, body, shown) in [
        ("HTTP/1.1 204 \r\n\r\n", "", "204 none"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", "200 length=0"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello", "200 length=5 'hello'"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n0\r\n\r\n", "200 chunked 'x'"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\nA: b\r\n\r\n", "200 chunked"),
    ] {
        check(&Reader::get(), format!("{head}{body}{second}"), &format!("{shown} complete left '{escaped}'"));
    }
}

#[test]
fn an_empty_input_only_queries_the_state() {
    let limits = Limits::default();
    for (framing, state) in [
        (Framing::None, BodyState::Complete),
        (Framing::Tunnel, BodyState::Complete),
        (Framing::Length(0), BodyState::Complete),
        (Framing::Length(1), BodyState::NeedMore),
        (Framing::Chunked, BodyState::NeedMore),
        (Framing::UntilClose, BodyState::NeedMore),
    ] {
        let mut body = Body::new(framing, &limits);
        let step = body.decode(b"").unwrap();
        assert_eq!((step.consumed, step.data, step.state), (0, 0..0, state), "{framing:?}");
    }
}

#[test]
fn nothing_is_read_after_a_clean_close() {
    let mut body = Body::new(Framing::UntilClose, &Limits::default());
    assert_eq!(body.decode(b"abc").unwrap().consumed, 3);
    body.finish(true).unwrap();
    let step = body.decode(b"def").unwrap();
    assert_eq!((step.consumed, step.state, body.received_bytes()), (0, BodyState::Complete, 3));
}

#[test]
fn the_bytes_of_a_run_are_known() {
    let limits = Limits::default();
    assert_eq!(Body::new(Framing::Length(7), &limits).run_bytes(), Some(7));
    assert_eq!(Body::new(Framing::UntilClose, &limits).run_bytes(), None);
    let mut body = Body::new(Framing::Chunked, &limits);
    assert_eq!(body.run_bytes(), None);
    let step = body.decode(b"10\r\n").unwrap();
    assert_eq!((step.consumed, step.state, body.run_bytes()), (4, BodyState::NeedMore, Some(16)));
    let step = body.decode(b"abc").unwrap();
    assert_eq!((step.data, body.run_bytes()), (0..3, Some(13)));
}

#[test]
fn bytes_that_went_elsewhere_are_counted() {
    let mut body = Body::new(Framing::Length(7), &Limits::default());
    assert_eq!(body.decode(b"ab").unwrap().consumed, 2);
    body.skip(4);
    assert_eq!((body.run_bytes(), body.received_bytes(), body.is_complete()), (Some(1), 6, false));
    body.skip(1);
    assert_eq!(body.decode(b"next").unwrap().state, BodyState::Complete);
    assert!(body.finish(false).is_ok());
}

#[test]
#[should_panic(expected = "the body is shorter")]
fn no_more_is_counted_than_is_left() {
    Body::new(Framing::Length(7), &Limits::default()).skip(8);
}

#[test]
fn a_body_in_error_stays_in_error() {
    let mut body = Body::new(Framing::Chunked, &Limits::default());
    let error = ProtocolError::InvalidChunkSize { byte: b'x' };
    assert_eq!(body.decode(b"x").unwrap_err(), error);
    assert_eq!(body.decode(b"0\r\n\r\n").unwrap_err(), error);
    assert!(!body.is_complete());
    let incomplete = ProtocolError::Incomplete { received_bytes: 0, expected_bytes: None };
    assert_eq!(body.finish(true).unwrap_err(), incomplete);
}
