//! Large bodies that the kernel moves from the connection to the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use haul_fetch::{Config, Destination, Expected, FetchTask, HostLimits};
use haul_io::Existing;
use haul_testkit::{Answer, End, Server, Workdir, seeded_bytes};

use crate::encoded::format::sha256_of;
use crate::list::outcomes::outcomes;

const ENGINES: [&str; 3] = ["serial", "threads=2", "uring=1x4"];
/// Longer than what is received in small pieces.
const BYTES: usize = (9 << 20) + 12_345;

fn config(resume: bool) -> Config {
    Config { resume, retry_pause: std::time::Duration::ZERO, ..Config::default() }
}

/// Fetches `url` to the file `x` in `workdir`; its attempts, or the error.
fn fetch(
    engine: &str,
    config: Config,
    url: &str,
    workdir: &Workdir,
    expected: Expected,
) -> (u32, Option<String>) {
    let destination = Destination::file_in(workdir.dir(), "x".as_ref(), Existing::Refuse, None);
    let mut task = FetchTask::new(url, destination);
    task.expected = expected;
    let ends = outcomes(engine, config, HostLimits::default(), vec![task], |failed| failed.to_string());
    ends.into_values().next().unwrap()
}

#[test]
fn they_arrive_whole_on_every_engine_in_every_framing() {
    let content = Arc::new(seeded_bytes(1, BYTES));
    for engine in ENGINES {
        for framing in ["length", "chunked", "until close"] {
            let body = content.clone();
            let server = Server::start(move |_| match framing {
                "length" => Answer::ok(body.to_vec()),
                "chunked" => Answer::ok(body.to_vec()).chunked(&[100_000, 1, 3_000_000]),
                _ => Answer::ok(body.to_vec()).until_close(),
            });
            let workdir = Workdir::new();
            let end = fetch(engine, config(false), &server.url("/"), &workdir, Expected::default());
            assert_eq!(end, (1, None), "{engine} {framing}");
            assert!(workdir.read("x") == *content, "{engine} {framing}");
        }
    }
}

#[test]
fn wherever_a_connection_breaks_the_body_is_continued_where_it_was() {
    let content = Arc::new(seeded_bytes(1, BYTES));
    for engine in ENGINES {
        for (cut, resume) in [(BYTES - 1, false), (3 << 20, true), (8 << 20, false), ((5 << 20) + 1, true)] {
            let (count, body) = (AtomicUsize::new(0), content.clone());
            let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
                0 => Answer::ok(body.to_vec()).header("ETag", "\"1\"").cut_after(cut, End::Close),
                _ => Answer::ranged(request, &body, "\"1\""),
            });
            let workdir = Workdir::new();
            let end = fetch(engine, config(resume), &server.url("/"), &workdir, Expected::default());
            assert_eq!(end, (2, None), "{engine}, cut at {cut}");
            assert!(workdir.read("x") == *content, "{engine}, cut at {cut}");
            let ranges: Vec<_> = server
                .requests()
                .iter()
                .filter_map(|asked| asked.header("range").map(str::to_owned))
                .collect();
            assert_eq!(ranges, [format!("bytes={cut}-")], "{engine}");
            assert_eq!(workdir.names(), ["x"], "{engine}");
        }
    }
}

#[test]
fn what_follows_a_body_is_not_taken_into_the_file() {
    let content = seeded_bytes(1, BYTES);
    let body = content.clone();
    let server = Server::start(move |_| Answer::ok(body.clone()).followed_by(vec![b'!'; 100_000]));
    for engine in ENGINES {
        let workdir = Workdir::new();
        let end = fetch(engine, config(false), &server.url("/"), &workdir, Expected::default());
        assert_eq!(end, (1, None), "{engine}");
        assert!(workdir.read("x") == content, "{engine}");
    }
}

#[test]
fn a_body_that_is_hashed_is_seen_by_the_hash() {
    let content = seeded_bytes(1, BYTES);
    let body = content.clone();
    let server = Server::start(move |_| Answer::ok(body.clone()));
    for engine in ENGINES {
        let workdir = Workdir::new();
        let right = sha256_of(&content);
        assert_eq!(fetch(engine, config(false), &server.url("/"), &workdir, right), (1, None), "{engine}");
        let workdir = Workdir::new();
        let wrong = sha256_of(b"other");
        let (_, error) = fetch(engine, config(false), &server.url("/"), &workdir, wrong);
        assert!(error.is_some() && workdir.names().is_empty(), "{engine}");
    }
}
