//! Properties: bodies survive any chunking and any splitting, and no input makes the parsers panic.

use haul_http1::{Limits, encode_chunk, encode_last_chunk};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::collection::vec;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::test_runner::RngSeed;

use crate::drive::{Reader, read};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Cuts `input` at the given positions, each a fraction of the remaining bytes.
fn pieces<'a>(mut input: &'a [u8], cuts: &[u16]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, rest) = input.split_at(usize::from(*cut) % (input.len() + 1));
        pieces.push(piece);
        input = rest;
    }
    pieces.push(input);
    pieces
}

/// Bytes that reach deep into the grammar: fragments of responses, with some noise.
fn near_http() -> impl Strategy<Value = Vec<u8>> {
    let fragments = [
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.0 200 OK\n",
        "HTTP/1.1 100 \r\n\r\n",
        "HTTP/1.1 101 \r\n",
        "Content-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "A: b\r\n",
        " folded\r\n",
        "\r\n",
        "\n",
        "\r",
        "5\r\nhello\r\n",
        "5;ext=\"x\"\r\nhello\r\n",
        "0\r\n",
        "0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "hello",
        " ",
        ":",
        "\0",
    ];
    let fragment = proptest::sample::select(fragments.to_vec()).prop_map(|text| text.as_bytes().to_vec());
    let noise = vec(any::<u8>(), 0..4);
    let start = prop_oneof![
        4 => Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        4 => Just(HEAD.to_vec()),
        1 => Just(Vec::new()),
    ];
    let rest = vec(prop_oneof![6 => fragment, 1 => noise], 0..12);
    (start, rest).prop_map(|(start, rest)| [start, rest.concat()].concat())
}

proptest! {
    // A fixed seed: every run tests the same cases, so a failure reproduces without a regression file.
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x6861_756c),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_chunked_body_is_the_body(
        chunks in vec(vec(any::<u8>(), 0..200), 0..20),
        with_trailers: bool,
        cuts in vec(any::<u16>(), 0..20),
    ) {
        let mut input = HEAD.to_vec();
        for chunk in &chunks {
            encode_chunk(chunk, &mut input);
        }
        let mut trailers = HeaderMap::new();
        if with_trailers {
            trailers.insert(HeaderName::from_static("x-sum"), HeaderValue::from_static("1"));
        }
        encode_last_chunk(&trailers, &mut input).unwrap();
        input.extend_from_slice(b"left");

        let outcome = read(&Reader::get(), pieces(&input, &cuts));
        prop_assert_eq!(outcome.error, None);
        prop_assert!(outcome.complete);
        prop_assert_eq!(outcome.body, chunks.concat());
        prop_assert_eq!(outcome.leftover, b"left");
        prop_assert_eq!(outcome.trailers.unwrap_or_default(), trailers);
    }

    #[test]
    fn a_body_of_known_length_is_the_body(data in vec(any::<u8>(), 0..2_000), cuts in vec(any::<u16>(), 0..20)) {
        let mut input = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", data.len()).into_bytes();
        input.extend_from_slice(&data);
        input.extend_from_slice(b"left");
        let outcome = read(&Reader::get(), pieces(&input, &cuts));
        prop_assert!(outcome.complete);
        prop_assert_eq!(outcome.body, data);
        prop_assert_eq!(outcome.leftover, b"left");
    }

    /// The driver also asserts that no step goes beyond its input.
    #[test]
    fn any_bytes_give_the_same_outcome_however_they_are_split(
        input in prop_oneof![1 => vec(any::<u8>(), 0..300), 9 => near_http()],
        method in proptest::sample::select(vec![Method::GET, Method::HEAD, Method::CONNECT]),
        upgrade_allowed: bool,
        close in proptest::option::of(any::<bool>()),
        small_limits: bool,
        cuts in vec(any::<u16>(), 1..20),
    ) {
        let limits = Limits {
            status_line_bytes_max: 24,
            head_bytes_max: 96,
            header_count_max: 3,
            interim_count_max: 1,
            chunk_extension_bytes_max: 9,
            trailer_bytes_max: 12,
        };
        let limits = if small_limits { limits } else { Limits::default() };
        let reader = Reader { method, upgrade_allowed, limits, close };
        let whole = format!("{:?}", read(&reader, [&input[..]]));
        prop_assert_eq!(&format!("{:?}", read(&reader, pieces(&input, &cuts))), &whole);
        prop_assert_eq!(&format!("{:?}", read(&reader, input.chunks(1))), &whole);
    }
}
