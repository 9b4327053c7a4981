//! Chunked bodies: sizes, extensions, line ends, trailers.

use crate::drive::{Reader, check, read_every_way};

const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: head\r\n\r\n";

#[track_caller]
fn check_chunks(chunks: &str, expected: &str) {
    check(&Reader::get(), format!("{HEAD}{chunks}"), &format!("200 chunked {expected}"));
}

#[test]
fn rule_2_chunk_lines_end_with_cr_lf_only() {
    check_chunks("2\r\nab\r\n0\r\n\r\n", "'ab' complete");
    for (chunks, expected) in [
        ("2\nab\r\n0\r\n\r\n", "InvalidChunkSize { byte: 10 }"),
        ("2;x\nab\r\n0\r\n\r\n", "InvalidChunkExtension { byte: 10 }"),
        ("2\r\nab\n0\r\n\r\n", "'ab' ChunkLineEnd { byte: 10 }"),
        ("2\r\nab\r0\r\n\r\n", "'ab' ChunkLineEnd { byte: 48 }"),
        ("2\r\nab0\r\n\r\n", "'ab' ChunkLineEnd { byte: 48 }"),
        ("2\r\nabc\r\n0\r\n\r\n", "'ab' ChunkLineEnd { byte: 99 }"),
        ("2\rab\r\n0\r\n\r\n", "ChunkLineEnd { byte: 97 }"),
        ("2\r\r\nab\r\n0\r\n\r\n", "ChunkLineEnd { byte: 13 }"),
        ("2;x\r\r\nab\r\n0\r\n\r\n", "ChunkLineEnd { byte: 13 }"),
        ("0\n\n", "InvalidChunkSize { byte: 10 }"),
        ("0\r\n\n", "ChunkLineEnd { byte: 10 }"),
        ("0\r\n\rx", "ChunkLineEnd { byte: 120 }"),
        ("0\r\nA: b\n\r\n", "ChunkLineEnd { byte: 10 }"),
        ("0\r\nA: b\r\n\n", "ChunkLineEnd { byte: 10 }"),
    ] {
        check_chunks(chunks, expected);
    }
}

#[test]
fn rule_16_sizes_are_hexadecimal_digits() {
    for (chunks, expected) in [
        ("a\r\n0123456789\r\n0\r\n\r\n", "'0123456789' complete"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "'0123456789' complete"),
        ("0000000000000001\r\nx\r\n0\r\n\r\n", "'x' complete"),
        ("1\r\nx\r\n0000000000000000\r\n\r\n", "'x' complete"),
        ("1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n", "'\\r\\n' complete"),
        ("ffffffffffffffff\r\nx", "'x' open"),
        ("00000000000000001\r\nx\r\n", "ChunkSizeTooLong"),
        ("10000000000000000\r\nx\r\n", "ChunkSizeTooLong"),
        ("00000000000000000", "ChunkSizeTooLong"),
        ("\r\n", "InvalidChunkSize { byte: 13 }"),
        (";x\r\n", "InvalidChunkSize { byte: 59 }"),
        ("0x1\r\nx\r\n", "InvalidChunkSize { byte: 120 }"),
        ("+1\r\nx\r\n", "InvalidChunkSize { byte: 43 }"),
        ("-1\r\nx\r\n", "InvalidChunkSize { byte: 45 }"),
        ("1_0\r\nx\r\n", "InvalidChunkSize { byte: 95 }"),
        ("g\r\n", "InvalidChunkSize { byte: 103 }"),
        (" 1\r\nx\r\n", "InvalidChunkSize { byte: 32 }"),
        ("1 \r\nx\r\n0 \t \r\n\r\n", "'x' complete"),
        ("1 \nx\r\n", "InvalidChunkSize { byte: 10 }"),
        ("1 \r\r\nx\r\n", "ChunkLineEnd { byte: 13 }"),
        (" \r\nx\r\n", "InvalidChunkSize { byte: 32 }"),
        ("1 x\r\nx\r\n", "InvalidChunkSize { byte: 120 }"),
        ("1\r\nx\r\n\r\n", "'x' InvalidChunkSize { byte: 13 }"),
    ] {
        check_chunks(chunks, expected);
    }
}

#[test]
fn rule_17_extensions_are_ignored() {
    for extension in [";a", ";a=b", ";a=\"b; c\"", " ; a", "\t;\ta", ";", ";a=\"not ended", ";\u{fc}"] {
        check_chunks(&format!("1{extension}\r\nx\r\n0{extension}\r\n\r\n"), "'x' complete");
    }
    for (extension, byte) in [("\0", 0), ("\x07", 7), ("\x7f", 127), ("\n", 10)] {
        check_chunks(
            &format!("1;a{extension}\r\nx\r\n"),
            &format!("InvalidChunkExtension {{ byte: {byte} }}"),
        );
    }
}

#[test]
fn rule_18_trailers_stay_apart_from_headers() {
    let input = format!("{HEAD}1\r\nx\r\n0\r\nX: trailer\r\nContent-Length: 99\r\nDigest: a\r\n b\r\n\r\n");
    let outcome = read_every_way(&Reader::get(), input.as_bytes());
    assert!(outcome.complete);
    let headers = outcome.response.unwrap().headers;
    assert_eq!(headers.get_all("x").iter().collect::<Vec<_>>(), ["head"]);
    assert!(!headers.contains_key("digest") && !headers.contains_key("content-length"));
    let trailers = outcome.trailers.unwrap();
    assert_eq!(trailers.len(), 3);
    assert_eq!(trailers["x"], "trailer");
    assert_eq!(trailers["digest"], "a b");
}

#[test]
fn rule_18_no_trailers_is_none_and_malformed_ones_are_refused() {
    let outcome = read_every_way(&Reader::get(), format!("{HEAD}0\r\n\r\n").as_bytes());
    assert!(outcome.complete && outcome.trailers.is_none());
    for (trailers, expected) in [
        (" A: b\r\n", "SpaceBeforeFirstField"),
        ("Location : b\r\n", "SpaceBeforeColon"),
        ("Upgrade\r\n", "MissingColon"),
        ("A: b\rc\r\n", "BareCr"),
        ("Location: \0\r\n", "InvalidFieldValue { name: \"location\", byte: 0 }"),
        ("\x01: b\r\n", "InvalidFieldName { byte: Some(1) }"),
    ] {
        check_chunks(&format!("0\r\n{trailers}\r\n"), expected);
    }
    for trailers in ["A : b\r\n", "A\r\n", "A: \0\r\n", ": b\r\n"] {
        check_chunks(&format!("0\r\n{trailers}\r\n"), "complete");
    }
}
