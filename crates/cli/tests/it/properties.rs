//! The properties of the fuzz targets, with structured inputs.

#[allow(unreachable_pub, reason = "the fuzz targets take the file as a public module")]
mod checks;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::RngSeed;

/// What holds for every input.
type Property = fn(&[u8]);

const WORDS: [&str; 24] = [
    "http://a/\n",
    "https://b/x?y#z\r\n",
    "# comment\n",
    "\n",
    "\n",
    "{\"url\": \"http://a/\"}\n",
    "{\"url\": \"",
    "{",
    "}\n",
    "\"",
    ", ",
    "\"out\": \"x/y\"",
    "\"headers\": {\"A\": \"b\"}",
    "\"method\": \"PUT\"",
    "\"body\": \"\\u0000\\n\"",
    "\"sha256\": \"00\"",
    "\"size\": 18446744073709551615",
    "\"size\": -1",
    "\"unknown\": 1",
    "\\",
    " ",
    "\t",
    "\u{e9}",
    "null",
];

/// Fragments of lists with some noise.
fn list() -> impl Strategy<Value = Vec<u8>> {
    let word = proptest::sample::select(&WORDS[..]).prop_map(|word| word.as_bytes().to_vec());
    let noise = vec(any::<u8>(), 0..3);
    vec(prop_oneof![9 => word, 1 => noise], 0..24).prop_map(|words| words.concat())
}

/// A JSON object with some members.
fn object() -> impl Strategy<Value = Vec<u8>> {
    (vec(proptest::sample::select(&WORDS[11..17]), 0..4), "[ -~\u{e9}]{0,9}").prop_map(|(members, text)| {
        let url = serde_json::to_string(&text).expect("text");
        let members: String = members.iter().map(|member| format!(", {member}")).collect();
        format!("{{\"url\": {url}{members}}}\n").into_bytes()
    })
}

proptest! {
    // The same cases in every run.
    #![proptest_config(ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x6861_756c),
        ..ProptestConfig::default()
    })]

    #[test]
    fn lists(choice: u8, list in list(), objects in vec(object(), 0..3)) {
        checks::list_lines(&[&[choice], &list[..]].concat());
        checks::list_lines(&[&[choice], &objects.concat()[..]].concat());
    }
}

/// The inputs that the fuzzers kept: each reached code that others didn't.
#[test]
fn the_kept_corpus_has_the_properties() {
    let targets: [(&str, Property); 1] = [("list", checks::list_lines)];
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, check) in targets {
        let files = std::fs::read_dir(corpus.join(target)).unwrap();
        let count = files.map(|file| check(&std::fs::read(file.unwrap().path()).unwrap())).count();
        assert!(count > 0, "{target}");
    }
}
