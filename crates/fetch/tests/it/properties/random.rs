//! Random inputs for the checks, shaped so that they pass the first rules of each grammar.

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::RngSeed;

use super::checks;

/// Words of a grammar, with some noise.
fn of(words: &'static [&'static str], count_max: usize) -> impl Strategy<Value = Vec<u8>> {
    let word = proptest::sample::select(words).prop_map(|word| word.as_bytes().to_vec());
    let noise = vec(any::<u8>(), 0..3);
    vec(prop_oneof![9 => word, 1 => noise], 0..count_max).prop_map(|words| words.concat())
}

const DISPOSITION: [&str; 22] = [
    "attachment;",
    "filename=",
    "filename*=",
    "UTF-8''",
    "iso-8859-1'en'",
    "\"",
    "\"",
    "\\",
    "/",
    "..",
    ".",
    " ",
    ";",
    "con",
    "com1",
    "%2F",
    "%00",
    "%e2%80%ae",
    "a",
    "txt",
    "\u{e9}",
    "%",
];

const SET_COOKIE: [&str; 34] = [
    "a=b",
    "c=d; ",
    "kept=bad; ",
    "__Host-x=y; ",
    "__Secure-x=y; ",
    "\n",
    "\n",
    "; ",
    "; ",
    "Secure",
    "secure; ",
    "HttpOnly; ",
    "Path=/; ",
    "Path=/a; ",
    "path=x",
    "Domain=example.org; ",
    "domain=.www.example.org",
    "Domain=org; ",
    "Domain=co.uk",
    "domain=10.0.0.1",
    "domain=localhost; ",
    "Domain=",
    "Max-Age=0; ",
    "Max-Age=99; ",
    "max-age=-",
    "99999999999999999999",
    "Expires=Sun, 06 Nov 2094 08:49:37 GMT; ",
    "expires=0; ",
    "=",
    " ",
    "\t",
    "\u{e9}",
    "#HttpOnly_",
    "SameSite=None; ",
];

const FILE: [&str; 24] = [
    "www.example.org\tFALSE\t/\tFALSE\t0\ta\tb\n",
    "#HttpOnly_.example.org\tTRUE\t/a\tTRUE\t1900000000\tc\td\n",
    "10.0.0.1\tFALSE\t/\tFALSE\t0\te\t\n",
    "# comment\n",
    "#HttpOnly_",
    "\n",
    "\r\n",
    "\t",
    "\t",
    "\tTRUE\t",
    "\tFALSE\t",
    "/",
    "example.org",
    ".org",
    "localhost:80",
    "::1",
    "[::1]",
    "0",
    "1700000000",
    "99999999999999999999",
    "__Host-x",
    ".",
    "a",
    " ",
];

proptest! {
    // The same cases in every run.
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x6861_756c),
        ..ProptestConfig::default()
    })]

    #[test]
    fn dispositions(rest in of(&DISPOSITION, 12), noise in vec(any::<u8>(), 0..100)) {
        checks::disposition(&[b"x; filename=", &rest[..]].concat());
        checks::disposition(&rest);
        checks::disposition(&noise);
    }

    #[test]
    fn set_cookies(choice: u8, lines in of(&SET_COOKIE, 24), noise in vec(any::<u8>(), 0..100)) {
        checks::set_cookie(&[&[choice], &lines[..]].concat());
        checks::set_cookie(&noise);
    }

    #[test]
    fn cookie_files(file in of(&FILE, 16), noise in vec(any::<u8>(), 0..100)) {
        checks::cookie_file(&file);
        checks::cookie_file(&noise);
    }
}
