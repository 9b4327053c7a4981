//! What one run leaves for the next: partial files, complete files, records.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use haul_fetch::Config;
use haul_testkit::{Answer, End, Server, Workdir, seeded_bytes};

use super::format::{CHUNK, Format, config, decoded, fetch};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// One attempt a run.
fn keeping(has_key: bool) -> Config {
    let format = Format { has_key, ..Format::default() };
    // The files of another run have other keys.
    format.files.store(if has_key { 10 } else { 20 }, Ordering::Relaxed);
    Config { retries: 0, resume: true, ..config(&format) }
}

/// A server that cuts its first answer after `cut` bytes of a body of `bytes` bytes.
fn cutting(bytes: usize, cut: usize) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |request| {
        let body = seeded_bytes(1, bytes);
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::ok(body).header("ETag", "\"1\"").cut_after(cut, End::Close),
            _ => Answer::ranged(request, &body, "\"1\""),
        }
        .header("Last-Modified", DATE)
    })
}

#[test]
fn with_a_key_a_later_run_continues_under_another_key() {
    for (bytes, cut) in [(100, 17), (100, 33), (100, 99), (100, 64), (400_000, 131_073), (400_000, 399_999)] {
        let server = cutting(bytes, cut);
        let dir = Workdir::new();
        fetch(&dir, keeping(true), &server.url("/")).unwrap_err();
        assert_eq!(dir.names(), ["x.haul-part", "x.haul-part.from"], "{cut}");
        let old = dir.read("x.haul-part");
        assert_eq!(fetch(&dir, keeping(true), &server.url("/")), Ok((1, false, false)), "{cut}");
        assert_eq!(decoded(&dir.read("x")), seeded_bytes(1, bytes), "{cut}");
        assert_eq!(dir.names(), ["x"], "{cut}");
        let whole = (cut - 1) / CHUNK * CHUNK;
        let range = server.requests()[1].header("range").map(str::to_owned);
        assert_eq!(range, Some(format!("bytes={whole}-")), "{cut}");
        assert_eq!(old[..8], *b"TOY1\x0a\0\0\0");
    }
}

#[test]
fn what_is_continued_grows_from_run_to_run() {
    let server = Server::start(|request| {
        let body = seeded_bytes(1, 300_000);
        let first: usize =
            request.header("range").map_or(0, |range| range[6..].trim_end_matches('-').parse().unwrap());
        let answer = match first {
            0 => Answer::ok(body).header("ETag", "\"1\""),
            _ => Answer::ranged(request, &body, "\"1\""),
        };
        answer.cut_after(70_000, End::Close)
    });
    let dir = Workdir::new();
    let mut lengths = Vec::new();
    while fetch(&dir, keeping(true), &server.url("/")).is_err() {
        lengths.push(dir.read("x.haul-part").len());
        assert!(lengths.len() < 10);
    }
    assert!(lengths.is_sorted_by(|one, next| next - one > 80_000) && lengths.len() == 4, "{lengths:?}");
    assert_eq!(decoded(&dir.read("x")), seeded_bytes(1, 300_000));
    assert_eq!(dir.names(), ["x"]);
}

#[test]
fn without_a_key_a_later_run_starts_over_and_says_so() {
    for bytes in [100, 400_000] {
        let server = cutting(bytes, bytes - 1);
        let dir = Workdir::new();
        fetch(&dir, keeping(false), &server.url("/")).unwrap_err();
        assert_eq!(dir.names(), ["x.haul-part", "x.haul-part.from"]);
        assert_eq!(fetch(&dir, keeping(false), &server.url("/")), Ok((1, false, true)));
        assert_eq!(decoded(&dir.read("x")), seeded_bytes(1, bytes));
        assert_eq!(dir.names(), ["x"]);
        assert_eq!(server.requests()[1].header("range"), None);
    }
}

#[test]
fn a_partial_file_that_was_damaged_starts_over() {
    for (damage, at) in [("the head", 0), ("a chunk", 30), ("the last chunk", 100)] {
        let server = cutting(100, 99);
        let dir = Workdir::new();
        fetch(&dir, keeping(true), &server.url("/")).unwrap_err();
        dir.change("x.haul-part", |bytes| {
            let at = at.min(bytes.len() - 1);
            // The mark of a chunk is behind it.
            let at = if at == 0 { 0 } else { 8 + (at - 8) / 20 * 20 + 16 };
            bytes[at.min(127)] ^= 1;
        });
        let end = fetch(&dir, keeping(true), &server.url("/"));
        assert!(end.is_ok(), "{damage}: {end:?}");
        assert_eq!(decoded(&dir.read("x")), seeded_bytes(1, 100), "{damage}");
        assert_eq!(dir.names(), ["x"], "{damage}");
    }
}

#[test]
fn a_complete_file_is_known_by_its_length_and_time_without_a_key() {
    let body = |bytes| {
        move |request: &haul_testkit::Request| {
            Answer::ranged(request, &seeded_bytes(1, bytes), "\"1\"").header("Last-Modified", DATE)
        }
    };
    for has_key in [false, true] {
        let dir = Workdir::new();
        let server = Server::start(body(100));
        assert_eq!(fetch(&dir, keeping(has_key), &server.url("/")), Ok((1, false, false)));
        let stored = dir.read("x");
        assert_eq!(fetch(&dir, keeping(has_key), &server.url("/")), Ok((1, true, false)));
        let other = Server::start(body(101));
        let end = fetch(&dir, keeping(has_key), &other.url("/"));
        assert!(end.is_err_and(|error| error.contains("Differs")));
        assert_eq!(dir.read("x"), stored);
        dir.write("x", seeded_bytes(1, 100));
        let end = fetch(&dir, keeping(has_key), &server.url("/"));
        assert!(end.is_err_and(|error| error.contains("Differs")), "it isn't encoded");
    }
}

#[test]
fn what_a_killed_run_left_beside_a_complete_file_is_removed() {
    // With a time, length and time tell that it is complete; without, only the content does.
    for dated in [true, false] {
        let count = AtomicUsize::new(0);
        let server = Server::start(move |request| {
            let answer = match count.fetch_add(1, Ordering::SeqCst) {
                0 => Answer::ok(seeded_bytes(1, 300)).header("ETag", "\"1\"").cut_after(200, End::Close),
                _ => Answer::ranged(request, &seeded_bytes(1, 300), "\"1\""),
            };
            if dated { answer.header("Last-Modified", DATE) } else { answer }
        });
        let dir = Workdir::new();
        fetch(&dir, keeping(true), &server.url("/")).unwrap_err();
        let record = dir.read("x.haul-part.from");
        assert_eq!(fetch(&dir, keeping(true), &server.url("/")), Ok((1, false, false)));
        // The run was killed before it removed its record.
        dir.write("x.haul-part.from", record);
        std::fs::set_permissions(dir.path("x.haul-part.from"), Permissions::from_mode(0o600)).unwrap();
        assert_eq!(fetch(&dir, keeping(true), &server.url("/")), Ok((1, true, false)), "{dated}");
        assert_eq!(dir.names(), ["x"], "{dated}");
    }
}

#[test]
fn where_only_the_content_can_tell_a_key_is_needed() {
    let body = |seed| {
        move |request: &haul_testkit::Request| Answer::ranged(request, &seeded_bytes(seed, 100_000), "\"1\"")
    };
    for (has_key, same, other) in
        [(true, Ok((1, true, false)), "Differs"), (false, Err("Unreadable"), "Unreadable")]
    {
        let dir = Workdir::new();
        let server = Server::start(body(1));
        assert_eq!(fetch(&dir, keeping(has_key), &server.url("/")), Ok((1, false, false)));
        let stored = dir.read("x");
        let end = fetch(&dir, keeping(has_key), &server.url("/"));
        assert_eq!(end, same.map_err(str::to_owned));
        let end = fetch(&dir, keeping(has_key), &Server::start(body(2)).url("/"));
        assert_eq!(end, Err(other.to_owned()));
        assert_eq!((dir.read("x"), dir.names()), (stored, vec!["x".to_owned()]));
    }
}

#[test]
fn an_unchanged_file_is_known_without_a_key_and_its_record_names_no_url() {
    for etag in ["\"1\"", ""] {
        let server = Server::start(move |request| {
            let answer = if request.header("if-none-match") == Some("\"1\"")
                || request.header("if-modified-since") == Some(DATE)
            {
                Answer::new(304)
            } else {
                Answer::ok("body")
                    .header("Last-Modified", DATE)
                    .header("Date", "Mon, 07 Nov 1994 08:49:37 GMT")
            };
            if etag.is_empty() { answer } else { answer.header("ETag", etag) }
        });
        let dir = Workdir::new();
        let config = |format: &Format| Config { sync: true, ..config(format) };
        let url = server.url("/secret?token=hush");
        assert_eq!(fetch(&dir, config(&Format::default()), &url), Ok((1, false, false)));
        assert_eq!(dir.names(), ["x", "x.haul-from"]);
        let record = String::from_utf8(dir.read("x.haul-from")).unwrap();
        for hidden in ["secret", "hush", "http", &server.address().port().to_string()] {
            assert!(!record.contains(hidden), "{record}");
        }
        let stored = dir.read("x");
        assert_eq!(fetch(&dir, config(&Format::default()), &url), Ok((1, false, false)));
        assert_eq!(server.requests().len(), 2);
        assert_eq!(dir.read("x"), stored, "it is the same file");
        let other = fetch(&dir, config(&Format::default()), &server.url("/secret?token=else"));
        assert!(other.is_err_and(|error| error.contains("Exists")), "it came from another URL");
    }
}
