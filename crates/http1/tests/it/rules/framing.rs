//! Framing: from method, status and fields to the length of a body.

use haul_http1::{ProtocolError, content_length};
use http::{HeaderMap, HeaderValue, Method};

use crate::drive::{Reader, check};

fn response(status_line: &str, fields: &[&str]) -> String {
    let lines: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("HTTP/{status_line}\r\n{lines}\r\n")
}

const LENGTH: &str = "Content-Length: 5";
const CHUNKED: &str = "Transfer-Encoding: chunked";

#[test]
fn rule_8_head_and_some_statuses_have_no_body() {
    let head = Reader::method(Method::HEAD);
    for fields in [&[][..], &[LENGTH], &[CHUNKED], &[LENGTH, CHUNKED], &["Content-Length: x"]] {
        check(&head, response("1.1 200 OK", fields), "200 none complete");
        check(&head, response("1.1 404 ", fields), "404 none complete");
        for status in ["204", "304"] {
            let expected = format!("{status} none complete");
            check(&Reader::get(), response(&format!("1.1 {status} "), fields), &expected);
            check(&Reader::method(Method::POST), response(&format!("1.0 {status} "), fields), &expected);
        }
        check(
            &Reader::get(),
            response("1.1 100 ", fields) + "HTTP/1.1 204 \r\n\r\n",
            "100 204 none complete",
        );
    }
    check(&Reader::get(), response("1.1 205 ", &[LENGTH]) + "hello", "205 length=5 'hello' complete");
}

#[test]
fn rule_9_connect_answered_with_2xx_is_a_tunnel() {
    let connect = Reader::method(Method::CONNECT);
    for fields in [&[][..], &[LENGTH], &[CHUNKED], &[LENGTH, CHUNKED]] {
        check(&connect, response("1.1 200 OK", fields) + "tls", "200 tunnel complete left 'tls'");
    }
    check(&connect, response("1.1 299 ", &[]), "299 tunnel complete");
    // A refused CONNECT gets an ordinary response.
    check(&connect, response("1.1 407 ", &[LENGTH]) + "hello", "407 length=5 'hello' complete");
    check(&connect, response("1.1 502 ", &[LENGTH, CHUNKED]) + "0\r\n\r\n", "502 chunked complete");
    check(&Reader::get(), response("1.1 200 OK", &[LENGTH]) + "hello", "200 length=5 'hello' complete");
}

#[test]
fn rule_10_transfer_encoding_overrides_content_length() {
    for fields in [[LENGTH, CHUNKED], [CHUNKED, LENGTH], ["Content-Length: 0", CHUNKED]] {
        let input = response("1.1 200 OK", &fields) + "2\r\nab\r\n0\r\n\r\n";
        check(&Reader::get(), input, "200 chunked 'ab' complete");
        check(&Reader::get(), response("1.0 200 OK", &fields), "TransferEncodingInHttp10");
    }
    // A length that is no length is refused beside Transfer-Encoding, too.
    for length in ["Content-Length:", "Content-Length: +5", "Content-Length: 5\r\nContent-Length: 6"] {
        let error = if length.ends_with('6') { "ConflictingContentLength" } else { "InvalidContentLength" };
        check(&Reader::get(), response("1.1 200 OK", &[CHUNKED, length]), error);
    }
}

#[test]
fn rule_10_the_coding_identity_leaves_the_length_to_content_length() {
    let identity = "Transfer-Encoding: identity";
    for fields in [[identity, LENGTH], [LENGTH, identity]] {
        check(&Reader::get(), response("1.1 200 OK", &fields) + "hello", "200 length=5 'hello' complete");
    }
    let twice = "Transfer-Encoding: identity\r\nTransfer-Encoding: Identity";
    check(&Reader::get(), response("1.1 200 OK", &[twice]) + "hello", "200 untilclose 'hello' open");
    check(&Reader::get(), response("1.0 200 OK", &[identity]), "TransferEncodingInHttp10");
}

#[test]
fn rule_11_transfer_encoding_in_http_1_0_is_refused() {
    check(&Reader::get(), response("1.0 200 OK", &[CHUNKED]), "TransferEncodingInHttp10");
    check(&Reader::get(), response("1.1 200 OK", &[CHUNKED]) + "0\r\n\r\n", "200 chunked complete");
    check(&Reader::get(), response("1.2 200 OK", &[CHUNKED]) + "0\r\n\r\n", "200 chunked complete");
}

#[test]
fn rule_12_chunked_is_the_last_and_only_coding() {
    for (value, expected) in [
        ("chunked", "200 chunked open"),
        ("Chunked", "200 chunked open"),
        (" \tCHUNKED\t ", "200 chunked open"),
        (", chunked,,", "200 chunked open"),
        ("chunked\r\nTransfer-Encoding:", "200 chunked open"),
        ("chunked, gzip", "ChunkedNotLast"),
        ("chunked\r\nTransfer-Encoding: identity", "ChunkedNotLast"),
        ("chunked, chunked", "ChunkedNotLast"),
        ("chunked\r\nTransfer-Encoding: chunked", "200 chunked open"),
        ("chunked\r\nTransfer-Encoding: Chunked\r\nTransfer-Encoding: chunked", "200 chunked open"),
        ("identity\r\nTransfer-Encoding: chunked", "200 chunked open"),
        ("chunked\r\nTransfer-Encoding: chunked, chunked", "ChunkedNotLast"),
        ("chunked\r\nTransfer-Encoding: identity, chunked", "ChunkedNotLast"),
        ("gzip, chunked\r\nTransfer-Encoding: chunked", "ChunkedNotLast"),
        ("identity, gzip", "ChunkedNotLast"),
        ("identity, gzip, chunked", "UnsupportedTransferCoding"),
        ("gzip, chunked, chunked", "ChunkedNotLast"),
        ("gzip", "ChunkedNotLast"),
        ("identity", "200 untilclose open"),
        ("chunkedchunked", "ChunkedNotLast"),
        ("xchunked", "ChunkedNotLast"),
        ("chunked;q=1", "ChunkedNotLast"),
        ("\"chunked\"", "ChunkedNotLast"),
        ("chunked\u{a0}", "ChunkedNotLast"),
        ("", "ChunkedNotLast"),
        (",", "ChunkedNotLast"),
        ("gzip, chunked", "UnsupportedTransferCoding"),
        ("gzip\r\nTransfer-Encoding: chunked", "UnsupportedTransferCoding"),
        ("identity, chunked", "200 chunked open"),
    ] {
        let field = format!("Transfer-Encoding: {value}");
        check(&Reader::get(), response("1.1 200 OK", &[&field]), expected);
    }
}

#[test]
fn rule_13_content_length_is_one_decimal_number() {
    for (value, expected) in [
        ("6", "200 length=6 open"),
        ("0", "200 length=0 complete"),
        ("006", "200 length=6 open"),
        ("\t6\t", "200 length=6 open"),
        ("6, 6", "200 length=6 open"),
        ("6\r\nContent-Length: 6", "200 length=6 open"),
        ("18446744073709551615", "200 length=18446744073709551615 open"),
        ("6, 44", "ConflictingContentLength"),
        ("6\r\nContent-Length: 44", "ConflictingContentLength"),
        ("6\r\nX: y\r\ncontent-length: 7", "ConflictingContentLength"),
        ("18446744073709551616", "InvalidContentLength"),
        ("99999999999999999999999", "InvalidContentLength"),
        ("", "InvalidContentLength"),
        ("6,", "InvalidContentLength"),
        (",6", "InvalidContentLength"),
        ("6\r\nContent-Length:", "InvalidContentLength"),
        ("-1", "InvalidContentLength"),
        ("+6", "InvalidContentLength"),
        ("6 6", "InvalidContentLength"),
        ("6;6", "InvalidContentLength"),
        ("0x6", "InvalidContentLength"),
        ("6.0", "InvalidContentLength"),
        ("1e3", "InvalidContentLength"),
        ("six", "InvalidContentLength"),
        ("\u{666}", "InvalidContentLength"),
    ] {
        let field = format!("Content-Length: {value}");
        check(&Reader::get(), response("1.1 200 OK", &[&field]), expected);
        check(&Reader::get(), response("1.0 200 OK", &[&field]), expected);
    }
}

#[test]
fn a_name_that_only_starts_like_a_framing_field_is_another_field() {
    let fields = ["Content-Length-X: 0", "X-Transfer-Encoding: chunked"];
    check(&Reader::get(), response("1.1 200 OK", &fields), "200 untilclose open");
}

#[test]
fn the_length_in_a_response_to_head_is_available() {
    let mut headers = HeaderMap::new();
    assert_eq!(content_length(&headers), Ok(None));
    headers.append("content-length", HeaderValue::from_static("123"));
    assert_eq!(content_length(&headers), Ok(Some(123)));
    headers.append("content-length", HeaderValue::from_static("124"));
    assert_eq!(content_length(&headers), Err(ProtocolError::ConflictingContentLength));
}
