//! Bodies that arrive in one attempt.

use haul_engine::Engine;
use haul_fetch::{Algorithm, Checksum, Expected};
use haul_testkit::{Answer, End, Server, Workdir, seeded_bytes};

use super::format::{Format, config, decoded, fetch, fetch_as};

#[test]
fn bodies_of_every_length_are_stored_encoded_on_every_engine() {
    for bytes in [0, 1, 15, 16, 17, 31, 32, 33, 100, 4_096, 70_001] {
        let body = seeded_bytes(bytes, bytes as usize);
        let half = bytes as usize / 2;
        let whole = Answer::ok(body.clone());
        for answer in [whole.clone(), whole.chunked(&[half, bytes as usize - half])] {
            let server = Server::start(move |_| answer.clone());
            for engine in ["serial", "threads=2", "uring=1x2"] {
                let dir = Workdir::new();
                let engine: Engine = engine.parse().unwrap();
                let end =
                    fetch_as(engine, dir.dir(), config(&Format::default()), &server.url("/"), size(bytes));
                assert_eq!(end, Ok((1, false, false)));
                assert_eq!(decoded(&dir.read("x")), body, "{bytes} {engine:?}");
                assert_eq!(dir.names(), ["x"]);
            }
        }
    }
}

/// The digest of nothing that exists.
const ZEROS: &str = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";

fn size(bytes: u64) -> Expected {
    Expected { size: Some(bytes), ..Expected::default() }
}

#[test]
fn checksums_are_those_of_the_content_and_nothing_else_is_published() {
    let body = seeded_bytes(3, 1_000);
    let hex = |bytes: &[u8]| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let right = Checksum::from_hex(Algorithm::Sha256, &hex(&body)).unwrap();
    let wrong = Checksum::from_hex(Algorithm::Sha256, &hex(b"else")).unwrap();
    let of = |checksum| Expected { checksums: vec![checksum], ..Expected::default() };
    let answer = Answer::ok(body.clone());
    let short = answer.clone().cut_after(999, End::Close);
    for (answer, expected, error) in [
        (answer.clone(), of(right.clone()), None),
        (answer.clone(), of(wrong), Some("Checksum")),
        (answer.clone(), size(999), Some("Size")),
        (short, of(right), Some("Incomplete")),
        (Answer::new(404).body("no"), Expected::default(), Some("Status")),
        (answer.header("Content-Digest", ZEROS), Expected::default(), Some("Checksum")),
    ] {
        let server = Server::start(move |_| answer.clone());
        let dir = Workdir::new();
        let config = haul_fetch::Config { retries: 0, ..config(&Format::default()) };
        let end = fetch_as(Engine::Serial, dir.dir(), config, &server.url("/"), expected);
        match error {
            None => assert_eq!((end, decoded(&dir.read("x"))), (Ok((1, false, false)), body.clone())),
            Some(error) => {
                assert!(end.as_ref().is_err_and(|found| found.contains(error)), "{end:?} isn't {error}");
                assert!(dir.names().is_empty(), "{error}");
            }
        }
    }
}

#[test]
fn an_existing_file_stays() {
    let server = Server::start(|_| Answer::ok("body"));
    let dir = Workdir::new();
    dir.write("x", "mine");
    let end = fetch(&dir, config(&Format::default()), &server.url("/"));
    assert!(end.is_err_and(|error| error.contains("Exists")));
    assert_eq!(dir.read("x"), b"mine");
}
