//! What a jar accepts, keeps, sends and writes.
//!
//! Owns: tests of the public interface, with a clock of their own.
//! Does not own: tests of dates and scopes, which are in their files.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::cookies::store::{COUNT_MAX, SITE_COUNT_MAX};

/// The time at which every jar starts: 6 November 1994, 08:49:37.
const START: u64 = 784_111_777;

/// A jar, and its clock.
fn jar() -> (CookieJar, Arc<AtomicU64>) {
    let seconds = Arc::new(AtomicU64::new(START));
    let clock = seconds.clone();
    (CookieJar::new(move || UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::Relaxed))), seconds)
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn sent(jar: &CookieJar, to: &str) -> String {
    let field = jar.field(&url(to));
    field.map_or(String::new(), |field| String::from_utf8_lossy(field.as_bytes()).into_owned())
}

/// Checks what is sent to `to` after `from` has set `field`.
#[track_caller]
fn after(from: &str, field: &str, to: &str, expected: &str) {
    let jar = jar().0;
    jar.take(&url(from), field.as_bytes());
    assert_eq!(sent(&jar, to), expected, "{field:?} of {from} to {to}");
}

#[test]
fn names_and_values_are_parsed_as_specified() {
    let (http, here) = ("http://h.example/", "http://h.example/");
    for (field, expected) in [
        ("a=b", "a=b"),
        (" \ta = b \t; x", "a=b"),
        ("a=", "a="),
        ("a=b=c", "a=b=c"),
        ("a=\"b c\"", "a=\"b c\""),
        ("a=b, c=d", "a=b, c=d"),
        ("a=\u{e9}", "a=\u{e9}"),
        ("=b", ""),
        ("b", ""),
        ("", ""),
        (";", ""),
        ("a=b\tc", ""),
        ("a=b\u{1}", ""),
        ("a=b; x=\u{7f}", ""),
        ("a=b; Unknown; =; ;;", "a=b"),
        ("a=b; SameSite=Strict", "a=b"),
    ] {
        after(http, field, here, expected);
    }
    let long = |count| format!("a={}", "x".repeat(count));
    after(http, &long(4_095), here, &long(4_095));
    after(http, &long(4_096), here, "");
    let deep = |count| format!("http://h.example/{}/x", "p".repeat(count));
    after(&deep(4_095), "a=b", &deep(4_095), "a=b");
    after(&deep(4_096), "a=b", &deep(4_096), "");
    let host = format!("http://{}h.example/", "h.".repeat(200));
    after(&host, "a=b", &host, "");
    // An attribute that is too long is ignored.
    after("http://h.example/p/q", &format!("a=b; Path=/{}", "x".repeat(1_024)), "http://h.example/p/", "a=b");
}

#[test]
fn hosts_see_their_own_cookies_only() {
    let host = "http://www.example.co.uk/";
    for (field, to, expected) in [
        ("a=b", "http://www.example.co.uk:8080/", "a=b"),
        ("a=b", "http://x.www.example.co.uk/", ""),
        ("a=b", "http://example.co.uk/", ""),
        ("a=b; Domain=.Example.CO.UK", "http://other.example.co.uk/", "a=b"),
        ("a=b; domain=example.co.uk", "http://example.co.uk/", "a=b"),
        ("a=b; domain=example.co.uk", "http://badexample.co.uk/", ""),
        ("a=b; domain=www.example.co.uk", "http://x.www.example.co.uk/", "a=b"),
        ("a=b; domain=x.www.example.co.uk", "http://x.www.example.co.uk/", ""),
        ("a=b; domain=example.org", "http://example.org/", ""),
        ("a=b; domain=co.uk", host, ""),
        ("a=b; domain=.uk", host, ""),
        ("a=b; domain=\u{e9}.example", host, ""),
        ("a=b; domain=", "http://x.www.example.co.uk/", ""),
        ("a=b; domain=", host, "a=b"),
        ("a=b; domain=example.org; domain=example.co.uk", "http://example.co.uk/", "a=b"),
    ] {
        after(host, field, to, expected);
    }
    after("http://github.io/", "a=b; domain=github.io", "http://github.io/", "a=b");
    after("http://github.io/", "a=b; domain=github.io", "http://me.github.io/", "");
    after("http://example.com./", "a=b; domain=com.", "http://other.com./", "");
    after("http://localhost/", "a=b; domain=localhost", "http://localhost/", "a=b");
    after("http://10.0.0.1/", "a=b; domain=10.0.0.1", "http://10.0.0.1:81/", "a=b");
    after("http://10.0.0.1/", "a=b; domain=0.0.1", "http://10.0.0.1/", "");
    after("http://[::1]/", "a=b", "http://[0::1]/", "a=b");
}

#[test]
fn paths_and_schemes_limit_where_a_cookie_is_sent() {
    for (from, field, to, expected) in [
        ("http://h.example/p/q", "a=b", "http://h.example/p/r", "a=b"),
        ("http://h.example/p/q", "a=b", "http://h.example/", ""),
        ("http://h.example/p/q", "a=b; Path=/", "http://h.example/x?y", "a=b"),
        ("http://h.example/p/q", "a=b; path=relative", "http://h.example/p", "a=b"),
        ("http://h.example/p/q", "a=b; path=", "http://h.example/x", ""),
        ("http://h.example/", "a=b; path=/x; path=/y", "http://h.example/x", ""),
        ("http://h.example/", "a=b; path=/x", "http://h.example/xy", ""),
        ("https://h.example/", "a=b; Secure", "https://h.example/", "a=b"),
        ("https://h.example/", "a=b; Secure", "http://h.example/", ""),
        ("http://h.example/", "a=b; Secure", "https://h.example/", ""),
        ("https://h.example/", "a=b; HttpOnly", "http://h.example/", "a=b"),
    ] {
        after(from, field, to, expected);
    }
}

#[test]
fn name_prefixes_are_enforced() {
    let https = "https://h.example/";
    for (field, is_taken) in [
        ("__Secure-a=b; Secure", true),
        ("__Secure-a=b", false),
        ("__SECURE-a=b", false),
        ("__Host-a=b; Secure; Path=/", true),
        ("__Host-a=b; Secure", false),
        ("__Host-a=b; Path=/", false),
        ("__Host-a=b; Secure; Path=/x", false),
        ("__host-a=b; Secure; Path=/; Domain=h.example", false),
    ] {
        let expected = if is_taken { field.split(';').next().unwrap() } else { "" };
        after(https, field, https, expected);
    }
    after("http://h.example/", "__Secure-a=b; Secure", https, "");
}

#[test]
fn cookies_expire() {
    let here = "http://h.example/";
    for (field, lives) in [
        ("a=b", u64::MAX),
        ("a=b; Max-Age=10", 10),
        ("a=b; Expires=Sun, 06 Nov 1994 08:49:57 GMT", 20),
        ("a=b; Expires=Sun, 06-Nov-1994 08:49:57 GMT; Max-Age=10", 10),
        ("a=b; Max-Age=10; Expires=Sun, 06 Nov 1994 08:49:57 GMT", 10),
        ("a=b; Max-Age=x; Expires=Sun, 06 Nov 1994 08:49:57 GMT", 20),
        ("a=b; Max-Age=5; Max-Age=", 5),
        ("a=b; Expires=nonsense", u64::MAX),
        ("a=b; Max-Age=0", 0),
        ("a=b; Max-Age=-1", 0),
        ("a=b; Max-Age=999999999999999999999999", 400 * 86_400),
        ("a=b; Expires=Fri, 31 Dec 9999 23:59:59 GMT", 400 * 86_400),
        ("a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ] {
        let (jar, clock) = jar();
        jar.take(&url(here), field.as_bytes());
        assert_eq!(sent(&jar, here).is_empty(), lives == 0, "{field}");
        if lives > 0 && lives < u64::MAX {
            clock.store(START + lives - 1, Ordering::Relaxed);
            assert_eq!(sent(&jar, here), "a=b", "{field}");
            clock.store(START + lives, Ordering::Relaxed);
            assert_eq!(sent(&jar, here), "", "{field}");
        }
    }
}

#[test]
fn a_cookie_replaces_an_equal_one() {
    let jar = jar().0;
    let here = "http://h.example/p/q";
    for field in ["a=1", "b=2", "a=3", "a=4; Path=/", "a=5; Domain=h.example", "c=6; Path=/p/q"] {
        jar.take(&url(here), field.as_bytes());
    }
    assert_eq!(sent(&jar, here), "c=6; a=3; b=2; a=5; a=4", "longer paths first, then the older ones");
    jar.take(&url(here), b"a=; Max-Age=0");
    assert_eq!(sent(&jar, here), "c=6; b=2; a=5; a=4");
}

#[test]
fn an_insecure_connection_cannot_replace_a_secure_cookie() {
    let jar = jar().0;
    jar.take(&url("https://www.h.example/"), b"a=good; Secure; Path=/p");
    for field in
        ["a=bad; Path=/p", "a=bad; Path=/p/q", "a=bad; Domain=h.example; Path=/p", "a=; Path=/p; Max-Age=0"]
    {
        jar.take(&url("http://www.h.example/"), field.as_bytes());
        assert_eq!(sent(&jar, "https://www.h.example/p/q"), "a=good", "{field}");
    }
    jar.take(&url("http://www.h.example/"), b"a=elsewhere; Path=/");
    assert_eq!(sent(&jar, "http://www.h.example/p"), "a=elsewhere");
    jar.take(&url("https://www.h.example/"), b"a=new; Path=/p");
    assert_eq!(sent(&jar, "http://www.h.example/p"), "a=new; a=elsewhere", "its own server may");
}

#[test]
fn the_least_recently_used_are_removed_when_there_are_too_many() {
    let (jar, clock) = jar();
    let here = "https://www.h.example/";
    jar.take(&url(here), b"secure=1; Secure");
    jar.take(&url(here), b"used=1; Path=/used");
    jar.take(&url(here), b"short=1; Max-Age=1");
    for index in 0..SITE_COUNT_MAX {
        jar.take(&url("https://other.h.example/"), format!("c{index}=x").as_bytes());
        sent(&jar, "https://www.h.example/used");
        clock.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(jar.len(), SITE_COUNT_MAX);
    assert_eq!(sent(&jar, "https://www.h.example/used"), "used=1; secure=1");
    let left = sent(&jar, "https://other.h.example/");
    assert!(
        !left.contains("c0=") && !left.contains("c1=") && left.contains("c2=") && left.contains("c149="),
        "{left}"
    );
    // Another site has its own share.
    jar.take(&url("http://other.example/"), b"a=b");
    assert_eq!(jar.len(), SITE_COUNT_MAX + 1);
}

#[test]
fn a_run_over_endless_hosts_keeps_a_bounded_number() {
    let jar = jar().0;
    for index in 0..20_000 {
        jar.take(&url(&format!("http://h{index}.example/")), b"a=b");
        assert!(jar.len() <= COUNT_MAX);
        if index % 100 == 0 {
            assert_eq!(sent(&jar, "http://h0.example/"), "a=b", "what is used stays");
        }
    }
    assert!(jar.len() > COUNT_MAX * 8 / 10, "no more go than must: {}", jar.len());
    assert_eq!(sent(&jar, "http://h19999.example/"), "a=b");
    assert_eq!(sent(&jar, "http://h1.example/"), "");
}

#[test]
fn the_field_has_a_length_that_servers_accept() {
    let jar = jar().0;
    for index in 0..5 {
        jar.take(&url("http://h.example/"), format!("c{index}={}", "x".repeat(3_000)).as_bytes());
    }
    let field = sent(&jar, "http://h.example/");
    assert!(field.len() <= FIELD_BYTES_MAX && field.contains("; c1=") && !field.contains("c2="));
}

#[test]
fn files_are_those_of_curl_and_wget() {
    let (jar, _) = jar();
    let file = "# Netscape HTTP Cookie File\n# comment\r\n\n\
        h.example\tFALSE\t/\tFALSE\t0\tsession\t1\r\n\
        #HttpOnly_.h.example\tTRUE\t/\tTRUE\t2000000000\tall\t2\n\
        h.example\tTRUE\t/\tfalse\t2000000000\tempty\n\
        H.Example:8080\tFALSE\t/\tFALSE\t\tport\t3\n\
        h.example\tFALSE\t/\tFALSE\t784111777\texpired\t4\n\
        com\tTRUE\t/\tFALSE\t0\tsuffix\t5\n\
        h.example\tFALSE\t/\tFALSE\t0\t__Secure-x\t6\n\
        .127.0.0.1\tTRUE\t/\tFALSE\t99999999999999999999999\taddress\t7\n\
        ::1\tFALSE\t/\tFALSE\t0\tsix\t8";
    jar.read(file.as_bytes()).unwrap();
    assert_eq!(sent(&jar, "https://h.example/"), "session=1; all=2; empty=; port=3");
    assert_eq!(sent(&jar, "https://www.h.example/"), "all=2; empty=");
    assert_eq!(sent(&jar, "http://any.com/"), "", "nobody sets cookies for all of a public suffix");
    assert_eq!(
        (sent(&jar, "http://127.0.0.1/"), sent(&jar, "http://[::1]/")),
        ("address=7".to_owned(), "six=8".to_owned())
    );
    let written = String::from_utf8(jar.to_file()).unwrap();
    assert_eq!(
        written,
        "# Netscape HTTP Cookie File\n\n\
        h.example\tFALSE\t/\tFALSE\t0\tsession\t1\n\
        #HttpOnly_.h.example\tTRUE\t/\tTRUE\t2000000000\tall\t2\n\
        .h.example\tTRUE\t/\tFALSE\t2000000000\tempty\t\n\
        h.example\tFALSE\t/\tFALSE\t0\tport\t3\n\
        com\tFALSE\t/\tFALSE\t0\tsuffix\t5\n\
        127.0.0.1\tFALSE\t/\tFALSE\t18446744073709551615\taddress\t7\n\
        [::1]\tFALSE\t/\tFALSE\t0\tsix\t8\n"
    );
    let again = self::jar().0;
    again.read(written.as_bytes()).unwrap();
    assert_eq!(again.to_file(), written.as_bytes());
}

#[test]
fn invalid_lines_are_reported_by_number_only() {
    let good = "h.example\tFALSE\t/\tFALSE\t0\ta\tb\n";
    for line in [
        "h.example",
        "h.example FALSE / FALSE 0 a secret",
        "\tFALSE\t/\tFALSE\t0\ta\tsecret",
        "..example\tFALSE\t/\tFALSE\t0\ta\tsecret",
        "a b\tFALSE\t/\tFALSE\t0\ta\tsecret",
        "h.example:x\tFALSE\t/\tFALSE\t0\ta\tsecret",
        "h.example\tNO\t/\tFALSE\t0\ta\tsecret",
        "h.example\tFALSE\tp\tFALSE\t0\ta\tsecret",
        "h.example\tFALSE\t/\t1\t0\ta\tsecret",
        "h.example\tFALSE\t/\tFALSE\t-1\ta\tsecret",
        "h.example\tFALSE\t/\tFALSE\t0\t\tsecret",
        "h.example\tFALSE\t/\tFALSE\t0\ta\tsecret\tmore",
    ] {
        let jar = jar().0;
        let error = jar.read(format!("{good}\n{line}\n{good}").as_bytes()).unwrap_err();
        assert_eq!(error, BadCookieLine { number: 3 }, "{line}");
        assert!(jar.is_empty() && !format!("{error} {error:?}").contains("secret"));
    }
}

#[test]
fn the_content_of_cookies_is_not_shown() {
    let jar = jar().0;
    jar.take(&url("http://h.example/"), b"a=secret");
    assert_eq!(format!("{jar:?}"), "CookieJar(1)");
    assert!(!format!("{:?}", jar.field(&url("http://h.example/"))).contains("secret"));
}

#[test]
fn a_jar_writes_only_what_it_can_read_again() {
    for host in
        ["..example.org", "..", ".", "a.example.", "[::1]", "a_b.example", "$x.example", "a*b.example"]
    {
        let Ok(url) = Url::parse(&format!("http://{host}/")) else { continue };
        let jar = jar().0;
        jar.take(&url, b"a=b");
        assert!(super::CookieJar::new(SystemTime::now).read(&jar.to_file()).is_ok(), "{host}");
    }
}

#[test]
fn a_response_sets_at_most_fifty_cookies() {
    let jar = jar().0;
    let field = |number: u32| (SET_COOKIE, HeaderValue::from_str(&format!("c{number}=v")).unwrap());
    jar.take_all(&url("http://h.example/"), &(0..60).map(field).collect());
    assert_eq!(jar.len(), 50);
}

#[test]
fn files_of_other_programs_are_read() {
    let jar = jar().0;
    let line = |expires: &str, rest: &str| format!("h.example\tFALSE\t/\tfalse\t{expires}\t{rest}\n");
    let file = [
        "# HTTP Cookie File\r\n".to_owned(),
        line("0", "six"),
        line("1784111777.25", "fraction\tv"),
        line("1", "expired\tv"),
        format!("#HttpOnly_{}", line("", "hidden\tv")),
    ];
    jar.read(file.concat().as_bytes()).unwrap();
    assert_eq!(sent(&jar, "http://h.example/"), "six=; fraction=v; hidden=v");
    assert!(jar.read(line("1x.5", "x\tv").as_bytes()).is_err());
}

#[test]
fn secure_cookies_are_kept_on_this_machine() {
    after("http://127.0.0.1/", "a=b; Secure", "http://127.0.0.1/", "a=b");
    after("http://localhost/", "__Host-a=b; Secure; Path=/", "http://localhost/", "__Host-a=b");
    after("http://h.example/", "a=b; Secure", "http://h.example/", "");
}

#[test]
fn what_two_runs_changed_is_merged() {
    let line = |name: &str, value: &str| format!("h.example\tFALSE\t/\tFALSE\t0\t{name}\t{value}\n");
    let before = ["a", "b", "c"].map(|name| line(name, "1")).concat();
    let jar = jar().0;
    jar.read(before.as_bytes()).unwrap();
    for field in ["a=2", "b=; Max-Age=0", "d=4"] {
        jar.take(&url("http://h.example/"), field.as_bytes());
    }
    let theirs = [line("a", "9"), line("b", "1"), line("e", "5")].concat();
    let merged = String::from_utf8(jar.merged(before.as_bytes(), theirs.as_bytes()).unwrap()).unwrap();
    for (part, is_there) in
        [("a\t2", true), ("\tb\t", false), ("\tc\t", false), ("d\t4", true), ("e\t5", true)]
    {
        assert_eq!(merged.contains(part), is_there, "{part}: {merged}");
    }
    assert!(jar.merged(b"", b"nothing of the kind").is_err());
}
