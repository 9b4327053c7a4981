//! Bodies that are read by the caller as they arrive.

use std::error::Error as _;
use std::io::{ErrorKind, Read};

use haul_fetch::{Client, Closing, Config, Error, Request};
use haul_testkit::{Answer, End, Gate, Server, seeded_bytes};

fn client(config: Config) -> Client {
    Client::new(config).unwrap()
}

fn get(server: &Server, path: &str) -> Request {
    Request::get(server.url(path))
}

/// The library's error inside that of a reader.
#[track_caller]
fn inner(error: &std::io::Error) -> &Error {
    error.get_ref().and_then(|inner| inner.downcast_ref()).expect("the library's own error within")
}

#[test]
fn bodies_are_complete_whatever_their_framing_and_connections_are_reused() {
    for bytes in [0, 1, 131_072, 131_073, 3_000_000] {
        let body = seeded_bytes(7, bytes);
        let answers = [
            (Answer::ok(body.clone()), true),
            (Answer::ok(body.clone()).chunked(&[1, 70_000, 3, 9_000]), true),
            (Answer::ok(body.clone()).until_close(), false),
        ];
        for (answer, is_kept) in answers {
            let server = Server::start(move |_| answer.clone());
            let client = client(Config::default());
            for piece_bytes in [1_000, 500_000] {
                let (response, mut reader) = client.stream(get(&server, "/x")).unwrap();
                assert_eq!((response.status.as_u16(), response.body.len()), (200, 0));
                let (mut read, mut piece) = (Vec::new(), vec![0; piece_bytes]);
                loop {
                    match reader.read(&mut piece).unwrap() {
                        0 => break,
                        count => read.extend_from_slice(&piece[..count]),
                    }
                }
                assert!(read == body, "{bytes} bytes by {piece_bytes}");
                assert_eq!(reader.read(&mut piece).unwrap(), 0, "the end stays the end");
            }
            assert_eq!(server.connection_count(), if is_kept { 1 } else { 2 });
        }
    }
}

#[test]
fn the_body_can_be_read_as_it_arrives() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| Answer::ok("0123456789").gate_at(0, &held).gate_at(4, &held));
    let client = client(Config::default());
    let request = get(&server, "/x");
    let (head, body) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let (response, mut reader) = client.stream(request).unwrap();
            let mut first = [0; 10];
            let count = reader.read(&mut first).unwrap();
            gate.open();
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).unwrap();
            (response, [&first[..count], b"|", &rest].concat())
        });
        gate.admit(1);
        reading.join().unwrap()
    });
    assert_eq!(head.headers["content-length"], "10");
    assert_eq!(body, b"0123|456789");
}

#[test]
fn redirects_are_followed_and_failures_before_the_body_are_reported_at_once() {
    let server = Server::start(|request| match request.path() {
        "/from" => Answer::redirect(302, "/to"),
        "/to" => Answer::ok("there"),
        "/empty" => Answer::new(204),
        _ => Answer::new(404).body("no"),
    });
    let client = client(Config::default());
    let (response, mut reader) = client.stream(get(&server, "/from")).unwrap();
    assert_eq!((response.url.path(), response.redirect_count), ("/to", 1));
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "there");
    let (response, mut reader) = client.stream(get(&server, "/empty")).unwrap();
    assert_eq!((response.status.as_u16(), reader.read(&mut [0; 9]).unwrap()), (204, 0));
    let failed = client.stream(get(&server, "/missing")).unwrap_err();
    assert!(matches!(failed, Error::Status(answer) if answer.status.as_u16() == 404));
    assert_eq!(server.connection_count(), 1);
}

#[test]
fn an_invalid_body_is_an_error_at_its_end() {
    let wrong_digest = format!("sha-256=:{}=:", "A".repeat(43));
    let server = Server::start(move |request| match request.path() {
        "/cut" => Answer::ok(vec![7; 300_000]).cut_after(200_000, End::Close),
        "/cut-chunk" => Answer::ok(vec![7; 300_000]).chunked(&[1_000]).cut_after(200_000, End::Close),
        "/long" => Answer::ok(vec![7; 5_000]).chunked(&[100]),
        _ => Answer::ok("altered").header("Content-Digest", &wrong_digest),
    });
    let client = client(Config { body_bytes_max: Some(299_999 + 1), ..Config::default() });
    for path in ["/cut", "/cut-chunk"] {
        let (_, mut reader) = client.stream(get(&server, path)).unwrap();
        let mut read = Vec::new();
        let error = reader.read_to_end(&mut read).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(matches!(inner(&error), Error::Protocol(_)) && read.len() < 300_000, "{error}");
        assert!(reader.read(&mut [0; 9]).is_err(), "a failure never turns into an end");
    }
    let (_, mut reader) = client.stream(get(&server, "/digest")).unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(matches!(inner(&error), Error::Checksum { .. }) && inner(&error).source().is_none());
    let short = Client::new(Config { body_bytes_max: Some(4_999), ..Config::default() }).unwrap();
    let (_, mut reader) = short.stream(get(&server, "/long")).unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(matches!(inner(&error), Error::TooLarge { bytes_max: 4_999 }));
}

#[test]
fn a_reader_that_is_dropped_early_closes_its_connection() {
    let server = Server::start(|_| Answer::ok(vec![7; 3_000_000]));
    let client = client(Config::default());
    let (_, mut reader) = client.stream(get(&server, "/x")).unwrap();
    reader.read_exact(&mut [0; 1_000]).unwrap();
    drop(reader);
    server.wait_ended(1);
    assert_eq!(client.fetch(get(&server, "/x")).unwrap().body.len(), 3_000_000);
    assert_eq!(server.connection_count(), 2);
}

#[test]
fn closing_the_client_interrupts_or_spares_a_reader() {
    for closing in [Closing::Finish, Closing::Cancel] {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |_| Answer::ok("0123456789").gate_at(4, &held));
        let client = client(Config::default());
        let (_, mut reader) = client.stream(get(&server, "/x")).unwrap();
        reader.read_exact(&mut [0; 4]).unwrap();
        client.close(closing);
        gate.open();
        let rest = reader.read_to_end(&mut Vec::new());
        match closing {
            Closing::Finish => assert_eq!(rest.unwrap(), 6),
            Closing::Cancel => assert!(matches!(inner(&rest.unwrap_err()), Error::Cancelled)),
        }
    }
}

#[test]
fn a_body_can_be_read_by_several_threads_in_turn() {
    let body = seeded_bytes(7, 3_000_000);
    let served = body.clone();
    let server = Server::start(move |_| Answer::ok(served.clone()).chunked(&[70_000, 3]));
    let client = client(Config::default());
    let (_, mut reader) = client.stream(get(&server, "/x")).unwrap();
    let mut read = Vec::new();
    for _ in 0..3 {
        (reader, read) = std::thread::spawn(move || {
            reader.by_ref().take(1_000_000).read_to_end(&mut read).unwrap();
            (reader, read)
        })
        .join()
        .unwrap();
    }
    assert!(read == body);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    // The connection is reused, whichever thread comes next.
    drop(client.stream(get(&server, "/x")).unwrap());
    assert_eq!(server.connection_count(), 1);
}
