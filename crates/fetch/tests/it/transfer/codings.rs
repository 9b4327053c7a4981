//! Compressed bodies from scripted servers.

use std::io::Write;

use haul_fetch::{Client, CodingError, Config, Error, Request};
use haul_testkit::{Answer, End, Server, files_below, seeded_bytes};

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() * 9 / 8 + 1_024);
    let mut compress = flate2::Compress::new_gzip(flate2::Compression::best(), 15);
    compress.compress_vec(content, &mut out, flate2::FlushCompress::Finish).unwrap();
    out
}

fn zstd(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() * 9 / 8 + 1_024);
    zstd_safe::compress(&mut out, content, 3).unwrap();
    out
}

fn text() -> Vec<u8> {
    let mut text = Vec::new();
    (0..60_000).for_each(|number| writeln!(text, "line {number}").unwrap());
    text
}

fn compressed() -> Config {
    Config { compressed: true, ..Config::default() }
}

fn client(config: Config) -> Client {
    Client::new(config).unwrap()
}

fn get(server: &Server, path: &str) -> Request {
    Request::get(server.url(path))
}

#[test]
fn compressed_bodies_are_decompressed_if_requested() {
    let server = Server::start(|request| {
        let coded = |body: Vec<u8>, codings| Answer::ok(body).header("Content-Encoding", codings);
        match request.path() {
            "/gzip" => coded(gzip(&text()), "gzip"),
            "/chunked" => coded(gzip(&text()), "gzip").chunked(&[1, 10_000, 7]),
            "/close" => coded(gzip(&text()), "gzip").until_close(),
            "/zstd" => coded(zstd(&text()), "zstd"),
            "/chain" => coded(zstd(&gzip(&text())), "gzip, zstd"),
            "/empty" => coded(Vec::new(), "gzip"),
            _ => Answer::ok(text()),
        }
    });
    let (asking, taking) = (client(compressed()), client(Config::default()));
    for path in ["/gzip", "/chunked", "/close", "/zstd", "/chain", "/plain"] {
        let response = asking.fetch(get(&server, path)).unwrap();
        assert!(response.body == text() && response.body_bytes == text().len() as u64, "{path}");
        let dir = tempfile::tempdir().unwrap();
        asking.fetch_to_file(get(&server, path), &dir.path().join("x")).unwrap();
        assert!(std::fs::read(dir.path().join("x")).unwrap() == text(), "{path} into a file");
    }
    assert_eq!(asking.fetch(get(&server, "/empty")).unwrap().body, b"");
    assert!(taking.fetch(get(&server, "/gzip")).unwrap().body == gzip(&text()), "as it comes");
    let asked: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.header("accept-encoding").unwrap().to_owned())
        .collect();
    let (last, others) = asked.split_last().unwrap();
    assert_eq!(last, "identity");
    assert!(others.iter().all(|codings| codings == "gzip, deflate, br, zstd"));
    let range = get(&server, "/gzip").header("Range", "bytes=0-4");
    assert!(asking.fetch(range).unwrap().body == gzip(&text()), "what was asked for in parts stays as it is");
    assert_eq!(server.requests().last().unwrap().header("accept-encoding"), Some("identity"));
}

#[test]
fn an_undecodable_body_is_never_a_file() {
    let whole = gzip(&text());
    let server = Server::start(move |request| {
        let coded = |body: &[u8]| Answer::ok(body).header("Content-Encoding", "gzip");
        match request.path() {
            "/cut" => coded(&whole[..whole.len() - 1]),
            "/cut-in-transit" => coded(&whole).cut_after(500, End::Close),
            "/trailing" => coded(&[&whole, b"x".as_slice()].concat()),
            "/damaged" => coded(&seeded_bytes(3, 1_000)),
            "/unknown" => Answer::ok("x").header("Content-Encoding", "gzip, aes128gcm"),
            "/many" => Answer::ok("x").header("Content-Encoding", "gzip,gzip,gzip,gzip,gzip,gzip"),
            _ => coded(&gzip(&vec![0; 40 << 20])),
        }
    });
    let refused = |config: Config, path: &str| {
        let dir = tempfile::tempdir().unwrap();
        let result = client(config).fetch_to_file(get(&server, path), &dir.path().join("x"));
        assert!(files_below(dir.path()).unwrap().is_empty(), "{path} leaves a file");
        result.unwrap_err()
    };
    for (path, expected) in [
        ("/cut", CodingError::Incomplete),
        ("/trailing", CodingError::Trailing { coding: "gzip" }),
        ("/damaged", CodingError::Damaged { coding: "gzip" }),
        ("/unknown", CodingError::Unknown("aes128gcm".to_owned())),
        ("/many", CodingError::TooMany { count_max: 5 }),
        ("/bomb", CodingError::Bomb { ratio_max: 250 }),
    ] {
        match refused(compressed(), path) {
            Error::Coding(found) => assert_eq!(found, expected, "{path}"),
            other => panic!("{path}: {other}"),
        }
    }
    assert!(matches!(refused(compressed(), "/cut-in-transit"), Error::Protocol(_)));
    let short = Config { body_bytes_max: Some(100_000), ..compressed() };
    assert!(
        matches!(refused(short, "/bomb"), Error::TooLarge { bytes_max: 100_000 }),
        "decompressed bytes count"
    );
    let tolerant = Config { decoded_ratio_max: 2_000, ..compressed() };
    assert_eq!(client(tolerant).fetch(get(&server, "/bomb")).unwrap().body_bytes, 40 << 20);
}

#[test]
fn digests_are_of_the_encoded_body_and_checksums_of_the_decoded_one() {
    let body = zstd(b"fine");
    let digest = {
        use base64::Engine as _;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        base64::prelude::BASE64_STANDARD.encode(hash.as_ref())
    };
    let right = format!("sha-256=:{digest}:");
    let wrong = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
    let server = Server::start(move |request| {
        let answer = Answer::ok(body.clone()).header("Content-Encoding", "zstd");
        let value = if request.path().ends_with("wrong") { wrong } else { &right };
        match request.path() {
            path if path.starts_with("/content") => answer.header("Content-Digest", value),
            _ => answer.header("Repr-Digest", value),
        }
    });
    let client = client(compressed());
    for path in ["/content", "/repr"] {
        assert_eq!(client.fetch(get(&server, path)).unwrap().body, b"fine", "{path}");
        let refused = client.fetch(get(&server, &format!("{path}-wrong"))).unwrap_err();
        assert!(matches!(refused, Error::Checksum { .. }), "{path}: {refused}");
    }
}
