//! The properties that the fuzz targets test, with inputs that reach deep into the grammar.

#[allow(unreachable_pub, reason = "the fuzz targets take the file as a public module")]
mod checks;

use haul_age_format::{Header, HeaderError};
use proptest::collection::vec;
use proptest::prelude::*;

/// What holds for every input.
type Property = fn(&[u8]);

fn stanza_text() -> impl Strategy<Value = String> {
    let tag = "(X25519|mlkem768x25519|ssh-ed25519|ssh-rsa|[!-~]{1,5})";
    let arguments = "( [A-Za-z0-9+/]{6}| [A-Za-z0-9+/]{43}| [!-~]{0,3}){0,3}";
    (tag, arguments, "([A-Za-z0-9+/]{64}\n){0,2}[A-Za-z0-9+/]{0,43}")
        .prop_map(|(tag, arguments, body)| format!("{tag}{arguments}\n{body}"))
}

fn header_text() -> impl Strategy<Value = Vec<u8>> {
    (vec(stanza_text(), 0..4), "(--- [A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]\n)?", vec(any::<u8>(), 0..20))
        .prop_map(|(stanzas, closing, rest)| {
            let stanzas: String = stanzas.iter().map(|stanza| format!("-> {stanza}\n")).collect();
            [format!("age-encryption.org/v1\n{stanzas}{closing}").as_bytes(), &rest].concat()
        })
}

fn plugin_text() -> impl Strategy<Value = Vec<u8>> {
    let command = "(recipient-stanza [0-2] x( [!-~]{1,3})?|file-key [0-2]|labels( [ab]){0,2}|error internal|msg|confirm [A-Za-z0-9+/]{4}|done|[!-~]{1,6})";
    let stanza = (command, "([A-Za-z0-9+/]{64}\n){0,1}([A-Za-z0-9+/]{4}){0,10}")
        .prop_map(|(command, body)| format!("-> {command}\n{body}\n"));
    (any::<u8>(), vec(stanza, 0..8))
        .prop_map(|(piece_bytes, stanzas)| [&[piece_bytes], stanzas.concat().as_bytes()].concat())
}

/// An input with one byte changed, or none.
fn nearly(input: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (input, any::<prop::sample::Index>(), prop_oneof![Just(0_u8), any::<u8>()]).prop_map(
        |(mut input, place, mask)| {
            if !input.is_empty() {
                let place = place.index(input.len());
                input[place] ^= mask;
            }
            input
        },
    )
}

fn armor_text() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), "[ \r\n]{0,2}-----BEGIN AGE ENCRYPTED FILE-----\r?\n([A-Za-z0-9+/]{64}\r?\n){0,2}([A-Za-z0-9+/]{4}){0,3}(([A-Za-z0-9+/][AQgw]==)?\r?\n)?-----END AGE ENCRYPTED FILE-----[ \r\n]{0,2}")
        .prop_map(|(piece_bytes, text)| [&[piece_bytes], text.as_bytes()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn headers(input in prop_oneof![nearly(header_text()), vec(any::<u8>(), 0..300)]) {
        checks::header(&input);
    }

    #[test]
    fn stanzas(input in nearly(stanza_text().prop_map(String::into_bytes))) {
        checks::stanza(&input);
    }

    #[test]
    fn plugins(input in prop_oneof![nearly(plugin_text()), vec(any::<u8>(), 0..300)]) {
        checks::plugin(&input);
    }

    #[test]
    fn armor(input in prop_oneof![nearly(armor_text()), vec(any::<u8>(), 0..300)]) {
        checks::armor(&input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn streams(
        piece in any::<u16>(),
        cut in prop_oneof![Just(0_u16), any::<u16>()],
        changes in vec(any::<u8>(), 0..7),
    ) {
        checks::stream(&[&piece.to_le_bytes()[..], &cut.to_le_bytes(), &changes].concat());
    }
}

/// The inputs that the fuzzers kept: each reached code that others didn't.
#[test]
fn the_kept_corpus_has_the_properties() {
    let targets: [(&str, Property); 5] = [
        ("header", checks::header),
        ("stanza", checks::stanza),
        ("armor", checks::armor),
        ("plugin", checks::plugin),
        ("stream", checks::stream),
    ];
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, check) in targets {
        let files = std::fs::read_dir(corpus.join(target)).unwrap();
        let count = files.map(|file| check(&std::fs::read(file.unwrap().path()).unwrap())).count();
        assert!(count > 0, "{target}");
    }
}

#[test]
fn marks_of_text_files_are_known_when_they_are_whole() {
    for text in [&b"\xff\xfea\0g\0e\0"[..], b"\xfe\xff\0a\0g\0e", b"\xef\xbb\xbfage-encryption.org/v1\n"] {
        checks::header(text);
        assert_eq!(Header::parse(text), Err(HeaderError::Converted));
    }
}
