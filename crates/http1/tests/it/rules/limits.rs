//! Limits: their defaults, and inputs at and beyond each.

use haul_http1::Limits;

use crate::drive::{Reader, check};

#[test]
fn rule_29_defaults() {
    let limits = Limits::default();
    assert_eq!(limits.status_line_bytes_max, 8_192);
    assert_eq!(limits.head_bytes_max, 65_536);
    assert_eq!(limits.header_count_max, 256);
    assert_eq!(limits.interim_count_max, 16);
    assert_eq!(limits.chunk_extension_bytes_max, 65_536);
    assert_eq!(limits.trailer_bytes_max, 16_384);
    assert_eq!(limits.memory_bytes_max(), 65_536 + 3 * 16_384 + 2 * 256 * 512);
}

#[test]
fn rule_29_status_line() {
    // "HTTP/1.1 204 xy" and its line end have 17 bytes.
    let input = "HTTP/1.1 204 xy\r\n\r\n";
    let limits = Limits { status_line_bytes_max: 17, ..Limits::default() };
    check(&Reader::limits(limits), input, "204 none complete");
    let limits = Limits { status_line_bytes_max: 16, ..Limits::default() };
    check(&Reader::limits(limits), input, "StatusLineTooLong { bytes_max: 16 }");
    check(&Reader::limits(limits), "HTTP/1.1 204 xyz and no end", "StatusLineTooLong { bytes_max: 16 }");
    let limits = Limits { head_bytes_max: 16, ..Limits::default() };
    check(&Reader::limits(limits), input, "StatusLineTooLong { bytes_max: 16 }");
}

#[test]
fn rule_29_head_bytes() {
    let input = "HTTP/1.1 204 \r\nA: b\r\n\r\n";
    let exact = Limits { head_bytes_max: input.len(), ..Limits::default() };
    check(&Reader::limits(exact), input, "204 none complete");
    check(&Reader::limits(exact), format!("{input}left"), "204 none complete left 'left'");
    let less = Limits { head_bytes_max: input.len() - 1, ..Limits::default() };
    check(&Reader::limits(less), input, "HeadTooLarge { bytes_max: 22 }");
    let endless = "HTTP/1.1 204 \r\nA: bbbbbbbbbbbbbbbbbbbbbbbb";
    check(&Reader::limits(less), endless, "HeadTooLarge { bytes_max: 22 }");
}

#[test]
fn rule_29_field_count() {
    let limits = Limits { header_count_max: 2, ..Limits::default() };
    check(&Reader::limits(limits), "HTTP/1.1 204 \r\nA: b\r\nA: c\r\n\r\n", "204 none complete");
    check(&Reader::limits(limits), "HTTP/1.1 204 \r\nA: b\r\n c\r\n d\r\nA: c\r\n\r\n", "204 none complete");
    let three = "HTTP/1.1 204 \r\nA: b\r\nA: c\r\nD: e\r\n\r\n";
    check(&Reader::limits(limits), three, "TooManyFields { count_max: 2 }");
    let none = Limits { header_count_max: 0, ..Limits::default() };
    check(&Reader::limits(none), "HTTP/1.1 204 \r\n\r\n", "204 none complete");
    check(&Reader::limits(none), three, "TooManyFields { count_max: 0 }");
}

/// The map of fields has a maximum size; exceeding it must not panic.
#[test]
fn rule_29_a_field_count_beyond_the_table_is_refused() {
    let lines: String = (0..40_000).map(|number| format!("a{number}:\n")).collect();
    let head = format!("HTTP/1.1 204 \n{lines}\n");
    let limits = Limits { header_count_max: usize::MAX, head_bytes_max: usize::MAX, ..Limits::default() };
    let outcome = crate::drive::read(&Reader::limits(limits), [head.as_bytes()]);
    assert_eq!(outcome.to_string(), format!("TooManyFields {{ count_max: {} }}", usize::MAX));
}

#[test]
fn rule_29_interim_count() {
    let limits = Limits { interim_count_max: 1, ..Limits::default() };
    let (interim, last) = ("HTTP/1.1 100 \r\n\r\n", "HTTP/1.1 204 \r\n\r\n");
    check(&Reader::limits(limits), format!("{interim}{last}"), "100 204 none complete");
    check(
        &Reader::limits(limits),
        format!("{interim}{interim}{last}"),
        "100 TooManyInterim { count_max: 1 }",
    );
}

#[test]
fn rule_17_chunk_extension_bytes_of_all_chunks() {
    let limits = Limits { chunk_extension_bytes_max: 6, ..Limits::default() };
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(
        &Reader::limits(limits),
        format!("{head}1;a\r\nx\r\n1;bcd\r\ny\r\n0\r\n\r\n"),
        "200 chunked 'xy' complete",
    );
    let refused = "200 chunked 'xy' ChunkExtensionsTooLarge { bytes_max: 6 }";
    check(&Reader::limits(limits), format!("{head}1;a\r\nx\r\n1;bcd\r\ny\r\n0;\r\n\r\n"), refused);
    check(&Reader::limits(limits), format!("{head}1;a\r\nx\r\n1;bcd\r\ny\r\n0 ;\r\n\r\n"), refused);
    let refused = "200 chunked ChunkExtensionsTooLarge { bytes_max: 6 }";
    check(&Reader::limits(limits), format!("{head}1;abcdefghijkl"), refused);
    check(&Reader::limits(limits), format!("{head}1        "), refused);
}

#[test]
fn rule_18_trailer_bytes_and_count() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let limits = Limits { trailer_bytes_max: 8, header_count_max: 1, ..Limits::default() };
    check(&Reader::limits(limits), format!("{head}A: b\r\n\r\n"), "200 chunked complete");
    let refused = "200 chunked TrailersTooLarge { bytes_max: 8 }";
    check(&Reader::limits(limits), format!("{head}A: bc\r\n\r\n"), refused);
    check(&Reader::limits(limits), format!("{head}A: bcdefghijkl"), refused);
    check(&Reader::limits(limits), format!("{head}A:\nB:\r\n\r\n"), "200 chunked ChunkLineEnd { byte: 10 }");
    let limits = Limits { header_count_max: 1, ..Limits::default() };
    let refused = "200 chunked TooManyFields { count_max: 1 }";
    check(&Reader::limits(limits), format!("{head}A: b\r\nC: d\r\n\r\n"), refused);
}
