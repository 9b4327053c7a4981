//! Attempts of one run: each continues after the last whole chunk, under the same key.

use std::sync::atomic::{AtomicUsize, Ordering};

use haul_engine::Engine;
use haul_fetch::Expected;
use haul_testkit::{Answer, End, Request, Server, Workdir, seeded_bytes};

use super::format::{CHUNK, Format, config, decoded, fetch, fetch_as, sha256_of};

const BYTES: usize = 100;

fn body(seed: u64) -> Vec<u8> {
    seeded_bytes(seed, BYTES)
}

/// A server that cuts its first answer after `cut` bytes, and then has the version that `later` makes.
fn cutting(cut: usize, later: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::ok(body(1)).header("ETag", "\"1\"").cut_after(cut, End::Close),
        _ => later(request),
    })
}

fn first_asked(server: &Server) -> Option<String> {
    server.requests()[1].header("range").map(str::to_owned)
}

#[test]
fn wherever_a_connection_breaks_the_next_attempt_goes_on_after_the_last_whole_chunk() {
    for cut in 0..BYTES {
        for resume in [false, true] {
            let server = cutting(cut, |request| Answer::ranged(request, &body(1), "\"1\""));
            let (dir, format) = (Workdir::new(), Format::default());
            let config = haul_fetch::Config { resume, ..config(&format) };
            let sha = Expected { size: Some(BYTES as u64), ..Expected::default() };
            let end = fetch_as(Engine::Serial, dir.dir(), config, &server.url("/"), sha);
            assert_eq!(end, Ok((2, false, false)), "cut at {cut}");
            assert_eq!(decoded(&dir.read("x")), body(1), "cut at {cut}");
            assert_eq!(dir.names(), ["x"]);
            // Of a chunk that may be the last one, it isn't known yet whether it is.
            let whole = cut.saturating_sub(1) / CHUNK * CHUNK;
            let (range, files) = match whole {
                0 => (None, 2),
                // What is small waits in memory, and is kept where a file keeps it.
                _ if !resume => (None, 2),
                _ => (Some(format!("bytes={whole}-")), 1),
            };
            assert_eq!(first_asked(&server), range, "cut at {cut}, resume {resume}");
            assert_eq!(format.files.load(Ordering::Relaxed), files, "cut at {cut}, resume {resume}");
        }
    }
}

#[test]
fn a_version_that_changed_is_encoded_from_its_start_under_another_key() {
    for cut in 0..BYTES {
        for (what, later) in [
            ("a new ETag", Answer::ranged as fn(&Request, &[u8], &str) -> Answer),
            ("no ranges", |_, body, etag| Answer::ok(body).header("ETag", etag)),
        ] {
            let server = cutting(cut, move |request| later(request, &body(2), "\"2\""));
            let (dir, format) = (Workdir::new(), Format::default());
            let config = haul_fetch::Config { resume: true, ..config(&format) };
            assert_eq!(fetch(&dir, config, &server.url("/")), Ok((2, false, false)), "{what}, cut at {cut}");
            assert_eq!(decoded(&dir.read("x")), body(2), "{what}, cut at {cut}");
            assert_eq!(format.files.load(Ordering::Relaxed), 2, "{what}, cut at {cut}");
        }
    }
}

#[test]
fn a_large_body_is_continued_from_the_file() {
    const BYTES: usize = 400_000;
    for cut in [131_072, 200_000, 300_001, 399_999] {
        let count = AtomicUsize::new(0);
        let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::ok(seeded_bytes(5, BYTES)).header("ETag", "\"1\"").cut_after(cut, End::Close),
            _ => Answer::ranged(request, &seeded_bytes(5, BYTES), "\"1\""),
        });
        let (dir, format) = (Workdir::new(), Format::default());
        assert_eq!(fetch(&dir, config(&format), &server.url("/")), Ok((2, false, false)));
        assert_eq!(decoded(&dir.read("x")), seeded_bytes(5, BYTES));
        let whole = (cut - 1) / CHUNK * CHUNK;
        assert_eq!(first_asked(&server), Some(format!("bytes={whole}-")), "cut at {cut}");
        assert_eq!(format.files.load(Ordering::Relaxed), 1);
    }
}

/// A server that changes a file and keeps its strong entity tag breaks the promise on which continuing rests. A
/// checksum of the content finds that; nothing else can.
#[test]
fn other_content_under_the_same_etag_is_found_by_a_checksum_alone() {
    let cut = 3 * CHUNK + 1;
    let lying = || cutting(cut, |request| Answer::ranged(request, &body(2), "\"1\""));
    let config = |format: &Format| haul_fetch::Config { resume: true, ..config(format) };
    let (dir, format) = (Workdir::new(), Format::default());
    let end = fetch_as(Engine::Serial, dir.dir(), config(&format), &lying().url("/"), sha256_of(&body(1)));
    assert!(end.is_err_and(|error| error.contains("Checksum")));
    assert!(!dir.names().contains(&"x".to_owned()), "{:?}", dir.names());

    let dir = Workdir::new();
    assert_eq!(fetch(&dir, config(&format), &lying().url("/")), Ok((2, false, false)));
    let mixed = [&body(1)[..3 * CHUNK], &body(2)[3 * CHUNK..]].concat();
    assert_eq!(decoded(&dir.read("x")), mixed);
}
