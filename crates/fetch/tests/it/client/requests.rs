//! Methods, bodies and credentials, against scripted servers.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use haul_engine::{Event, Failure, run};
use haul_fetch::{
    Client, Config, Destination, Error, FetchJob, FetchTask, HostLimits, HostSource, Method, Request,
    RequestBody,
};
use haul_io::Cancel;
use haul_testkit::{Answer, End, Server, Tls, seeded_bytes};

fn client() -> Client {
    Client::new(Config { trust: haul_fetch::Trust::Anything, ..Config::default() }).unwrap()
}

fn post(server: &Server, path: &str, body: RequestBody) -> Request {
    Request::new(Method::POST, server.url(path)).body(body)
}

/// Runs one request as a task with retries; returns the number of attempts and the error's text.
fn attempts(request: Request) -> (u32, Option<String>) {
    let task = FetchTask::of(Ok(request), "task".to_owned(), Destination::Discard);
    let started = Instant::now();
    let source = HostSource::new([task].into_iter(), HostLimits::default(), move || started.elapsed());
    let config = haul_engine::Config {
        engine: "serial".parse().unwrap(),
        cancel: Cancel::new().unwrap(),
        progress: Default::default(),
    };
    let job = FetchJob::new(Config { retry_pause: Duration::ZERO, ..Config::default() });
    let mut end = None;
    run(&job, source, &config, |event| {
        if let Event::Settled(settled) = event {
            end = Some(match &settled.outcome {
                Ok(fetched) => (fetched.attempts, None),
                Err(Failure::Job(failed)) => (failed.attempts, Some(failed.error.to_string())),
                Err(_) => panic!("no job's error"),
            });
        }
    });
    end.unwrap()
}

/// A reader that yields pieces of odd sizes.
struct Odd(Vec<u8>);

impl Read for Odd {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.len().min(out.len()).min(70_001);
        out[..count].copy_from_slice(&self.0[..count]);
        self.0.drain(..count);
        Ok(count)
    }
}

#[test]
fn bodies_are_complete_wherever_they_come_from() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("body");
    for bytes in [0, 1, 16_384, 16_385, 131_072, 3_000_000] {
        let body = seeded_bytes(5, bytes);
        std::fs::write(&path, &body).unwrap();
        for tls in [false, true].into_iter().filter(|tls| !tls || cfg!(feature = "tls")) {
            let builder = if tls { Server::builder().tls(Tls::good()) } else { Server::builder() };
            let server = builder.start(|request| Answer::ok(request.body.clone()));
            let client = client();
            for (kind, sent) in [
                ("memory", RequestBody::bytes(body.clone())),
                ("file", RequestBody::file(&path)),
                ("reader", RequestBody::reader(Odd(body.clone()))),
            ] {
                let response = client.fetch(post(&server, "/", sent)).unwrap();
                assert!(response.body == body, "{bytes} bytes from {kind}, tls {tls}");
            }
            let lengths: Vec<_> = server
                .requests()
                .iter()
                .map(|request| {
                    request.header("content-length").map(|length| length.parse::<usize>().unwrap())
                })
                .collect();
            assert_eq!(lengths, [Some(bytes), Some(bytes), None]);
            assert_eq!(
                server.connection_count(),
                1,
                "a sent body leaves the connection fit for another request"
            );
        }
    }
}

#[test]
fn methods_are_sent_as_given() {
    let server = Server::start(|request| Answer::ok(request.method.clone()));
    for name in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "PURGE"] {
        let method = Method::from_bytes(name.as_bytes()).unwrap();
        let response = client().fetch(Request::new(method, server.url("/"))).unwrap();
        assert_eq!(response.body, name.as_bytes());
    }
    let head = client().fetch(Request::new(Method::HEAD, server.url("/"))).unwrap();
    assert_eq!((head.body_bytes, head.headers["content-length"].as_bytes()), (0, b"4".as_slice()));
    assert!(matches!(Request::new(Method::CONNECT, "http://a/").checked(), Err(Error::Method { .. })));
}

#[test]
fn a_response_before_the_end_of_the_request_counts() {
    let server = Server::builder()
        .leave_bodies()
        .start(|_| Answer::new(413).body("too long").header("Connection", "close").then(End::Reset));
    let error = client().fetch(post(&server, "/", RequestBody::bytes(vec![0; 64 << 20]))).unwrap_err();
    // A reset may overtake the response; either way the server refused, and it is never a success.
    assert!(matches!(error, Error::Status(_) | Error::Transport(_)), "{error}");
    let server = Server::builder().leave_bodies().start(|_| Answer::new(413).body("too long"));
    let error = client().fetch(post(&server, "/", RequestBody::bytes(vec![0; 64 << 20]))).unwrap_err();
    assert!(matches!(error, Error::Status(ref answer) if answer.status.as_u16() == 413), "{error}");
}

#[test]
fn bodies_are_sent_again_only_if_that_is_safe() {
    let answers = AtomicUsize::new(0);
    let server =
        Server::start(move |request| match (request.path(), answers.fetch_add(1, Ordering::SeqCst)) {
            (path, _) if path.ends_with("/moved") => Answer::redirect(307, "/here"),
            ("/here", _) => Answer::ok(request.body.clone()),
            _ => Answer::new(503),
        });
    let request = |method, path: &str, body| Request::new(method, server.url(path)).body(body);
    let busy = Some("the server answered 503 Service Unavailable".to_owned());
    let memory = || RequestBody::bytes("x");
    assert_eq!(attempts(request(Method::PUT, "/busy", memory())), (6, busy.clone()));
    assert_eq!(attempts(request(Method::POST, "/busy", memory())), (1, busy.clone()));
    let reader = RequestBody::reader(Odd(b"x".to_vec()));
    assert_eq!(attempts(request(Method::PUT, "/busy", reader)), (1, busy));
    let moved = client().fetch(request(Method::POST, "/moved", memory())).unwrap();
    assert_eq!((moved.body.as_slice(), moved.redirect_count), (b"x".as_slice(), 1));
    let reader = RequestBody::reader(Odd(b"x".to_vec()));
    assert!(matches!(client().fetch(request(Method::POST, "/moved", reader)), Err(Error::BodySpent)));
}

#[test]
fn an_unreadable_body_is_reported_and_blocks_nothing() {
    let server = Server::start(|_| Answer::ok("x"));
    let dir = tempfile::tempdir().unwrap();
    let missing = post(&server, "/", RequestBody::file(dir.path().join("missing")));
    assert!(matches!(client().fetch(missing), Err(Error::Body(_))));
    assert!(matches!(client().fetch(post(&server, "/", RequestBody::file(dir.path()))), Err(Error::Body(_))));
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    let error = client().fetch(post(&server, "/", RequestBody::reader(Broken))).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the request's body: broken");
    assert!(server.requests().is_empty(), "half a body is no request");
}

#[test]
fn credentials_go_to_their_origin_only() {
    let other = Server::start(|request| {
        assert_eq!(request.header("authorization"), None);
        Answer::ok("elsewhere")
    });
    let away = other.url("/");
    let server = Server::start(move |request| match request.path() {
        "/away" => Answer::redirect(302, &away),
        "/here" => Answer::redirect(302, "/there"),
        _ => Answer::ok(request.header("authorization").unwrap_or("nobody")),
    });
    let get = |path: &str| Request::get(server.url(path));
    let basic = get("/here").basic_auth("Aladdin", "open sesame");
    assert!(!format!("{basic:?}").contains("QWxhZGRpbjpvcGVuIHNlc2FtZQ"), "secrets aren't shown");
    assert_eq!(client().fetch(basic).unwrap().body, b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    let bearer = |path| get(path).bearer_auth("a.b-c_d~e+f/g==");
    assert_eq!(client().fetch(bearer("/here")).unwrap().body, b"Bearer a.b-c_d~e+f/g==");
    assert_eq!(client().fetch(bearer("/away")).unwrap().body, b"elsewhere");
    for (user, password) in [("a:b", "c"), ("a", "b\nc"), ("a\0", "b")] {
        assert!(get("/").basic_auth(user, password).checked().is_err());
    }
    for token in ["", "a b", "a\n", "\u{e9}"] {
        assert!(get("/").bearer_auth(token).checked().is_err());
    }
}
