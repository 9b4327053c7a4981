//! Connections and requests after a response: reuse, idle bytes, replay, Retry-After.

use haul_http1::{
    AfterResponse, Body, CloseReason, Exchange, Head, Limits, Replay, RetryAfter, check_idle, retry_after,
};
use http::{HeaderMap, HeaderValue, Method};

/// The verdict on a connection after the response `input` to a GET with `request_headers`.
fn verdict(request_headers: &HeaderMap, request_sent: bool, input: &str) -> Option<CloseReason> {
    let limits = Limits::default();
    let mut exchange = Exchange::new(&Method::GET, limits);
    let Head::Complete { response, len, .. } = exchange.head(input.as_bytes()).unwrap() else {
        panic!("{input:?}");
    };
    let mut body = Body::new(response.framing, &limits);
    let consumed = body.decode(&input.as_bytes()[len..]).unwrap().consumed;
    let leftover_bytes = input.len() - len - consumed;
    let after =
        AfterResponse { request_headers, request_sent, response: &response, body: &body, leftover_bytes };
    after.must_close()
}

#[track_caller]
fn check(input: &str, expected: Option<CloseReason>) {
    assert_eq!(verdict(&HeaderMap::new(), true, input), expected, "{input:?}");
}

#[test]
fn rule_19_a_connection_is_reused_only_if_nothing_speaks_against_it() {
    check("HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", None);
    check("HTTP/1.1 204 \r\n\r\n", None);
    check("HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\n", None);
    check("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", None);
    check("HTTP/1.7 204 \r\n\r\n", None);
    check("HTTP/1.0 204 \r\nConnection: Keep-Alive\r\n\r\n", None);
    check("HTTP/1.0 200 \r\nConnection: foo, keep-alive\r\nContent-Length: 0\r\n\r\n", None);
    check("HTTP/1.1 204 \r\nConnection: closed, upgrade\r\n\r\n", None);

    check("HTTP/1.1 204 \r\n\r\nHTTP/1.1 200 \r\n", Some(CloseReason::LeftoverBytes));
    check("HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nxy", Some(CloseReason::LeftoverBytes));
    check("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nx", Some(CloseReason::BodyUnfinished));
    check("HTTP/1.1 200 \r\n\r\nx", Some(CloseReason::FramedByClose));
    check("HTTP/1.0 200 \r\nConnection: keep-alive\r\n\r\nx", Some(CloseReason::FramedByClose));
    check("HTTP/1.1 204 \r\nConnection: close\r\n\r\n", Some(CloseReason::ResponseSaidClose));
    check("HTTP/1.1 204 \r\nConnection: keep-alive,\tCLOSE\r\n\r\n", Some(CloseReason::ResponseSaidClose));
    check(
        "HTTP/1.1 204 \r\nConnection: a\r\nConnection: close\r\n\r\n",
        Some(CloseReason::ResponseSaidClose),
    );
    check("HTTP/1.0 204 \r\nConnection: keep-alive, close\r\n\r\n", Some(CloseReason::ResponseSaidClose));
    check("HTTP/1.0 204 \r\n\r\n", Some(CloseReason::NotPersistent));
    let ambiguous = Some(CloseReason::AmbiguousFraming);
    let chunked = "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n";
    check(&format!("{chunked}Content-Length: 0\r\n\r\n0\r\n\r\n"), ambiguous);
    check(&format!("{chunked}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), ambiguous);
    check(&format!("{chunked}Transfer-Encoding:\r\n\r\n0\r\n\r\n"), ambiguous);
    check("HTTP/1.1 200 \r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", ambiguous);
    check("HTTP/1.1 200 \r\nTransfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n", ambiguous);
    check("HTTP/1.1 304 \r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n", None);
}

#[test]
fn rule_19_the_request_has_its_say() {
    let input = "HTTP/1.1 204 \r\n\r\n";
    let mut headers = HeaderMap::new();
    headers.insert("connection", HeaderValue::from_static("TE, Close"));
    assert_eq!(verdict(&headers, true, input), Some(CloseReason::RequestSaidClose));
    assert_eq!(verdict(&HeaderMap::new(), false, input), Some(CloseReason::RequestUnfinished));
    assert_eq!(verdict(&HeaderMap::new(), true, input), None);
}

#[test]
fn rule_19_a_tunnel_is_never_reused() {
    let limits = Limits::default();
    let mut exchange = Exchange::new(&Method::CONNECT, limits);
    let Head::Complete { response, .. } = exchange.head(b"HTTP/1.1 200 \r\n\r\n").unwrap() else { panic!() };
    let after = AfterResponse {
        request_headers: &HeaderMap::new(),
        request_sent: true,
        body: &Body::new(response.framing, &limits),
        response: &response,
        leftover_bytes: 0,
    };
    assert_eq!(after.must_close(), Some(CloseReason::Tunnel));
}

#[test]
fn rule_20_an_idle_connection_with_bytes_is_dropped() {
    assert_eq!(check_idle(0, false), None);
    assert_eq!(check_idle(1, false), Some(CloseReason::IdleBytes));
    assert_eq!(check_idle(1, true), Some(CloseReason::IdleBytes));
    assert_eq!(check_idle(0, true), Some(CloseReason::PeerClosed));
}

#[test]
fn rule_22_replay_is_for_idempotent_requests_on_stale_connections_and_once() {
    fn replay(method: &Method) -> Replay<'_> {
        Replay { method, connection_reused: true, response_begun: false, replay_count: 0 }
    }
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE, Method::PUT, Method::DELETE] {
        assert!(replay(&method).is_allowed(), "{method}");
        assert!(!Replay { connection_reused: false, ..replay(&method) }.is_allowed());
        assert!(!Replay { response_begun: true, ..replay(&method) }.is_allowed());
        assert!(!Replay { replay_count: 1, ..replay(&method) }.is_allowed());
    }
    for method in [Method::POST, Method::PATCH, Method::CONNECT, Method::from_bytes(b"ODD").unwrap()] {
        assert!(!replay(&method).is_allowed(), "{method}");
    }
}

#[test]
fn retry_after_is_seconds_or_left_to_the_caller() {
    let parse = |value: &'static str| {
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, HeaderValue::from_static(value))]);
        retry_after(&headers).map(|found| match found {
            RetryAfter::Seconds(seconds) => seconds.to_string(),
            RetryAfter::Date(date) => String::from_utf8(date.to_vec()).unwrap(),
        })
    };
    for (value, expected) in [
        ("120", "120"),
        ("0", "0"),
        ("99999999999999999999", "18446744073709551615"),
        ("Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:59 GMT"),
        ("-1", "-1"),
        ("", ""),
    ] {
        assert_eq!(parse(value).as_deref(), Some(expected), "{value:?}");
    }
    assert_eq!(retry_after(&HeaderMap::new()), None);
}
