//! Waits for the peer, which all end: unneeded bodies, TLS records that drip.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use haul_fetch::{Client, Config, Error, Phase, Request, Trust};
use haul_testkit::{Answer, End, Server, Tls};
use http::StatusCode;

/// Far less than the timeouts of a body that is needed, far more than a busy machine takes.
const SOON: Duration = Duration::from_secs(10);

fn client(config: Config) -> Client {
    Client::new(config).unwrap()
}

fn get(url: &str) -> Request {
    Request::get(url)
}

#[test]
fn bodies_that_nobody_needs_are_not_waited_for() {
    let server = Server::start(|request| {
        let (path, kind) = request.path().split_once('?').unwrap_or((request.path(), ""));
        let never_ends = |answer: Answer| match kind {
            "length" => answer.cut_after(5, End::Hold),
            "chunked" => answer.chunked(&[100]).cut_after(5, End::Hold),
            _ => answer.until_close().cut_after(5, End::Hold),
        };
        match path {
            "/redirect" => never_ends(Answer::new(302).body(vec![b'x'; 60_000]).header("Location", "/there")),
            "/missing" => never_ends(Answer::new(404).body(vec![b'x'; 60_000])),
            _ => Answer::ok("fine"),
        }
    });
    for kind in ["length", "chunked", "close"] {
        let (client, started) = (client(Config::default()), Instant::now());
        let response = client.fetch(get(&server.url(&format!("/redirect?{kind}")))).unwrap();
        assert_eq!(response.body, b"fine");
        let missing = client.fetch(get(&server.url(&format!("/missing?{kind}"))));
        assert_eq!(missing.unwrap_err().status(), Some(StatusCode::NOT_FOUND), "{kind}");
        assert!(started.elapsed() < SOON, "{kind}: {:?}", started.elapsed());
    }
}

#[test]
fn short_unneeded_bodies_keep_their_connection() {
    let server = Server::start(|request| match request.path() {
        "/redirect" => Answer::new(302).body("gone there").header("Location", "/there"),
        "/chunked" => Answer::new(302).body("gone there").header("Location", "/there").chunked(&[3]),
        _ => Answer::ok("fine"),
    });
    let client = client(Config::default());
    for path in ["/redirect", "/chunked", "/redirect"] {
        client.fetch(get(&server.url(path))).unwrap();
    }
    assert_eq!(server.connection_count(), 1);
}

/// The port of a relay to `server`. While `drips` is set, what the server sends passes byte by byte.
fn relay(server: &Server, drips: &Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (address, drips) = (server.address(), drips.clone());
    std::thread::spawn(move || {
        let (from_client, _) = listener.accept().unwrap();
        let to_server = TcpStream::connect(address).unwrap();
        let upward = (from_client.try_clone().unwrap(), to_server.try_clone().unwrap());
        std::thread::spawn(move || {
            let (mut from, mut to) = upward;
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        pass_back(to_server, from_client, &drips);
    });
    port
}

fn pass_back(mut from: TcpStream, mut to: TcpStream, drips: &AtomicBool) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        let piece_bytes = if drips.load(Ordering::SeqCst) { 1 } else { count };
        for piece in piece[..count].chunks(piece_bytes) {
            if to.write_all(piece).is_err() {
                return;
            }
            if piece_bytes == 1 {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn tls_records_that_drip_keep_to_the_deadlines() {
    let dir = tempfile::tempdir().unwrap();
    let authority = dir.path().join("authority.pem");
    let millis = |millis| Duration::from_millis(millis);
    let run = |config: Config, drips_at_once: bool| {
        let drips = Arc::new(AtomicBool::new(drips_at_once));
        let begin = drips.clone();
        let server = Server::builder().tls(Tls::good()).start(move |_| {
            begin.store(true, Ordering::SeqCst);
            Answer::ok(vec![b'x'; 15_000])
        });
        std::fs::write(&authority, server.ca_pem()).unwrap();
        let url = format!("https://localhost:{}/", relay(&server, &drips));
        let started = Instant::now();
        let config = Config { trust: Trust::File(authority.clone()), ..config };
        let error = client(config).fetch(get(&url)).unwrap_err();
        assert!(started.elapsed() < SOON, "{error}: {:?}", started.elapsed());
        error
    };
    let hurried = Config { connect_timeout: millis(500), ..Config::default() };
    assert!(matches!(run(hurried, true), Error::Timeout(Phase::Connect)));
    let hurried = Config { total_timeout: Some(millis(700)), ..Config::default() };
    assert!(matches!(run(hurried, false), Error::Timeout(Phase::Total)));
    let hurried = Config { head_timeout: millis(500), ..Config::default() };
    assert!(matches!(run(hurried, false), Error::Timeout(Phase::Transfer)));
    let picky = Config { rate_min: Some(1_000), rate_min_window: millis(500), ..Config::default() };
    assert!(matches!(run(picky, false), Error::TooSlow { .. } | Error::Timeout(_)));
}

#[test]
fn lengths_beyond_any_file_are_refused_before_a_file_exists() {
    let server = Server::start(|request| {
        let bytes = request.path().trim_start_matches('/').parse().unwrap();
        Answer::ok("x").claim_length(bytes).then(End::Hold)
    });
    let dir = tempfile::tempdir().unwrap();
    for bytes in [1_u64 << 63, u64::MAX] {
        let request = get(&server.url(&format!("/{bytes}")));
        let error = client(Config::default()).fetch_to_file(request, &dir.path().join("x")).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{bytes}: {error}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
