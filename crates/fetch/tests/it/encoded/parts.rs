//! Files in segments whose parts are encoded by themselves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use haul_engine::Engine;
use haul_fetch::{Algorithm, Checksum, Config, Expected, Segments};
use haul_testkit::{Answer, End, Request, Server, Workdir, seeded_bytes};

use super::format::{CHUNK, Format, config, decoded, fetch, fetch_as, sha256_of};

const BYTES: usize = 40_003;

fn body() -> Vec<u8> {
    seeded_bytes(7, BYTES)
}

fn segmented(format: &Format, count_max: usize) -> Config {
    let segments = Segments { count_max, bytes_min: 1, piece_bytes_min: 100, ..Segments::default() };
    Config { segments, retry_pause: Duration::ZERO, ..config(format) }
}

/// The whole, or the part that is asked for.
fn answer(request: &Request) -> Answer {
    match request.header("range") {
        Some(_) => Answer::ranged(request, &body(), "\"1\""),
        None => Answer::ok(body()).header("ETag", "\"1\"").header("Accept-Ranges", "bytes"),
    }
}

fn sha256() -> Expected {
    Expected { size: Some(BYTES as u64), ..sha256_of(&body()) }
}

#[test]
fn parts_begin_at_chunks_and_make_one_file() {
    for engine in ["serial", "threads=4", "uring=2x4"] {
        for count in [2, 3, 8] {
            let server = Server::start(answer);
            let (dir, format) = (Workdir::new(), Format::default());
            let engine: Engine = engine.parse().unwrap();
            let end = fetch_as(engine, dir.dir(), segmented(&format, count), &server.url("/"), sha256());
            assert_eq!(end, Ok((1, false, false)));
            assert_eq!(decoded(&dir.read("x")), body(), "{engine:?}, {count}");
            assert_eq!((dir.names(), format.files.load(Ordering::Relaxed)), (vec!["x".to_owned()], 1));
            for range in server.requests().iter().filter_map(|request| request.header("range")) {
                let first: usize = range[6..].split('-').next().unwrap().parse().unwrap();
                assert_eq!(first % CHUNK, 0, "{range}");
            }
        }
    }
}

#[test]
fn connections_that_break_anywhere_lose_no_chunk_and_repeat_none() {
    for cut in [1, 15, 16, 17, 1_000, 9_999] {
        let count = AtomicUsize::new(0);
        let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
            number if number < 5 => answer(request).cut_after(cut, End::Close),
            _ => answer(request),
        });
        for engine in ["serial", "threads=4"] {
            let (dir, format) = (Workdir::new(), Format::default());
            let config = Config { retries: 20, ..segmented(&format, 4) };
            let end = fetch_as(engine.parse().unwrap(), dir.dir(), config, &server.url("/"), sha256());
            assert!(end.is_ok(), "{end:?}");
            assert_eq!(decoded(&dir.read("x")), body(), "cut at {cut}, {engine}");
            assert_eq!(dir.names(), ["x"]);
        }
    }
}

#[test]
fn parts_shorter_than_a_chunk_end_in_a_whole() {
    let server = Server::start(|request| {
        let Some(range) = request.header("range") else {
            return answer(request).cut_after(5_000, End::Close);
        };
        let first: usize = range[6..].split('-').next().unwrap().parse().unwrap();
        let last = (first + 9).min(BYTES - 1);
        let content_range = format!("bytes {first}-{last}/{BYTES}");
        let part = Answer::new(206).header("ETag", "\"1\"").header("Content-Range", &content_range);
        part.body(&body()[first..=last])
    });
    let (dir, format) = (Workdir::new(), Format::default());
    let end = fetch(&dir, Config { retries: 0, ..segmented(&format, 4) }, &server.url("/"));
    assert!(end.is_err(), "the whole never arrives: {end:?}");
    assert!(dir.names().is_empty());
    assert!(server.requests().len() < 20, "it doesn't go on for ever");
}

#[test]
fn a_version_that_changes_meanwhile_starts_over_under_another_key() {
    let count = AtomicUsize::new(0);
    let server =
        Server::start(move |request| match (request.header("range"), count.fetch_add(1, Ordering::SeqCst)) {
            (Some(_), _) => Answer::ranged(request, &seeded_bytes(8, BYTES), "\"2\""),
            (None, 0) => answer(request).cut_after(5_000, End::Close),
            (None, _) => answer(request),
        });
    let (dir, format) = (Workdir::new(), Format::default());
    let end =
        fetch_as("threads=4".parse().unwrap(), dir.dir(), segmented(&format, 4), &server.url("/"), sha256());
    assert!(end.is_ok(), "{end:?}");
    assert_eq!(decoded(&dir.read("x")), body());
    assert_eq!(format.files.load(Ordering::Relaxed), 2);
}

#[test]
fn a_whole_that_does_not_match_its_checksum_is_not_published() {
    let server = Server::start(answer);
    let (dir, format) = (Workdir::new(), Format::default());
    let wrong = Checksum::from_hex(Algorithm::Sha256, &"00".repeat(32)).unwrap();
    let expected = Expected { checksums: vec![wrong], ..Expected::default() };
    let end =
        fetch_as("threads=4".parse().unwrap(), dir.dir(), segmented(&format, 4), &server.url("/"), expected);
    assert!(end.is_err_and(|error| error.contains("Checksum")));
    assert!(dir.names().is_empty());
}
