//! Continuing an earlier attempt or run, against scripted servers.

use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use haul_engine::{Engine, Event, Failure, run};
use haul_fetch::{Config, Destination, Error, Expected, FetchJob, FetchTask};
use haul_io::{Cancel, Publish};
use haul_testkit::{Answer, End, Request, Server, Workdir, seeded_bytes};

const BYTES: usize = 500_000;
const CUT: usize = 300_000;

fn body() -> Vec<u8> {
    seeded_bytes(7, BYTES)
}

fn retrying() -> Config {
    Config { retry_pause: Duration::ZERO, ..Config::default() }
}

/// One attempt per run; its bytes are kept for the next run.
fn keeping() -> Config {
    Config { retries: 0, resume: true, ..Config::default() }
}

struct Dir(Workdir);

impl Deref for Dir {
    type Target = Workdir;

    fn deref(&self) -> &Workdir {
        &self.0
    }
}

impl Dir {
    fn new() -> Self {
        Self(Workdir::new())
    }

    fn file(&self) -> Option<Vec<u8>> {
        self.read_if_present("x")
    }

    fn fetch(&self, config: Config, url: &str, expected: Expected) -> Result<(u32, bool), Error> {
        let publish = Publish::new(self.path("x"));
        let mut task = FetchTask::new(url, Destination::File(publish));
        task.expected = expected;
        fetch(config, task)
    }
}

/// The number of attempts, and whether the file was skipped.
fn fetch(config: Config, task: FetchTask) -> Result<(u32, bool), Error> {
    let (engine, cancel) = (Engine::Serial, Cancel::new().unwrap());
    let run_config = haul_engine::Config::new(engine, cancel);
    let mut end = None;
    run(&FetchJob::new(config), [task].into_iter(), &run_config, |event| {
        if let Event::Settled(settled) = event {
            end = Some(match &settled.outcome {
                Ok(fetched) => Ok((fetched.attempts, fetched.skipped)),
                Err(Failure::Job(failed)) => Err(format!("{failed:?}")),
                Err(_) => Err("no job's error".to_owned()),
            });
        }
    });
    end.unwrap().map_err(|text| Error::Url { reason: text })
}

/// The first request gets `first`, the others what `then` returns.
fn server(first: Answer, then: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => first.clone(),
        number => then(request, number),
    })
}

/// The whole, cut.
fn cut() -> Answer {
    Answer::ok(body()).header("ETag", "\"1\"").cut_after(CUT, End::Close)
}

fn asked(server: &Server) -> Vec<(Option<String>, Option<String>)> {
    let header = |request: &Request, name| request.header(name).map(str::to_owned);
    server.requests().iter().map(|one| (header(one, "range"), header(one, "if-range"))).collect()
}

fn some(range: &str, if_range: &str) -> (Option<String>, Option<String>) {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (text(range), text(if_range))
}

#[test]
fn the_next_attempt_continues_after_the_last_byte() {
    for config in [retrying(), Config { resume: true, ..retrying() }] {
        let server = server(cut(), |request, _| Answer::ranged(request, &body(), "\"1\""));
        let place = Dir::new();
        let sha = Expected { checksums: vec![sha256(&body())], size: Some(BYTES as u64), hash: None };
        assert_eq!(place.fetch(config, &server.url("/x"), sha).unwrap(), (2, false));
        assert!(place.file() == Some(body()));
        assert_eq!(asked(&server), [some("", ""), some("bytes=300000-", "\"1\"")]);
        assert_eq!(place.names(), ["x"]);
    }
}

fn sha256(bytes: &[u8]) -> haul_fetch::Checksum {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}").parse().unwrap()
}

#[test]
fn downloads_that_cannot_be_continued_start_over() {
    let other = || seeded_bytes(8, BYTES);
    let new = move |request: &Request, _| Answer::ranged(request, &other(), "\"2\"");
    let wrong = |content_range: &'static str| {
        move |request: &Request, number: usize| match number {
            1 => Answer::new(206).header("ETag", "\"1\"").header("Content-Range", content_range).body("?"),
            _ => Answer::ranged(request, &body(), "\"1\""),
        }
    };
    let plain = |_: &Request, _: usize| Answer::ok(body());
    // Without any validator it would not be believed: see `kept`.
    let tagged = |_: &Request, _: usize| Answer::ok(body()).header("ETag", "W/\"1\"");
    // The responses, the resulting file, and the number of requests.
    let weak = Answer::ok(body()).header("ETag", "W/\"1\"").cut_after(CUT, End::Close);
    for (what, server, expected, count) in [
        ("changed", server(cut(), new), other(), 2),
        ("no ranges", server(cut(), tagged), body(), 2),
        ("weak", server(weak, plain), body(), 2),
        ("no validator", server(Answer::ok(body()).cut_after(CUT, End::Close), plain), body(), 2),
        ("another start", server(cut(), wrong("bytes 299999-299999/500000")), body(), 3),
        ("another total", server(cut(), wrong("bytes 300000-300000/500001")), body(), 3),
        ("no number", server(cut(), wrong("bytes x")), body(), 3),
    ] {
        let place = Dir::new();
        assert_eq!(place.fetch(retrying(), &server.url("/x"), Expected::default()).unwrap().0, 2, "{what}");
        assert!(place.file() == Some(expected), "{what}");
        assert_eq!(server.requests().len(), count, "{what}");
        assert_eq!(
            server.requests().last().unwrap().header("range").is_some(),
            what == "changed" || what == "no ranges",
            "{what}"
        );
    }
}

#[test]
fn a_server_that_denies_every_condition_gets_a_request_without() {
    let denying = server(cut(), |request, _| match request.header("if-range") {
        Some(_) => Answer::ok(body()).header("ETag", "\"1\""),
        None => Answer::ranged(request, &body(), "\"1\""),
    });
    let place = Dir::new();
    assert_eq!(place.fetch(retrying(), &denying.url("/x"), Expected::default()).unwrap(), (2, false));
    assert!(place.file() == Some(body()));
    let expected = [some("", ""), some("bytes=300000-", "\"1\""), some("bytes=300000-", "")];
    assert_eq!(asked(&denying), expected);
}

#[test]
fn a_server_may_send_the_missing_bytes_in_pieces() {
    let server = server(cut(), |request, _| {
        let first: usize = request.header("range").unwrap()[6..].trim_end_matches('-').parse().unwrap();
        let last = (first + 90_000).min(BYTES - 1);
        Answer::new(206)
            .header("ETag", "\"1\"")
            .header("Content-Range", &format!("bytes {first}-{last}/{BYTES}"))
            .body(&body()[first..=last])
    });
    let place = Dir::new();
    assert_eq!(place.fetch(retrying(), &server.url("/x"), Expected::default()).unwrap(), (2, false));
    assert!(place.file() == Some(body()));
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_later_run_continues_and_leaves_only_the_file() {
    let dated = |answer: Answer| answer.header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    let rest = move |request: &Request, _| dated(Answer::ranged(request, &body(), "\"1\""));
    let server = server(dated(cut()), rest);
    let place = Dir::new();
    place.fetch(keeping(), &server.url("/x"), Expected::default()).unwrap_err();
    assert_eq!(place.names(), ["x.haul-part", "x.haul-part.from"]);
    assert!(std::fs::read(place.path("x.haul-part")).unwrap() == body()[..CUT]);
    assert_eq!(place.fetch(keeping(), &server.url("/x"), Expected::default()).unwrap(), (1, false));
    assert!(place.file() == Some(body()));
    assert_eq!(place.names(), ["x"]);
    assert_eq!(asked(&server)[1], some("bytes=300000-", "\"1\""));
    // Once more: only the first byte is requested.
    assert_eq!(place.fetch(keeping(), &server.url("/x"), Expected::default()).unwrap(), (1, true));
    assert_eq!(asked(&server)[2], some("bytes=0-0", ""));
    let without = Config { resume: false, ..keeping() };
    let error = place.fetch(without, &server.url("/x"), Expected::default()).unwrap_err();
    assert!(error.to_string().contains("Exists"), "{error}");
}

#[test]
fn partial_files_of_other_urls_and_damaged_ones_are_not_used() {
    let record = |place: &Dir| place.path("x.haul-part.from");
    type Change = (&'static str, fn(&Dir, &Path));
    let changes: [Change; 4] = [
        ("another URL", |_, record| {
            let text = std::fs::read_to_string(record).unwrap();
            std::fs::write(record, text.replacen("/x", "/y", 1)).unwrap();
        }),
        ("a cut record", |_, record| {
            let text = std::fs::read(record).unwrap();
            std::fs::write(record, &text[..text.len() - 1]).unwrap();
        }),
        ("no record", |_, record| std::fs::remove_file(record).unwrap()),
        ("too many bytes", |place, _| {
            std::fs::write(place.path("x.haul-part"), vec![0; BYTES + 1]).unwrap();
        }),
    ];
    for (what, change) in changes {
        let server = server(cut(), |request, _| Answer::ranged(request, &body(), "\"1\""));
        let place = Dir::new();
        place.fetch(keeping(), &server.url("/x"), Expected::default()).unwrap_err();
        change(&place, &record(&place));
        place.fetch(keeping(), &server.url("/x"), Expected::default()).unwrap();
        assert!(place.file() == Some(body()), "{what}");
        assert_eq!(asked(&server)[1], some("", ""), "{what}");
        assert_eq!(place.names(), ["x"], "{what}");
    }
}

#[test]
fn bytes_that_are_all_there_are_confirmed_by_416() {
    // Chunks without the last one: whether bytes are missing is unknown.
    let first = Answer::ok(body()).header("ETag", "\"1\"").chunked(&[BYTES]);
    let all = BYTES + format!("{BYTES:x}\r\n\r\n").len();
    let server =
        server(first.cut_after(all, End::Close), |request, _| Answer::ranged(request, &body(), "\"1\""));
    let place = Dir::new();
    assert_eq!(place.fetch(retrying(), &server.url("/x"), Expected::default()).unwrap(), (2, false));
    assert!(place.file() == Some(body()));
    assert_eq!(asked(&server)[1], some("bytes=500000-", "\"1\""));
}

/// As [`Answer::ranged`], from a server whose 416 doesn't tell the length of the whole.
fn ranged_without_length(request: &Request, body: &[u8], etag: &str) -> Answer {
    let first = request.header("range").and_then(|range| range[6..].trim_end_matches('-').parse().ok());
    let is_same = request.header("if-range").is_none_or(|tag| tag == etag);
    match first {
        Some(first) if is_same && body.len() <= first => Answer::new(416).body("nothing there"),
        _ => Answer::ranged(request, body, etag),
    }
}

#[test]
fn bytes_that_are_all_there_are_confirmed_by_the_last_one_where_416_says_no_length() {
    let server = server(cut(), |request, _| ranged_without_length(request, &body(), "\"1\""));
    let place = Dir::new();
    place.fetch(keeping(), &server.url("/x"), Expected::default()).unwrap_err();
    std::fs::write(place.path("x.haul-part"), body()).unwrap();
    assert_eq!(place.fetch(keeping(), &server.url("/x"), Expected::default()).unwrap(), (1, false));
    assert!(place.file() == Some(body()));
    assert_eq!(place.names(), ["x"]);
    assert_eq!(asked(&server)[1..], [some("bytes=500000-", "\"1\""), some("bytes=499999-", "\"1\"")]);
    let requests = server.requests();
    assert_eq!(requests[1].connection, requests[2].connection, "the 416 is read to its end");
}

#[test]
fn a_download_that_the_last_byte_does_not_complete_starts_over() {
    let last = |range: &str| Answer::new(206).header("Content-Range", &format!("bytes {range}")).body("?");
    let same = |range| last(range).header("ETag", "\"1\"");
    // What the server says of the last byte, and whether it has the whole.
    for (what, answer, is_whole) in [
        ("another file", Answer::ok(seeded_bytes(8, BYTES)).header("ETag", "\"2\""), true),
        ("no conditions", Answer::ok(seeded_bytes(8, BYTES)).header("ETag", "W/\"2\""), true),
        ("another file, in part", last("499999-499999/500000").header("ETag", "\"2\""), false),
        ("no validator", last("499999-499999/500000"), false),
        ("a longer file", same("499999-499999/500001"), false),
        ("another byte", same("0-0/500000"), false),
        ("no length", same("499999-499999/*"), false),
        ("a shorter file", Answer::new(416), false),
        (
            "a shorter file, with its length",
            Answer::new(416).header("Content-Range", "bytes */499999"),
            false,
        ),
    ] {
        // In chunks, so that the length of the whole is unknown.
        let first = Answer::ok(body()).header("ETag", "\"1\"").chunked(&[BYTES]).cut_after(CUT, End::Close);
        let server = server(first, move |_, number| match number {
            1 => Answer::new(416),
            2 => answer.clone(),
            _ => Answer::ok(seeded_bytes(8, BYTES)).header("ETag", "\"2\""),
        });
        let place = Dir::new();
        place.fetch(keeping(), &server.url("/x"), Expected::default()).unwrap_err();
        std::fs::write(place.path("x.haul-part"), body()).unwrap();
        assert_eq!(
            place.fetch(keeping(), &server.url("/x"), Expected::default()).unwrap(),
            (1, false),
            "{what}"
        );
        assert!(place.file() == Some(seeded_bytes(8, BYTES)), "{what}");
        assert_eq!(place.names(), ["x"], "{what}");
        let mut expected = vec![some("bytes=500000-", "\"1\""), some("bytes=499999-", "\"1\"")];
        expected.extend((!is_whole).then(|| some("", "")));
        assert_eq!(asked(&server)[1..], expected, "{what}");
    }
}

#[test]
fn the_date_of_the_first_response_counts_if_later_ones_have_none() {
    use std::os::unix::fs::MetadataExt;
    for kept_bytes in [CUT, BYTES] {
        let first = cut().header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        let server = server(first, |request, _| Answer::ranged(request, &body(), "\"1\""));
        let place = Dir::new();
        place.fetch(keeping(), &server.url("/x"), Expected::default()).unwrap_err();
        std::fs::write(place.path("x.haul-part"), &body()[..kept_bytes]).unwrap();
        place.fetch(keeping(), &server.url("/x"), Expected::default()).unwrap();
        assert!(place.file() == Some(body()));
        assert_eq!(place.path("x").metadata().unwrap().mtime(), 784_111_777, "behind {kept_bytes} bytes");
    }
}

#[test]
fn a_file_that_differs_from_the_servers_is_left_alone() {
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    let answer = |modified: &str| Answer::ok("hello").header("Last-Modified", modified);
    let (same, newer) = (answer(old), answer("Sun, 06 Nov 1994 08:49:38 GMT"));
    let undated = Answer::ok("hello");
    let sum = |bytes| Expected { checksums: vec![sha256(bytes)], ..Expected::default() };
    for (answer, content, expected, fits) in [
        (same.clone(), "hello", Expected::default(), true),
        (newer.clone(), "hello", sum(b"hello"), true),
        (undated.clone(), "hello", sum(b"hello"), true),
        (same.clone(), "hullo", sum(b"hello"), false),
        // Only the content tells.
        (undated.clone(), "hello", Expected::default(), true),
        (undated, "hullo", Expected::default(), false),
        (same.clone(), "hello", Expected { size: Some(6), ..Expected::default() }, false),
        (same, "hello!", Expected::default(), false),
        (newer, "hello", Expected::default(), false),
        (Answer::new(404), "hello", Expected::default(), false),
    ] {
        let server = Server::start(move |_| answer.clone());
        let place = Dir::new();
        std::fs::write(place.path("x"), content).unwrap();
        let file = std::fs::File::options().write(true).open(place.path("x")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
        let result = place.fetch(keeping(), &server.url("/x"), expected);
        assert_eq!(result.is_ok_and(|(_, skipped)| skipped), fits);
        assert_eq!(place.file().unwrap(), content.as_bytes());
        assert_eq!(place.names(), ["x"]);
    }
}

#[test]
fn an_unexpected_body_is_not_kept() {
    let digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    let wrong = sha256(b"something else");
    for (what, answer, expected) in [
        ("checksum", Answer::ok(body()), Expected { checksums: vec![wrong.clone()], ..Expected::default() }),
        ("small", Answer::ok("x"), Expected { checksums: vec![wrong], ..Expected::default() }),
        ("size", Answer::ok(body()), Expected { size: Some(5), ..Expected::default() }),
        (
            "size in chunks",
            Answer::ok(body()).chunked(&[99_999]),
            Expected { size: Some(5), ..Expected::default() },
        ),
        ("Repr-Digest", Answer::ok(body()).header("Repr-Digest", digest), Expected::default()),
        ("Content-Digest", Answer::ok(body()).header("Content-Digest", digest), Expected::default()),
        ("Digest", Answer::ok(body()).header("Digest", &digest.replace(':', "")), Expected::default()),
    ] {
        let answer = answer.header("ETag", "\"1\"");
        let server = Server::start(move |_| answer.clone());
        let place = Dir::new();
        let error =
            place.fetch(Config { resume: true, ..retrying() }, &server.url("/x"), expected).unwrap_err();
        assert!(
            error.to_string().contains("Checksum") || error.to_string().contains("Size"),
            "{what}: {error}"
        );
        assert_eq!(place.names(), [""; 0], "{what}");
        assert_eq!(server.requests().len(), 1, "{what}: another attempt would bring the same");
    }
}

#[test]
fn a_stream_is_continued_and_never_gets_a_byte_twice() {
    for (etag, ok) in [("\"1\"", true), ("\"2\"", false)] {
        let server = server(cut(), move |request, _| Answer::ranged(request, &body(), etag));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let out = std::fs::File::create(&path).unwrap();
        let result = fetch(retrying(), FetchTask::new(&server.url("/x"), Destination::Stream(out.into())));
        let written = std::fs::read(&path).unwrap();
        assert_eq!(result.is_ok(), ok, "{result:?}");
        assert!(written == body()[..if ok { BYTES } else { CUT }]);
    }
}
