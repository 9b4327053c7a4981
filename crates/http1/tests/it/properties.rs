//! The properties that the fuzz targets test, with inputs that reach deep into the grammar.

#[allow(unreachable_pub, reason = "the fuzz targets take the file as a public module")]
mod checks;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::RngSeed;

/// What holds for every input.
type Property = fn(&[u8]);

/// Words of a grammar with some noise, after a byte that selects a case.
fn of(words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let word = proptest::sample::select(words).prop_map(|word| word.as_bytes().to_vec());
    let noise = vec(any::<u8>(), 0..3);
    (any::<u8>(), vec(prop_oneof![9 => word, 1 => noise], 0..14))
        .prop_map(|(choice, words)| [vec![choice], words.concat()].concat())
}

const HEAD: [&str; 20] = [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 204\n",
    "HTTP/1.1 103 \r\n\r\n",
    "HTTP/1.1 101 \r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 5, 6\r\n",
    "content-length: 18446744073709551615\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip,",
    "A: b\r\n",
    " folded\r\n",
    "A : b\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    "\0",
    ":",
    "A:\u{e9}\r\n",
];

const CHUNKS: [&str; 16] = [
    "5\r\nhello\r\n",
    "5\r\nhello\r\n",
    "000a\r\n0123456789\r\n",
    "1;a=\"b\r\n",
    "1 ;x\r\ny\r\n",
    "ffffffffffffffff\r\n",
    "0\r\n",
    "0\r\n\r\n",
    "0\r\nA: b\r\n\r\n",
    "0;x\r\nA: b\r\nC: d\r\n\r\n",
    "\r\n",
    "\n",
    "\r",
    "A: b\r\n",
    "g",
    " ",
];

const RANGE: [&str; 14] = [
    "bytes ",
    "bytes ",
    "BYTES\t",
    "items ",
    "0",
    "1",
    "99",
    "18446744073709551615",
    "-",
    "-",
    "/",
    "/",
    "*",
    ",",
];

proptest! {
    // A fixed seed: every run tests the same cases.
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x6861_756c),
        ..ProptestConfig::default()
    })]

    #[test]
    fn heads(input in prop_oneof![9 => of(&HEAD), 1 => vec(any::<u8>(), 0..300)]) {
        checks::response_head(&input);
    }

    #[test]
    fn chunks(input in prop_oneof![9 => of(&CHUNKS), 1 => vec(any::<u8>(), 0..300)]) {
        checks::chunked(&input);
    }

    #[test]
    fn ranges(
        unit in Just("bytes ").prop_map(|unit| unit.as_bytes().to_vec()),
        rest in of(&RANGE),
        any_rest in of(&RANGE),
    ) {
        checks::range(&[unit, rest[1..].to_vec()].concat());
        checks::range(&any_rest[1..]);
    }
}

/// The inputs that the fuzzers kept: each reached code that others didn't.
#[test]
fn the_kept_corpus_has_the_properties() {
    let targets: [(&str, Property); 3] = [
        ("response_head", checks::response_head),
        ("chunked", checks::chunked),
        ("content_range", checks::range),
    ];
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, check) in targets {
        let files = std::fs::read_dir(corpus.join(target)).unwrap();
        let count = files.map(|file| check(&std::fs::read(file.unwrap().path()).unwrap())).count();
        assert!(count > 0, "{target}");
    }
}
