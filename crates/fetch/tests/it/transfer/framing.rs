//! Lengths of bodies that servers announce in unusual ways.

use haul_fetch::{Client, Config, Request};
use haul_testkit::{Answer, Server};

#[test]
fn a_connection_with_an_ambiguous_length_is_not_used_again() {
    let chunks = "5  \r\nhello\r\n0 \r\n\r\n";
    for (fields, body, connection_count) in [
        ("Transfer-Encoding: chunked\r\n", chunks, 1),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", chunks, 3),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunks, 3),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks, 3),
        ("Transfer-Encoding: identity, chunked\r\n", chunks, 3),
        ("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "hello", 3),
        ("Bad Name: x\r\nno colon\r\nContent-Length: 5\r\n", "hello", 1),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let server = Server::start(move |_| Answer::raw([head.as_bytes(), body.as_bytes()].concat()));
        let client = Client::new(Config::default()).unwrap();
        for _ in 0..3 {
            let response = client.fetch(Request::get(server.url("/"))).unwrap();
            assert_eq!(response.body, b"hello", "{fields}");
        }
        assert_eq!(server.connection_count(), connection_count, "{fields}");
    }
}
