//! Properties that hold for any input. The property tests and the fuzz targets in `fuzz/` run the same functions.

use std::time::{Duration, UNIX_EPOCH};

use haul_fetch::{CookieJar, HeaderMap, Request, disposition_name};
use http::HeaderValue;
use http::header::CONTENT_DISPOSITION;

/// Any name that a server proposes stays in its directory and is valid on other systems.
pub fn disposition(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else { return };
    let Some(name) = disposition_name(&HeaderMap::from_iter([(CONTENT_DISPOSITION, value)])) else { return };
    assert!((1..=240).contains(&name.len()), "{name:?}");
    assert!(
        !name.starts_with(['.', ' ']) && !name.contains(['/', '\\', ':', '<', '>', '|', '"', '?', '*']),
        "{name:?}"
    );
    assert!(!name.chars().any(|character| character.is_control() || character == '\u{202e}'), "{name:?}");
}

/// A jar whose clock stands still, so that no cookie expires.
fn jar() -> CookieJar {
    CookieJar::new(|| UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

/// The Cookie field for `url`, if any.
fn sent(jar: &CookieJar, url: &str) -> Option<HeaderValue> {
    jar.field(Request::get(url).url())
}

/// Whatever a server sets, other sites never see it, http never replaces a cookie that https set, and the jar can be
/// written and read again. The first byte selects the server; each line is a response.
pub fn set_cookie(input: &[u8]) {
    let Some((&choice, lines)) = input.split_first() else { return };
    let from = [
        "http://www.example.org/a/b",
        "https://www.example.org/a/b",
        "http://10.0.0.1/",
        "https://localhost/",
        "http://example.co.uk./",
    ][usize::from(choice) % 5];
    let jar = jar();
    let origin = Request::get("https://www.example.org/");
    jar.take(origin.url(), b"kept=1; Secure");
    let from = Request::get(from);
    // Fewer cookies than a Cookie field holds, and than a jar keeps for one site.
    let lines = &lines[..lines.len().min(4_000)];
    for line in lines.split(|byte| *byte == b'\n').take(40) {
        jar.take(from.url(), line);
    }
    for url in [
        "https://other.example/a/b",
        "https://org/",
        "http://10.0.0.2/",
        "https://other.co.uk/",
        "https://co.uk./",
    ] {
        assert_eq!(sent(&jar, url), None, "{url}");
    }
    if choice % 5 != 1 {
        let kept = sent(&jar, "https://www.example.org/").expect("nobody may remove it");
        assert!(kept.as_bytes().split(|byte| *byte == b';').any(|cookie| cookie.trim_ascii() == b"kept=1"));
    }
    if let Some(field) = sent(&jar, "http://www.example.org/a/b") {
        let field = field.as_bytes().to_ascii_lowercase();
        let mut cookies = field.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let is_promised = |cookie: &[u8]| cookie.starts_with(b"__host-") || cookie.starts_with(b"__secure-");
        assert!(!cookies.any(is_promised), "what is for TLS alone stays there");
    }
    survives_writing(&jar);
}

/// Any file is parsed or refused; a parsed one is written in a form that is parsed to the same.
pub fn cookie_file(input: &[u8]) {
    let jar = jar();
    match jar.read(input) {
        Ok(()) => survives_writing(&jar),
        Err(bad) => {
            assert!(jar.is_empty());
            assert!((1..=input.split(|byte| *byte == b'\n').count()).contains(&bad.number));
        }
    }
}

fn survives_writing(jar: &CookieJar) {
    let (written, again) = (jar.to_file(), self::jar());
    again.read(&written).expect("what was written can be read");
    assert_eq!(String::from_utf8_lossy(&again.to_file()), String::from_utf8_lossy(&written));
    let urls =
        ["http://www.example.org/a/b", "https://www.example.org/", "http://10.0.0.1/", "https://localhost/"];
    for url in urls {
        assert_eq!(sent(&again, url), sent(jar, url), "{url}");
    }
}
