//! Large bodies, which a helper encodes while the next pieces arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use haul_engine::Engine;
use haul_fetch::Expected;
use haul_testkit::{Answer, End, Server, Workdir, seeded_bytes};

use super::format::{Format, config, fetch_as, sha256_of};

const CHUNK: usize = 64 * 1024;
/// What the helper gets at a time.
const BATCH: usize = 4 * CHUNK;
/// Long enough for a helper.
const BYTES: usize = (8 << 20) + 3 * CHUNK + 5;

fn large() -> Format {
    Format { chunk_bytes: CHUNK, ..Format::default() }
}

/// Fetches `content` into a sealed file from a server that cuts its first answer after `cut` bytes. Returns the range
/// of the last request.
fn fetch_cut(engine: Engine, content: &Arc<Vec<u8>>, cut: usize) -> Option<String> {
    let (count, body) = (AtomicUsize::new(0), content.clone());
    let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::ok(body.to_vec()).header("ETag", "\"1\"").cut_after(cut, End::Close),
        _ => Answer::ranged(request, &body, "\"1\""),
    });
    let (dir, format) = (Workdir::new(), large());
    let expected = Expected { size: Some(content.len() as u64), ..sha256_of(content) };
    let end = fetch_as(engine, dir.dir(), config(&format), &server.url("/"), expected);
    let requests = server.requests();
    assert_eq!(end, Ok((requests.len() as u32, false, false)), "cut at {cut}");
    assert!(format.decoded(&dir.read("x")) == **content, "cut at {cut}");
    assert_eq!(format.files.load(Ordering::Relaxed), 1, "one key, cut at {cut}");
    requests.last().unwrap().header("range").map(str::to_owned)
}

#[test]
fn they_arrive_whole_on_every_engine_and_in_every_length() {
    for bytes in [BYTES, 8 << 20, 9 << 20, (8 << 20) + 1] {
        let content = Arc::new(seeded_bytes(1, bytes));
        let engines: &[&str] =
            if bytes == BYTES { &["serial", "threads=2", "uring=1x4"] } else { &["serial"] };
        for engine in engines {
            assert_eq!(fetch_cut(engine.parse().unwrap(), &content, usize::MAX), None);
        }
    }
}

#[test]
fn wherever_a_connection_breaks_each_chunk_is_encoded_once() {
    let content = Arc::new(seeded_bytes(1, BYTES));
    for cut in [BATCH, BATCH + 1, BATCH + CHUNK, BATCH + CHUNK + 1, 3 * BATCH - 1, 8 << 20, BYTES - 1] {
        let whole = (cut - 1) / CHUNK * CHUNK;
        assert_eq!(fetch_cut(Engine::Serial, &content, cut), Some(format!("bytes={whole}-")), "cut at {cut}");
    }
}

#[test]
fn a_body_that_does_not_match_its_checksum_is_not_published() {
    let server = Server::start(|_| Answer::ok(seeded_bytes(1, BYTES)));
    let (dir, format) = (Workdir::new(), large());
    let end = fetch_as(Engine::Serial, dir.dir(), config(&format), &server.url("/"), sha256_of(b"other"));
    assert!(end.is_err_and(|error| error.contains("Checksum")));
    assert!(dir.names().is_empty());
}
