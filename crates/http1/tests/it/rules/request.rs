//! Requests: hosts, targets, fields, chunked bodies.

use haul_http1::{
    Authority, Body, BodyLength, BodyState, CHUNK_END, ChunkHead, Framing, Limits, RequestError, RequestHead,
    Target, encode_chunk, encode_last_chunk, parse_field,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

const ROOT: Target<'_> = Target::Origin { path_and_query: "/" };

fn encode(
    method: &Method,
    target: Target<'_>,
    headers: &HeaderMap,
    body: BodyLength,
) -> Result<String, RequestError> {
    let authority = Authority::new("example.org", 80, 80)?;
    let mut out = b"before ".to_vec();
    let spellings = &[];
    let head = RequestHead { method, target, authority: &authority, headers, spellings, host: None, body };
    let result = head.encode(&mut out);
    let text = String::from_utf8(out).unwrap();
    let head = text.strip_prefix("before ").unwrap();
    assert!(result.is_ok() || head.is_empty(), "an error must leave the output as it was");
    result.map(|()| head.to_owned())
}

#[track_caller]
fn check(method: &Method, target: Target<'_>, body: BodyLength, expected: &str) {
    assert_eq!(encode(method, target, &HeaderMap::new(), body).unwrap(), expected);
}

#[track_caller]
fn refuse(method: &Method, target: Target<'_>, body: BodyLength, expected: &RequestError) {
    assert_eq!(&encode(method, target, &HeaderMap::new(), body).unwrap_err(), expected);
}

#[test]
fn rule_27_host_is_exact() {
    for (host, port, port_default, field, with_port) in [
        ("example.org", 80, 80, "example.org", "example.org:80"),
        ("example.org", 443, 443, "example.org", "example.org:443"),
        ("example.org", 443, 80, "example.org:443", "example.org:443"),
        ("example.org", 8080, 80, "example.org:8080", "example.org:8080"),
        ("127.0.0.1", 80, 80, "127.0.0.1", "127.0.0.1:80"),
        ("::1", 80, 80, "[::1]", "[::1]:80"),
        ("[::1]", 80, 80, "[::1]", "[::1]:80"),
        ("2001:db8::1", 8080, 80, "[2001:db8::1]:8080", "[2001:db8::1]:8080"),
        ("::ffff:1.2.3.4", 80, 80, "[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]:80"),
        ("xn--bcher-kva.example", 80, 80, "xn--bcher-kva.example", "xn--bcher-kva.example:80"),
        ("a_b.example.", 80, 80, "a_b.example.", "a_b.example.:80"),
    ] {
        let authority = Authority::new(host, port, port_default).unwrap();
        assert_eq!((authority.host_field(), authority.with_port()), (field, with_port), "{host}");
        assert_eq!(format!("{}:{port}", authority.host()), with_port, "{host}");
    }
    for (host, byte) in [
        ("", None),
        ("[]", None),
        ("[example.org]", None),
        ("example.org:80", None),
        ("[::1]:80", None),
        ("[::1", None),
        ("::1]", None),
        ("fe80::1%eth0", None),
        ("[fe80::1%25eth0]", None),
        ("user@example.org", Some(b'@')),
        ("example.org/", Some(b'/')),
        ("example.org?", Some(b'?')),
        ("example.org#", Some(b'#')),
        ("example .org", Some(b' ')),
        ("example.org\r\nX: y", Some(b'\r')),
        ("example.org\n", Some(b'\n')),
        ("example\0.org", Some(0)),
        ("b\u{fc}cher.example", Some(0xc3)),
        ("a\\b", Some(b'\\')),
    ] {
        assert_eq!(Authority::new(host, 80, 80), Err(RequestError::InvalidHost { byte }), "{host:?}");
    }
}

#[test]
fn rule_27_each_form_of_target() {
    let none = BodyLength::None;
    let origin = Target::Origin { path_and_query: "/a%20b?c=d" };
    check(&Method::GET, origin, none, "GET /a%20b?c=d HTTP/1.1\r\nHost: example.org\r\n\r\n");
    let absolute = Target::Absolute { scheme: "http", path_and_query: "/a?b" };
    check(&Method::GET, absolute, none, "GET http://example.org/a?b HTTP/1.1\r\nHost: example.org\r\n\r\n");
    let connect = "CONNECT example.org:80 HTTP/1.1\r\nHost: example.org\r\n\r\n";
    check(&Method::CONNECT, Target::Authority, none, connect);
    check(&Method::OPTIONS, Target::Asterisk, none, "OPTIONS * HTTP/1.1\r\nHost: example.org\r\n\r\n");

    for (method, target) in [
        (Method::GET, Target::Authority),
        (Method::GET, Target::Asterisk),
        (Method::CONNECT, ROOT),
        (Method::CONNECT, absolute),
        (Method::CONNECT, Target::Asterisk),
        (Method::OPTIONS, Target::Authority),
    ] {
        refuse(&method, target, none, &RequestError::TargetForm { method: method.clone() });
    }
}

#[test]
fn paths_and_schemes_cannot_end_the_line() {
    for (path_and_query, byte) in [
        ("", None),
        ("a", Some(b'a')),
        ("?a", Some(b'?')),
        ("*", Some(b'*')),
        ("/a b", Some(b' ')),
        ("/a\r\nX: y", Some(b'\r')),
        ("/a\n", Some(b'\n')),
        ("/a\0", Some(0)),
        ("/a\t", Some(b'\t')),
        ("/a\x7f", Some(0x7f)),
        ("/a#b", Some(b'#')),
        ("/\u{fc}", Some(0xc3)),
    ] {
        let expected = RequestError::InvalidPath { byte };
        refuse(&Method::GET, Target::Origin { path_and_query }, BodyLength::None, &expected);
        refuse(
            &Method::GET,
            Target::Absolute { scheme: "http", path_and_query },
            BodyLength::None,
            &expected,
        );
    }
    for scheme in ["", "1a", "ht tp", "http\r\n", "http:", "\u{fc}"] {
        let target = Target::Absolute { scheme, path_and_query: "/" };
        refuse(&Method::GET, target, BodyLength::None, &RequestError::InvalidScheme);
    }
}

#[test]
fn framing_fields_follow_from_the_body() {
    let start = "/ HTTP/1.1\r\nHost: example.org\r\n";
    let length = BodyLength::Length(18_446_744_073_709_551_615);
    check(&Method::PUT, ROOT, length, &format!("PUT {start}Content-Length: 18446744073709551615\r\n\r\n"));
    check(&Method::GET, ROOT, BodyLength::Length(0), &format!("GET {start}Content-Length: 0\r\n\r\n"));
    check(
        &Method::POST,
        ROOT,
        BodyLength::Chunked,
        &format!("POST {start}Transfer-Encoding: chunked\r\n\r\n"),
    );
    for method in ["POST", "PUT", "PATCH", "QUERY"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        check(&method, ROOT, BodyLength::None, &format!("{method} {start}Content-Length: 0\r\n\r\n"));
    }
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "ODD!"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        check(&method, ROOT, BodyLength::None, &format!("{method} {start}\r\n"));
    }
    for body in [BodyLength::Length(1), BodyLength::Chunked] {
        let error = |method: &Method| RequestError::UnexpectedBody { method: method.clone() };
        refuse(&Method::TRACE, ROOT, body, &error(&Method::TRACE));
        refuse(&Method::CONNECT, Target::Authority, body, &error(&Method::CONNECT));
    }
}

#[test]
fn fields_are_written_in_order_and_framing_is_never_theirs() {
    let mut headers = HeaderMap::new();
    for (name, value) in [("accept", "*/*"), ("range", "bytes=0-"), ("accept", "text/*"), ("x-empty", "")] {
        headers.append(name, HeaderValue::from_static(value));
    }
    let expected = "GET / HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\nAccept: text/*\r\nRange: bytes=0-\r\n\
                    X-Empty: \r\n\r\n";
    assert_eq!(encode(&Method::GET, ROOT, &headers, BodyLength::None).unwrap(), expected);
    for name in ["Host", "Content-Length", "Transfer-Encoding"] {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("1"))]);
        let error = encode(&Method::GET, ROOT, &headers, BodyLength::None).unwrap_err();
        assert_eq!(error, RequestError::ReservedField { name });
    }
}

#[test]
fn rule_7_text_of_a_user_becomes_a_field_or_an_error_that_says_why() {
    let (name, value) = parse_field("X-Name", " \tv \u{fc}\t").unwrap();
    assert_eq!((name.as_str(), value.as_bytes()), ("x-name", "v \u{fc}".as_bytes()));
    assert_eq!(parse_field("X", "").unwrap().1, "");
    for (name, byte) in [
        ("", None),
        ("a b", Some(b' ')),
        ("a:", Some(b':')),
        ("a\r\nb", Some(b'\r')),
        ("a\n", Some(b'\n')),
        ("a\0", Some(0)),
        ("\u{fc}", Some(0xc3)),
    ] {
        assert_eq!(parse_field(name, "v").unwrap_err(), RequestError::InvalidFieldName { byte }, "{name:?}");
    }
    for (value, byte) in [("a\r\nb: c", b'\r'), ("a\nb", b'\n'), ("a\0", 0), ("a\x7f", 0x7f), ("a\n", b'\n')]
    {
        let name = HeaderName::from_static("x");
        let error = RequestError::InvalidFieldValue { name, byte };
        assert_eq!(parse_field("X", value).unwrap_err(), error, "{value:?}");
    }
}

#[test]
fn chunks_are_what_the_decoder_reads() {
    let mut out = Vec::new();
    encode_chunk(b"hello", &mut out);
    encode_chunk(b"", &mut out);
    encode_chunk(&[b'x'; 0x1f], &mut out);
    let head = ChunkHead::new(std::num::NonZeroUsize::MAX);
    assert_eq!(head.as_bytes(), format!("{:x}\r\n", usize::MAX).as_bytes());
    assert_eq!(CHUNK_END, b"\r\n");
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("1"))]);
    encode_last_chunk(&trailers, &mut out).unwrap();
    let expected = format!("5\r\nhello\r\n1f\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n", "x".repeat(0x1f));
    assert_eq!(out, expected.as_bytes());

    let mut body = Body::new(Framing::Chunked, &Limits::default());
    let mut rest = &out[..];
    loop {
        let step = body.decode(rest).unwrap();
        rest = &rest[step.consumed..];
        if step.state == BodyState::Complete {
            break;
        }
    }
    assert_eq!((body.received_bytes(), rest.len()), (5 + 0x1f, 0));
    assert_eq!(body.trailers().unwrap(), &trailers);
}

#[test]
fn trailers_cannot_steer() {
    for name in ["content-length", "transfer-encoding", "host", "authorization", "content-type", "trailer"] {
        let name = HeaderName::from_static(name);
        let trailers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static("1"))]);
        let mut out = Vec::new();
        assert_eq!(encode_last_chunk(&trailers, &mut out).unwrap_err(), RequestError::ReservedField { name });
        assert!(out.is_empty());
    }
}

#[test]
fn names_are_written_as_spelled_or_with_capitals() {
    let authority = Authority::new("example.org", 80, 80).unwrap();
    let names = ["user-agent", "x-api-key", "sec--x-", "dnt", "x-1a-b"].map(str::to_owned);
    let fields = names.iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    let headers = HeaderMap::from_iter(fields.map(|name| (name, HeaderValue::from_static("y"))));
    let head = RequestHead {
        method: &Method::GET,
        target: ROOT,
        authority: &authority,
        headers: &headers,
        spellings: &["x-API-key".to_owned(), "DNT".to_owned(), "HOST".to_owned()],
        host: Some(&HeaderValue::from_static("other.example:81")),
        body: BodyLength::None,
    };
    let mut out = Vec::new();
    head.encode(&mut out).unwrap();
    let expected = "GET / HTTP/1.1\r\nHOST: other.example:81\r\nUser-Agent: y\r\nx-API-key: y\r\n\
                    Sec--X-: y\r\nDNT: y\r\nX-1a-B: y\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
