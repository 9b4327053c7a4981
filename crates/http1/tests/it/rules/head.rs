//! Heads: line ends, status lines, fields, folding, interim responses.

use haul_http1::{Exchange, Head, Limits, ProtocolError};
use http::Method;

use crate::drive::{Reader, check, read, read_every_way};

/// A final response with `lines` between the status line and the empty line.
fn with_fields(lines: &str) -> String {
    format!("HTTP/1.1 204 \r\n{lines}\r\n")
}

#[track_caller]
fn check_fields(lines: &str, expected: &[(&str, &str)]) {
    let outcome = read_every_way(&Reader::get(), with_fields(lines).as_bytes());
    let headers = outcome.response.unwrap_or_else(|| panic!("{:?}: {lines:?}", outcome.error)).headers;
    let found: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let expected: Vec<_> = expected.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    assert_eq!(found, expected, "{lines:?}");
}

#[track_caller]
fn refuse_fields(lines: &str, expected: &str) {
    check(&Reader::get(), with_fields(lines), expected);
}

#[test]
fn rule_1_a_bare_carriage_return_is_refused() {
    for input in [
        "HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 OK\r\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\rB: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n\r\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\rd\r\n\r\n",
    ] {
        check(&Reader::get(), input, "BareCr");
    }
}

#[test]
fn rule_2_a_line_feed_alone_may_end_a_head_line() {
    check(&Reader::get(), "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", "200 length=1 'x' complete");
    check(&Reader::get(), "HTTP/1.1 200 OK\r\nContent-Length: 1\n\r\nx", "200 length=1 'x' complete");
    check(&Reader::get(), "HTTP/1.1 200 OK\nContent-Length: 1\r\n\nx", "200 length=1 'x' complete");
    check(&Reader::get(), "HTTP/1.1 204\n\n", "204 none complete");
}

#[test]
fn rule_3_white_space_before_the_first_field_is_refused() {
    refuse_fields(" A: b\r\n", "SpaceBeforeFirstField");
    refuse_fields("\tA: b\r\n", "SpaceBeforeFirstField");
    refuse_fields(" \r\nA: b\r\n", "SpaceBeforeFirstField");
}

#[test]
fn rule_4_versions_and_statuses() {
    let end = "\r\n\r\n";
    for (line, expected) in [
        ("HTTP/1.1 200 OK", "200 untilclose open"),
        ("HTTP/1.0 200 OK", "200 untilclose open"),
        ("HTTP/1.9 200 OK", "200 untilclose open"),
        ("HTTP/1.1 200", "200 untilclose open"),
        ("HTTP/1.1 200 ", "200 untilclose open"),
        ("HTTP/1.1 200  OK", "200 untilclose open"),
        ("HTTP/1.1 200 \tOK", "200 untilclose open"),
        ("HTTP/1.1 999 Odd", "999 untilclose open"),
        ("HTTP/1.1 200 Ori\u{eb}ntatie", "200 untilclose open"),
        ("HTTP/0.9 200 OK", "UnsupportedVersion"),
        ("HTTP/2.0 200 OK", "UnsupportedVersion"),
        ("HTTP/2 200", "UnsupportedVersion"),
        ("HTTP/1 200 OK", "UnsupportedVersion"),
        ("HTTP/01.1 200 OK", "UnsupportedVersion"),
        ("HTTP/11.1 200 OK", "UnsupportedVersion"),
        ("HTTP/1.x 200 OK", "UnsupportedVersion"),
        ("HTTP/1.01 200 OK", "MalformedStatusLine"),
        ("HTTP/1.1\t200 OK", "MalformedStatusLine"),
        ("HTTP/1.1  200 OK", "MalformedStatusLine"),
        ("HTTP/1.1", "MalformedStatusLine"),
        ("HTTP/1.1 ", "MalformedStatusLine"),
        ("HTTP/1.1 20 OK", "MalformedStatusLine"),
        ("HTTP/1.1 2 OK", "MalformedStatusLine"),
        ("HTTP/1.1 2000 OK", "MalformedStatusLine"),
        ("HTTP/1.1 099 OK", "MalformedStatusLine"),
        ("HTTP/1.1 2O0 OK", "MalformedStatusLine"),
        ("HTTP/1.1 +20 OK", "MalformedStatusLine"),
        ("HTTP/1.1 200OK", "MalformedStatusLine"),
        ("HTTP/1.1 200\tOK", "MalformedStatusLine"),
        ("HTTP/1.1 200 O\0K", "MalformedStatusLine"),
        ("HTTP/1.1 200 O\x7fK", "MalformedStatusLine"),
        ("http/1.1 200 OK", "NotHttp"),
        ("HTTPS/1.1 200 OK", "NotHttp"),
        ("HTP/1.1 200 OK", "NotHttp"),
        ("ICY 200 OK", "NotHttp"),
        (" HTTP/1.1 200 OK", "NotHttp"),
        ("\r\nHTTP/1.1 200 OK", "NotHttp"),
        ("<html>", "NotHttp"),
    ] {
        check(&Reader::get(), format!("{line}{end}"), expected);
    }
}

#[test]
fn rule_4_what_cannot_be_http_is_refused_at_the_first_byte_that_shows_it() {
    let mut exchange = Exchange::new(&Method::GET, Limits::default());
    assert!(matches!(exchange.head(b""), Ok(Head::NeedMore)));
    assert!(matches!(exchange.head(b"HTTP"), Ok(Head::NeedMore)));
    assert_eq!(exchange.head(b"HTTPS").unwrap_err(), ProtocolError::NotHttp);
    assert_eq!(
        Exchange::new(&Method::GET, Limits::default()).head(b"S").unwrap_err(),
        ProtocolError::NotHttp
    );
}

#[test]
fn rule_4_reason_phrases_are_kept_as_they_came() {
    for (line, reason) in [("200", ""), ("200 ", ""), ("200 OK", "OK"), ("200  O K\t", " O K\t")] {
        let outcome = read_every_way(&Reader::get(), format!("HTTP/1.1 {line}\r\n\r\n").as_bytes());
        assert_eq!(outcome.reason, reason.as_bytes(), "{line:?}");
    }
}

#[test]
fn rule_5_a_field_with_space_before_its_colon_is_dropped_or_refused() {
    check_fields("A : b\r\nC: d\r\n", &[("c", "d")]);
    check_fields("A\t: b\r\n c\r\nC: d\r\n", &[("c", "d")]);
    refuse_fields(" : b\r\n", "SpaceBeforeFirstField");
    for name in ESSENTIAL {
        refuse_fields(&format!("X: y\r\n{name} : 5\r\n"), "SpaceBeforeColon");
        refuse_fields(&format!("X: y\r\n{}\t : 5\r\n", name.to_uppercase()), "SpaceBeforeColon");
    }
}

#[test]
fn rule_6_a_folded_line_becomes_one_space() {
    check_fields("A: b\r\n c\r\n", &[("a", "b c")]);
    check_fields("A: b\r\n\tc\r\n", &[("a", "b c")]);
    check_fields("A: b  \r\n \t c \r\nD: e\r\n", &[("a", "b c"), ("d", "e")]);
    check_fields("A: b\n c\n d\n", &[("a", "b c d")]);
    check_fields("A:\r\n b\r\n", &[("a", "b")]);
    check_fields("A: b\r\n \r\n", &[("a", "b")]);
    // A line of blanks isn't the empty line that ends a head.
    check_fields("A: b\r\n \r\nC: d\r\n", &[("a", "b"), ("c", "d")]);
    check_fields("A: b\r\n C: d\r\n", &[("a", "b C: d")]);
    // Folding can't hide the values of framing fields.
    let folded = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n  abc\r\n\r\n";
    check(&Reader::get(), folded, "ChunkedNotLast");
    let folded = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 2\r\n\r\n";
    check(&Reader::get(), folded, "InvalidContentLength");
}

#[test]
fn rule_7_values_and_names_have_their_bytes_only() {
    check_fields("A:b\r\n", &[("a", "b")]);
    check_fields("A:\r\nB: \t \r\n", &[("a", ""), ("b", "")]);
    check_fields("A: \t b c\td \t\r\n", &[("a", "b c\td")]);
    check_fields("A: b: c\r\n", &[("a", "b: c")]);
    check_fields("A: \u{fc}\r\n", &[("a", "\u{fc}")]);
    check_fields("X-$!#%&'*+.^_`|~9: b\r\n", &[("x-$!#%&'*+.^_`|~9", "b")]);
    check_fields("A: 1\r\nB: 2\r\na: 3\r\n", &[("a", "1"), ("a", "3"), ("b", "2")]);
    for (lines, expected) in [
        ("Location: b\0c\r\n", "InvalidFieldValue { name: \"location\", byte: 0 }"),
        ("Location: b\x01\r\n", "InvalidFieldValue { name: \"location\", byte: 1 }"),
        ("Location: b\x7f\r\n", "InvalidFieldValue { name: \"location\", byte: 127 }"),
        ("Location: b\r\n \0\r\n", "InvalidFieldValue { name: \"location\", byte: 0 }"),
        ("A\0: b\r\n", "InvalidFieldName { byte: Some(0) }"),
        ("A\x7f: b\r\n", "InvalidFieldName { byte: Some(127) }"),
        ("A\0\r\n", "MissingColon"),
        ("Location b: c\r\n", "InvalidFieldName { byte: Some(32) }"),
        ("Content-Length(b): c\r\n", "InvalidFieldName { byte: Some(40) }"),
        ("Connection\u{e4}: c\r\n", "InvalidFieldName { byte: Some(195) }"),
        ("transfer-encoding\r\n", "MissingColon"),
        ("A: b\r\nContent-Range 1-2\r\n", "MissingColon"),
    ] {
        refuse_fields(lines, expected);
    }
}

/// The fields that a response can't do without when they are malformed.
const ESSENTIAL: [&str; 7] = [
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    "Location",
    "Transfer-Encoding",
    "Upgrade",
];

#[test]
fn rule_7_other_malformed_fields_are_dropped() {
    for dropped in [
        "A: b\0c",
        "A: b\x01",
        "A: b\x7f",
        "A: b\r\n \0",
        "A b: c",
        "A b: c\r\n Location: /x\r\n\tand more",
        "A(b): c",
        "\u{e4}: c",
        ": c",
        "A",
        "no colon",
        "HTTP/1.1 200 OK",
        "<p>Warning</p> in line 3",
        "X-Content-Length",
    ] {
        check_fields(&format!("A: 1\r\n{dropped}\r\nB: 2\r\n"), &[("a", "1"), ("b", "2")]);
        check_fields(&format!("{dropped}\n"), &[]);
    }
    // Dropped fields count, and a carriage return in them is refused.
    let many = "no colon\r\n".repeat(257);
    refuse_fields(&many, "TooManyFields { count_max: 256 }");
    refuse_fields("A b: c\r\n d\re\r\n", "BareCr");
    refuse_fields("A b: c\rd\r\n", "InvalidFieldName { byte: Some(32) }");
}

#[test]
fn rule_21_interim_responses_precede_the_final_one() {
    let final_head = "HTTP/1.1 204 \r\n\r\n";
    let get = Reader::get();
    check(&get, format!("HTTP/1.1 100 Continue\r\n\r\n{final_head}"), "100 204 none complete");
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    check(&get, format!("{hints}{hints}{final_head}"), "103 103 204 none complete");
    check(&get, format!("HTTP/1.1 199 \r\nContent-Length: 5\r\n\r\n{final_head}"), "199 204 none complete");
    // Each interim response is a head like any other.
    check(&get, format!("HTTP/1.1 100 \r\nLocation : b\r\n\r\n{final_head}"), "SpaceBeforeColon");
    check(&get, format!("HTTP/1.1 100 \r\n\r\n\r\n{final_head}"), "100 NotHttp");

    let most = "HTTP/1.1 100 \r\n\r\n".repeat(16);
    let accepted = read(&get, [most.as_bytes(), final_head.as_bytes()]);
    assert_eq!((accepted.interim.len(), accepted.complete), (16, true));
    let refused = read(&get, [most.as_bytes(), b"HTTP/1.1 103 \r\n\r\n"]);
    assert_eq!(refused.error, Some(ProtocolError::TooManyInterim { count_max: 16 }));
}

#[test]
fn rule_21_protocols_are_switched_only_if_asked() {
    let input = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nContent-Length: 4\r\n\r\nbody";
    check(&Reader::get(), input, "UnrequestedUpgrade");
    let asked = Reader { upgrade_allowed: true, ..Reader::get() };
    check(&asked, input, "101 tunnel complete left 'body'");
    check(
        &asked,
        "HTTP/1.1 200 OK\r\nUpgrade: x\r\nContent-Length: 4\r\n\r\nbody",
        "200 length=4 'body' complete",
    );
}

#[test]
fn a_connection_closed_within_a_head_is_an_incomplete_message() {
    for clean in [true, false] {
        let reader = Reader::get().closing(clean);
        check(&reader, "", "ClosedBeforeResponse");
        check(&reader, "HTTP/1.1 200 OK\r\n", "ClosedInHead { received_bytes: 17 }");
        check(&reader, "HTTP/1.1 100 \r\n\r\n", "100 ClosedInHead { received_bytes: 0 }");
    }
}

#[test]
fn an_exchange_has_one_final_response() {
    let mut exchange = Exchange::new(&Method::GET, Limits::default());
    let input = b"HTTP/1.1 204 \r\n\r\nHTTP/1.1 204 \r\n\r\n";
    assert!(matches!(exchange.head(input), Ok(Head::Complete { len: 17, .. })));
    assert_eq!(exchange.head(&input[17..]).unwrap_err(), ProtocolError::AlreadyAnswered);
}

#[test]
fn input_that_shrinks_is_read_afresh() {
    let mut exchange = Exchange::new(&Method::GET, Limits::default());
    assert!(matches!(exchange.head(b"HTTP/1.1 200 OK\r\nA: b\r\n"), Ok(Head::NeedMore)));
    assert!(matches!(exchange.head(b"HTTP/1.1 204\n\n"), Ok(Head::Complete { len: 14, .. })));
}

#[test]
fn input_that_changes_does_not_panic() {
    let mut exchange = Exchange::new(&Method::GET, Limits::default());
    assert!(matches!(exchange.head(b"HTTP/1.1 200 OK\r\n"), Ok(Head::NeedMore)));
    assert!(matches!(exchange.head(b"HTTP/1.1 200 OKXX\n"), Ok(Head::Complete { len: 18, .. })));
}

/// Quadratic scanning would take minutes here.
#[test]
fn a_large_head_is_scanned_once_however_it_comes() {
    let head = format!("HTTP/1.1 204 \r\n{}\r\n", format!("A: {}\r\n", "b".repeat(1_000)).repeat(60));
    let outcome = read(&Reader::get(), head.as_bytes().chunks(1));
    assert_eq!(outcome.to_string(), "204 none complete");
}
