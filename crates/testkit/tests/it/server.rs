//! The promises of the scripted server: exact bytes, exact ends, nothing left behind.
//!
//! Owns: a minimal client.
//! Does not own: TLS (see `tls.rs`).

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use haul_testkit::{Answer, End, Gate, Request, Server, refused_address, seeded_bytes};

const GET: &[u8] = b"GET /a?b HTTP/1.1\r\nHost: x\r\nX-Two: 1\r\nx-two: 2\r\n\r\n";
const OK_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout that isn't zero");
    stream
}

fn exchange(stream: &mut TcpStream, request: &[u8], len: usize) -> Vec<u8> {
    stream.write_all(request).expect("the server reads");
    read(stream, len)
}

fn read(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut answer = vec![0; len];
    stream.read_exact(&mut answer).expect("the whole answer");
    answer
}

/// All bytes until the end, and whether the end was a reset.
fn read_to_end(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => (answer, false),
        Err(e) if e.kind() == ErrorKind::ConnectionReset => (answer, true),
        Err(e) => panic!("neither an end nor a reset: {e}"),
    }
}

#[track_caller]
fn check_bytes(answer: Answer, want: &[u8]) {
    let server = Server::start(move |_| answer.clone());
    let mut stream = connect(&server);
    let have = exchange(&mut stream, GET, want.len());
    assert_eq!(String::from_utf8_lossy(&have), String::from_utf8_lossy(want));
    // The next answer begins right after it: there was no extra byte.
    assert_eq!(exchange(&mut stream, GET, want.len()), want);
    assert_eq!(server.connection_count(), 1);
}

#[test]
fn answers_are_framed_as_told() {
    check_bytes(Answer::ok("hello"), &[OK_HEAD, b"hello"].concat());
    check_bytes(Answer::new(304), b"HTTP/1.1 304 Not Modified\r\n\r\n");
    check_bytes(
        Answer::redirect(302, "/b"),
        b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
    );
    check_bytes(
        Answer::ok("hello").chunked(&[1, 3]).trailer("T", "v"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\nT: v\r\n\r\n",
    );
    check_bytes(Answer::ok("hello").followed_by("garbage"), &[OK_HEAD, b"hellogarbage"].concat());
    check_bytes(
        Answer::new(200).preceded_by("HTTP/1.1 103 Early\r\n\r\n"),
        b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    check_bytes(Answer::raw("HTCPCP\0\r\n"), b"HTCPCP\0\r\n");
}

#[test]
fn a_head_request_gets_no_body() {
    let server = Server::start(|_| Answer::ok("hello"));
    let mut stream = connect(&server);
    let head = b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n";
    stream.write_all(head).expect("the server reads");
    assert_eq!(read_to_end(&mut stream), (OK_HEAD.to_vec(), false));
}

#[track_caller]
fn check_end(answer: Answer, want: &[u8], reset: bool) {
    let gate = Gate::new();
    let server = Server::start({
        // Held at the end, so that a reset doesn't overtake the bytes before it.
        let gate = gate.clone();
        move |_| answer.clone().gate_at_end(&gate)
    });
    let mut stream = connect(&server);
    assert_eq!(exchange(&mut stream, GET, want.len()), want);
    gate.open();
    assert_eq!(read_to_end(&mut stream), (Vec::new(), reset));
}

#[test]
fn cuts_are_exact_to_the_byte() {
    let whole = [OK_HEAD, b"hello"].concat();
    for len in 0..=5 {
        let want = &whole[..OK_HEAD.len() + len];
        for (end, reset) in [(End::Close, false), (End::Drop, false), (End::Reset, true)] {
            check_end(Answer::ok("hello").cut_after(len, end), want, reset);
        }
    }
    for len in 0..=whole.len() {
        check_end(Answer::ok("hello").into_raw().cut_after(len, End::Close), &whole[..len], false);
    }
}

#[test]
fn a_body_may_be_shorter_than_its_length() {
    let answer = Answer::ok("hello").claim_length(9).then(End::Close);
    check_end(answer, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", false);
    check_end(Answer::ok("hello").until_close(), b"HTTP/1.1 200 OK\r\n\r\nhello", false);
}

#[test]
fn requests_are_recorded_with_their_bodies_and_connections() {
    let server = Server::start(|_| Answer::new(204));
    let answer = b"HTTP/1.1 204 Scripted\r\n\r\n";
    let mut first = connect(&server);
    exchange(&mut first, GET, answer.len());
    exchange(&mut first, b"POST /b HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody", answer.len());
    let chunked = b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    let mut second = connect(&server);
    assert_eq!(exchange(&mut second, chunked, 25), b"HTTP/1.1 100 Continue\r\n\r\n");
    exchange(&mut second, b"2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n", answer.len());

    let requests = server.wait_requests(3);
    let facts = |request: &Request| (request.connection, request.index, request.body.clone());
    let facts: Vec<_> = requests.iter().map(facts).collect();
    assert_eq!(facts, [(0, 0, vec![]), (0, 1, b"body".to_vec()), (1, 0, b"abc".to_vec())]);
    assert_eq!((requests[0].path(), requests[0].head.as_slice()), ("/a", GET));
    assert_eq!(requests[0].header("HOST"), Some("x"));
    assert_eq!(requests[0].header_all("X-TWO").collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn gates_hold_the_bytes_behind_them() {
    let (slow, ended) = (Gate::new(), Gate::new());
    let server = Server::start({
        let (slow, ended) = (slow.clone(), ended.clone());
        move |_| Answer::ok("hello").drip(2, &slow).then(End::Drop).gate_at_end(&ended)
    });
    let mut stream = connect(&server);
    assert_eq!(exchange(&mut stream, GET, OK_HEAD.len()), OK_HEAD);
    for (reached, piece) in [(1, "he"), (2, "ll"), (3, "o")] {
        slow.wait_reached(reached);
        slow.admit(1);
        assert_eq!(read(&mut stream, piece.len()), piece.as_bytes());
    }
    ended.wait_reached(1);
    ended.open();
    assert_eq!(read_to_end(&mut stream), (Vec::new(), false));
    server.wait_ended(1);
}

#[test]
fn ranges_are_answered_by_the_rules() {
    let server = Server::start(|request| Answer::ranged(request, b"0123456789", "\"e\""));
    let cases: &[(&str, &str)] = &[
        ("Range: bytes=2-4", "206 Partial Content|bytes 2-4/10|234"),
        ("Range: bytes=8-", "206 Partial Content|bytes 8-9/10|89"),
        ("Range: bytes=-3", "206 Partial Content|bytes 7-9/10|789"),
        ("Range: bytes=5-99\r\nIf-Range: \"e\"", "206 Partial Content|bytes 5-9/10|56789"),
        ("Range: bytes=5-99\r\nIf-Range: \"old\"", "200 OK||0123456789"),
        ("Range: bytes=10-", "416 Range Not Satisfiable|bytes */10|"),
        ("If-None-Match: \"e\"", "304 Not Modified||"),
    ];
    for (header, want) in cases {
        let mut stream = connect(&server);
        let request = format!("GET / HTTP/1.1\r\nConnection: close\r\n{header}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let text = String::from_utf8(read_to_end(&mut stream).0).expect("an answer in ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
        let status = &head["HTTP/1.1 ".len()..head.find("\r\n").unwrap_or(head.len())];
        let range =
            head.split("Content-Range: ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default();
        assert_eq!(format!("{status}|{range}|{body}"), *want, "{header}");
    }
}

#[test]
fn dropping_ends_connections_in_every_state() {
    let gate = Gate::new();
    let server = Server::start({
        let gate = gate.clone();
        move |request| match request.path() {
            "/never" => Answer::never(),
            "/gate" => Answer::ok("hello").gate_at(2, &gate),
            "/later" => Answer::ok("hello").delay(Duration::from_secs(3600)).gate_at_start(&gate),
            "/flood" => Answer::ok(vec![0; 64 << 20]),
            _ => Answer::ok("hello"),
        }
    });
    let paths = ["/idle", "/never", "/gate", "/later", "/flood"];
    let mut streams: Vec<TcpStream> = paths.iter().map(|_| connect(&server)).collect();
    for (stream, path) in streams.iter_mut().zip(paths) {
        stream.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).expect("the server reads");
    }
    streams.push(connect(&server)); // A silent connection.
    server.wait_requests(paths.len());
    gate.wait_reached(2);
    let address = server.address();
    drop(server);
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    for mut stream in streams {
        read_to_end(&mut stream);
    }
}

#[test]
fn a_panic_of_the_handler_fails_the_test() {
    let server = Server::start(|_| panic!("on purpose"));
    let mut stream = connect(&server);
    stream.write_all(GET).expect("the server reads");
    assert_eq!(read_to_end(&mut stream).0, b"");
    let dropped = thread::spawn(move || drop(server)).join();
    assert!(dropped.is_err());
}

#[test]
fn a_body_may_stay_unread() {
    let server = Server::builder().leave_bodies().start(|_| Answer::new(413));
    let mut stream = connect(&server);
    stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n").expect("the server reads");
    let want = b"HTTP/1.1 413 Scripted\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(read_to_end(&mut stream), (want.to_vec(), false));
}

#[test]
fn a_proxy_tunnels_until_it_is_dropped() {
    let origin = Server::start(|_| Answer::ok("hello"));
    let target = origin.address();
    let proxy = Server::start(move |_| Answer::tunnel(target));
    let mut stream = connect(&proxy);
    let consent = b"HTTP/1.1 200 Connected\r\n\r\n";
    let connect = format!("CONNECT {target} HTTP/1.1\r\n\r\n");
    // The first bytes for the origin may directly follow the CONNECT request.
    let both = [connect.as_bytes(), GET].concat();
    let want = [consent, OK_HEAD, b"hello"].concat();
    assert_eq!(exchange(&mut stream, &both, want.len()), want);
    assert_eq!(exchange(&mut stream, GET, OK_HEAD.len() + 5), [OK_HEAD, b"hello"].concat());
    assert_eq!(
        (proxy.requests()[0].target.as_str(), origin.requests().len()),
        (target.to_string().as_str(), 2)
    );
    drop(proxy);
    origin.wait_ended(1);
}

#[test]
fn a_refused_address_refuses_while_guarded() {
    let (guard, address): (_, SocketAddr) = refused_address();
    let refusal = TcpStream::connect(address).expect_err("nobody listens");
    assert_eq!(refusal.kind(), ErrorKind::ConnectionRefused);
    assert!(TcpListener::bind(address).is_err(), "the port is taken");
    drop(guard);
}

#[test]
fn seeded_bytes_are_reproducible() {
    assert_eq!(seeded_bytes(7, 20), seeded_bytes(7, 30)[..20]);
    assert_ne!(seeded_bytes(7, 20), seeded_bytes(8, 20));
}
