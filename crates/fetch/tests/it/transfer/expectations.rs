//! Requests whose bodies wait for 100 (Continue), against scripted servers.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use haul_fetch::{Client, Config, Error, Method, Request, RequestBody};
use haul_testkit::{Answer, End, Expectations, Server, ServerBuilder, seeded_bytes};

/// Longer than any test may take: a client that waits this long hangs.
const LONG: Duration = Duration::from_secs(3_600);

fn client(expect_timeout: Duration) -> Client {
    Client::new(Config { expect_timeout, ..Config::default() }).unwrap()
}

fn put(server: &Server, path: &str, body: RequestBody) -> Request {
    Request::new(Method::PUT, server.url(path)).body(body).expect_continue()
}

fn server_with(expectations: Expectations) -> ServerBuilder {
    Server::builder().expectations(expectations)
}

/// A reader, and how often it was read.
fn counted(bytes: Vec<u8>) -> (RequestBody, Arc<AtomicUsize>) {
    struct Counted(std::io::Cursor<Vec<u8>>, Arc<AtomicUsize>);
    impl Read for Counted {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.read(out)
        }
    }
    let count = Arc::new(AtomicUsize::new(0));
    (RequestBody::reader(Counted(std::io::Cursor::new(bytes), count.clone())), count)
}

#[test]
fn bodies_follow_100_continue() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("body");
    let server = server_with(Expectations::Met).start(|request| Answer::ok(request.body.clone()));
    let client = client(LONG);
    for bytes in [1, 20_000, 300_000] {
        let body = seeded_bytes(9, bytes);
        std::fs::write(&path, &body).unwrap();
        let (reader, _) = counted(body.clone());
        for sent in [RequestBody::bytes(body.clone()), RequestBody::file(&path), reader] {
            assert!(client.fetch(put(&server, "/", sent)).unwrap().body == body, "{bytes} bytes");
        }
    }
    let by_field = Request::new(Method::PUT, server.url("/")).body(RequestBody::bytes("x"));
    client.fetch(by_field.clone().header("Expect", "100-Continue")).unwrap();
    assert!(server.requests().iter().all(|request| request.header("expect") == Some("100-continue")));
    assert_eq!(server.connection_count(), 1, "the connection is fit for another request");
    // No body to wait for, or no expectation.
    for request in [
        put(&server, "/", RequestBody::default()),
        put(&server, "/", RequestBody::bytes("")),
        by_field.clone().header("Expect", ""),
        by_field.clone(),
    ] {
        client.fetch(request).unwrap();
        assert_eq!(server.requests().last().unwrap().header("expect"), None);
    }
    assert!(by_field.header("Expect", "the-unexpected").checked().is_err());
}

#[test]
fn a_silent_server_gets_the_body_anyway() {
    let server = server_with(Expectations::Ignored).start(|request| Answer::ok(request.body.clone()));
    let client = client(Duration::from_millis(10));
    for _ in 0..2 {
        let response = client.fetch(put(&server, "/", RequestBody::bytes("x"))).unwrap();
        assert_eq!(response.body, b"x");
    }
    let late = server_with(Expectations::Ignored)
        .start(|request| Answer::ok(request.body.clone()).preceded_by(*b"HTTP/1.1 100 Continue\r\n\r\n"));
    assert_eq!(client.fetch(put(&late, "/", RequestBody::bytes("x"))).unwrap().body, b"x");
}

#[test]
fn a_server_that_has_responded_is_not_sent_the_body() {
    let server = server_with(Expectations::Refused).start(|request| match request.path() {
        "/refused" => Answer::new(413).body("too long"),
        "/early" => Answer::new(103).followed_by(*b"HTTP/1.1 401 Who?\r\nContent-Length: 0\r\n\r\n"),
        "/moved" => Answer::redirect(307, "/moved-on"),
        "/cut" => Answer::nothing(End::Close),
        path => Answer::ok(path),
    });
    let client = client(LONG);
    let (body, reads) = counted(seeded_bytes(1, 300_000));
    for (path, status) in [("/refused", 413), ("/early", 401)] {
        let error = client.fetch(put(&server, path, body.clone())).unwrap_err();
        assert!(matches!(error, Error::Status(ref answer) if answer.status.as_u16() == status), "{error}");
    }
    assert!(client.fetch(put(&server, "/cut", body.clone())).is_err());
    let moved = client.fetch(put(&server, "/moved", body.clone())).unwrap();
    assert_eq!((moved.body.as_slice(), moved.redirect_count), (b"/moved-on".as_slice(), 1));
    assert_eq!(reads.load(Ordering::SeqCst), 0, "nothing of the body was taken, so it can still be sent");
    assert_eq!(server.connection_count(), server.requests().len(), "each connection was closed");
}

#[test]
fn after_a_417_the_request_is_repeated_without_the_expectation() {
    let server = server_with(Expectations::Refused).start(|request| {
        match (request.header("expect"), request.path()) {
            (None, "/again") => Answer::new(417),
            (None, _) => Answer::ok(request.body.clone()),
            (Some(_), _) => Answer::new(417),
        }
    });
    let client = client(LONG);
    let (reader, _) = counted(b"from a reader".to_vec());
    for (body, said) in [(RequestBody::bytes("x"), "x"), (reader, "from a reader")] {
        assert_eq!(client.fetch(put(&server, "/", body)).unwrap().body, said.as_bytes());
    }
    assert_eq!(server.requests().len(), 4);
    let error = client.fetch(put(&server, "/again", RequestBody::bytes("x"))).unwrap_err();
    assert!(matches!(error, Error::Status(ref answer) if answer.status.as_u16() == 417), "{error}");
    assert_eq!(server.requests().len(), 6, "once, and no more");
}
