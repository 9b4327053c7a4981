//! What `haul get` asks and keeps, and what it refuses to: a golden file for each refusal. `HAUL_BLESS=1` writes them anew.

mod place;

use haul_testkit::{Answer, Server};
use place::Place;

#[test]
fn what_cannot_be_decompressed_is_not_kept() {
    let place = Place::new();
    let server = Server::start(|request| match request.path() {
        "/unknown-coding" => Answer::ok("x").header("Content-Encoding", "br, \"rot13\""),
        // An empty member of gzip, and a byte behind it.
        "/behind-coding" => Answer::ok(*b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0!")
            .header("Content-Encoding", "gzip"),
        _ => Answer::ok("plain").header("Content-Encoding", "zstd"),
    });
    for name in ["unknown-coding", "behind-coding", "not-zstd"] {
        place.refuses(&format!("get-{name}"), &["get", "--compressed", &server.url(&format!("/{name}"))]);
    }
    let run = place.run(&["get", "--compressed", "--no-compressed", "-o", "-", &server.url("/as-it-is")]);
    assert_eq!(run.expect_status(0).stdout, b"plain");
}
