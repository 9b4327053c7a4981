//! Bodies that are sealed in the age format while connections break.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use haul_engine::Engine;
use haul_fetch::{Config, Expected};
use haul_seal::{SealedFormat, X25519Identity, open_bytes};
use haul_testkit::{Answer, End, Server, Workdir, seeded_bytes};

use super::format::fetch_as;

const CHUNK: usize = 64 * 1024;
const BYTES: usize = 3 * CHUNK + 1_000;

/// The server breaks off at each chunk, one byte before it and one after it. It then has the same version or another.
#[test]
fn every_cut_beside_a_chunk_of_age_is_continued() {
    let identity = X25519Identity::generate();
    let cuts = (1..=3).flat_map(|chunks| [chunks * CHUNK - 1, chunks * CHUNK, chunks * CHUNK + 1]);
    let endings = [End::Close, End::Reset].into_iter().flat_map(|end| [(end, 1), (end, 2)]);
    for (cut, (end, version)) in cuts.flat_map(|cut| endings.clone().map(move |ending| (cut, ending))) {
        let count = AtomicUsize::new(0);
        let server = Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::ok(seeded_bytes(1, BYTES)).header("ETag", "\"1\"").cut_after(cut, end),
            _ => Answer::ranged(request, &seeded_bytes(version, BYTES), &format!("\"{version}\"")),
        });
        let format = Arc::new(SealedFormat::new(vec![identity.to_recipient().into()]).unwrap());
        let config =
            Config { format: Some(format), retry_pause: Duration::ZERO, resume: true, ..Config::default() };
        let dir = Workdir::new();
        let fetched = fetch_as(Engine::Serial, dir.dir(), config, &server.url("/"), Expected::default());
        assert_eq!(fetched, Ok((2, false, false)), "{cut} {version}");
        assert_eq!(dir.names(), ["x"], "{cut} {version}");
        let opened = open_bytes(&dir.read("x"), &[identity.clone().into()]).unwrap();
        assert!(opened == seeded_bytes(version, BYTES), "{cut} {version}");
    }
}
