//! The client as a caller without an engine meets it: requests that are built in one line, retries, errors that tell
//! what the server said, clones, async use, receivers.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use haul_fetch::{Client, Closing, Config, Error, NoRoom, Proxies, Request, RequestBody};
use haul_testkit::{Answer, Gate, Server, refused_address};

fn client() -> Client {
    Client::new(quick()).unwrap()
}

fn quick() -> Config {
    Config { retry_pause: Duration::ZERO, ..Config::default() }
}

/// A server that fails so many times and then answers.
fn failing(count: usize, answer: Answer) -> (Server, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let server = Server::start(move |_| match counter.fetch_add(1, Ordering::SeqCst) {
        asked if asked < count => answer.clone(),
        _ => Answer::ok("x"),
    });
    (server, asked)
}

#[test]
fn the_first_fault_of_a_request_is_told_when_it_is_sent() {
    let client = client();
    let get = || Request::get("http://127.0.0.1:1/");
    for (request, is_it) in [
        (Request::get("nowhere"), (|error| matches!(error, Error::Url { .. })) as fn(&Error) -> bool),
        (Request::get("nowhere").header("a b", ""), |error| matches!(error, Error::Url { .. })),
        (get().header("X", "a\nb").bearer_auth(""), |error| matches!(error, Error::Request(_))),
        (get().basic_auth("a:b", ""), |error| matches!(error, Error::Credentials { .. })),
        (get().without_header("host"), |error| matches!(error, Error::Header { .. })),
    ] {
        let error = client.fetch(request.clone()).unwrap_err();
        assert!(is_it(&error), "{error}");
        assert_eq!(request.check().unwrap_err().to_string(), error.to_string());
        let submitted = client.submit(request.clone()).unwrap().wait().unwrap_err();
        assert_eq!(submitted.to_string(), error.to_string());
        assert_eq!(client.stream(request).unwrap_err().to_string(), error.to_string());
    }
}

#[test]
fn queries_and_forms_are_encoded() {
    let server = Server::start(|request| {
        let type_ = request.header("content-type").unwrap_or("none").to_owned();
        Answer::ok(format!("{} {type_} {}", request.target, String::from_utf8_lossy(&request.body)))
    });
    let get = Request::get(server.url("/a?b=c")).query("q", "x & y").query("n", 7);
    assert_eq!(client().fetch(get).unwrap().text().unwrap(), "/a?b=c&q=x+%26+y&n=7 none ");
    let post = Request::post(server.url("/")).form([("a", "1"), ("b", "x y")]);
    let answer = client().fetch(post).unwrap();
    assert_eq!(answer.text().unwrap(), "/ application/x-www-form-urlencoded a=1&b=x+y");
}

#[cfg(feature = "json")]
#[test]
fn json_is_sent_and_read() {
    let server = Server::start(|request| match request.path() {
        "/echo" => Answer::ok(request.body.clone())
            .header("X-Type", request.header("content-type").unwrap_or("none")),
        _ => Answer::ok("{"),
    });
    let value = serde_json::json!({ "a": [1, 2], "b": null });
    let made = client().fetch(Request::post(server.url("/echo")).json(&value)).unwrap();
    assert_eq!(made.header("x-type"), Some("application/json"));
    assert_eq!(made.json::<serde_json::Value>().unwrap(), value);
    let typed = Request::post(server.url("/echo")).header("Content-Type", "text/x").json(&value);
    assert_eq!(client().fetch(typed).unwrap().header("x-type"), Some("text/x"));
    let broken = client().fetch(Request::get(server.url("/"))).unwrap();
    assert!(matches!(broken.json::<serde_json::Value>(), Err(Error::Json { .. })));
    let unsendable = std::collections::BTreeMap::from([(vec![1], 1)]);
    let request = Request::post(server.url("/echo")).json(&unsendable);
    assert!(matches!(request.check(), Err(Error::Json { .. })));
}

#[test]
fn a_failed_status_keeps_the_head_and_the_beginning_of_the_body() {
    let long = "x".repeat(100_000);
    let server = Server::start(move |request| {
        let answer = match request.path() {
            "/long" => Answer::new(500).body(long.clone()),
            "/chunked" => Answer::new(500).body("a problem").chunked(&[2, 3]),
            "/close" => Answer::new(500).body(long.clone()).until_close(),
            _ => Answer::new(429).body("a problem").header("Retry-After", "3"),
        };
        answer.header("X-Reason", "tired")
    });
    let client = client();
    for (path, status, bytes, retry_after) in [
        ("/", 429, 9, Some(Duration::from_secs(3))),
        ("/long", 500, 8 * 1024, None),
        ("/chunked", 500, 9, None),
        ("/close", 500, 8 * 1024, None),
    ] {
        let error = client.fetch(Request::get(server.url(path))).unwrap_err();
        assert!(error.is_transient() && error.retry_after() == retry_after, "{path}");
        assert_eq!(error.status().unwrap().as_u16(), status);
        let Error::Status(response) = error else { panic!("{path}: {error}") };
        assert_eq!((response.header("x-reason"), response.body.len()), (Some("tired"), bytes), "{path}");
        assert_eq!((response.body_bytes, response.url.path()), (bytes as u64, path));
    }
    let error = client.fetch(Request::get(server.url("/")).any_status()).unwrap();
    assert_eq!((error.status.as_u16(), &*error.body), (429, b"a problem".as_slice()));
    let error = client.fetch(Request::get("nowhere")).unwrap_err();
    assert!(!error.is_transient() && error.retry_after().is_none() && error.status().is_none());
}

#[test]
fn single_requests_are_retried_if_asked_for() {
    let busy = || Answer::new(503);
    let (server, asked) = failing(2, busy());
    assert!(client().fetch(Request::get(server.url("/"))).is_err());
    assert_eq!(client().fetch_retrying(Request::get(server.url("/"))).unwrap().body, b"x");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let (server, asked) = failing(9, busy());
    let request = || Request::get(server.url("/")).retries(2);
    assert_eq!(client().fetch(request()).unwrap_err().status().unwrap().as_u16(), 503);
    assert!(client().fetch_retrying(request()).is_err(), "the request's own number counts");
    assert!(client().submit(request()).unwrap().wait().is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 9);
    let dir = tempfile::tempdir().unwrap();
    let (server, asked) = failing(2, busy());
    client().fetch_to_file(Request::get(server.url("/")).retries(2), &dir.path().join("x")).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let (server, asked) = failing(2, busy());
    let post = Request::post(server.url("/")).body(RequestBody::bytes("x"));
    assert!(client().fetch_retrying(post).is_err(), "a POST is sent once");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let (server, asked) = failing(2, busy());
    let any = Request::get(server.url("/")).any_status();
    assert_eq!(client().fetch_retrying(any).unwrap().body, b"x", "transient statuses are no results");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[test]
fn retries_pause_as_long_as_the_server_asks_for_and_no_longer_than_the_request_may_take() {
    let (server, _) = failing(2, Answer::new(503).header("Retry-After", "100"));
    let config = Config { retry_after_max: Duration::from_millis(50), ..quick() };
    let started = Instant::now();
    let request = || Request::get(server.url("/"));
    Client::new(config).unwrap().fetch_retrying(request()).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(100));
    let (server, asked) = failing(2, Answer::new(503).header("Retry-After", "100"));
    let limited = Request::get(server.url("/")).timeout(Duration::from_secs(60));
    assert!(client().fetch_retrying(limited).is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the pause would take longer than the request may");
}

#[test]
fn settings_of_a_request_count_more_than_those_of_the_client() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.path() {
        "/held" => Answer::ok("x").gate_at_start(&held),
        "/moved" => Answer::redirect(302, "/"),
        _ => Answer::ok(request.target.clone()),
    });
    let error =
        client().fetch(Request::get(server.url("/held")).timeout(Duration::from_millis(20))).unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    gate.open();
    let moved = || Request::get(server.url("/moved"));
    assert!(client().fetch(moved()).is_ok());
    assert!(matches!(client().fetch(moved().redirects_max(0)), Err(Error::TooManyRedirects)));
    let answered = client().fetch(moved().redirects_max(0).any_status()).unwrap();
    assert_eq!((answered.status.as_u16(), answered.headers["location"].to_str().unwrap()), (302, "/"));
    let (head, _) = client().stream(moved().redirects_max(0).any_status()).unwrap();
    assert_eq!(head.status.as_u16(), 302);
    let tolerant = Config { redirects_max: 0, fail_on_status: false, ..quick() };
    assert_eq!(Client::new(tolerant).unwrap().fetch(moved()).unwrap().status.as_u16(), 302);
    let once = moved().redirects_max(1).any_status();
    assert_eq!(client().fetch(once).unwrap().body, b"/", "a limit above none is one on what is followed");
    let proxy = format!("http://{}", server.url("/").trim_start_matches("http://").trim_end_matches('/'));
    let proxies = || Proxies::all(proxy.parse().unwrap());
    let through = Request::get("http://elsewhere.invalid/x").proxies(proxies());
    assert_eq!(client().fetch(through).unwrap().body, b"http://elsewhere.invalid/x");
    let (_refusing, address) = refused_address();
    let nowhere = Proxies::all(format!("http://{address}").parse().unwrap());
    let behind = Client::new(Config { proxies: nowhere, ..quick() }).unwrap();
    assert!(behind.fetch(Request::get(server.url("/"))).is_err());
    assert!(behind.fetch(Request::get(server.url("/")).proxies(Proxies::default())).is_ok());
}

#[test]
fn clones_are_one_client_and_dropping_the_last_does_not_wait() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| Answer::ok("x").gate_at_start(&held));
    let one = client();
    let other = one.clone();
    let (sender, receiver) = std::sync::mpsc::channel();
    let callback = move |result: Result<_, Error>| sender.send(result.is_ok()).unwrap();
    other.fetch_async(Request::get(server.url("/")), callback).unwrap();
    gate.wait_reached(1);
    drop(one);
    // If this waited, the gate would never open.
    drop(other);
    gate.open();
    assert!(receiver.recv().unwrap(), "the request is finished nevertheless");
    let one = client();
    one.clone().close(Closing::Finish);
    let refused = one.submit(Request::get(server.url("/"))).unwrap_err();
    assert!(matches!(refused.reason, NoRoom::Closed), "{refused}");
}

#[test]
fn bodies_go_into_any_writer() {
    let server = Server::start(|request| match request.path() {
        "/missing" => Answer::new(404),
        _ => Answer::ok("hello").chunked(&[2]),
    });
    let mut receiver = Vec::new();
    let response = client().fetch_into(Request::get(server.url("/")), &mut receiver).unwrap();
    assert_eq!((response.body_bytes, &*receiver), (5, b"hello".as_slice()));
    let missing = client().fetch_into(Request::get(server.url("/missing")), &mut receiver);
    assert_eq!(missing.unwrap_err().status().unwrap().as_u16(), 404);
    let mut full = [0; 3];
    let failed = client().fetch_into(Request::get(server.url("/")), &mut full.as_mut_slice());
    assert!(matches!(failed, Err(Error::Write(_))));
}

#[test]
fn a_client_keeps_to_its_limit_of_each_host() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.path() {
        "/moved" => Answer::redirect(302, "/"),
        _ => Answer::ok("x").gate_at_start(&held),
    });
    let client = Client::new(Config { per_host_max: Some(2), ..quick() }).unwrap();
    let get = || Request::get(server.url("/moved"));
    let pending: Vec<_> = (0..5).map(|_| client.submit(get()).unwrap()).collect();
    let elsewhere = Server::start(|_| Answer::ok("y"));
    gate.wait_reached(2);
    assert!(client.fetch(Request::get(elsewhere.url("/"))).is_ok(), "other hosts aren't held up");
    let late = client.fetch(get().timeout(Duration::from_millis(30))).unwrap_err();
    assert!(matches!(late, Error::Timeout(_)), "{late}");
    assert_eq!(server.requests().len(), 4, "two redirects, and two that are held");
    let waiting = client.submit(get()).unwrap();
    waiting.cancel();
    gate.open();
    assert!(pending.into_iter().all(|pending| pending.wait().is_ok()));
    assert!(matches!(waiting.wait(), Err(Error::Cancelled)));
}

struct Unparks(std::thread::Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unparks(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn async_callers_wait_for_room_and_for_responses() {
    let server = Server::start(|_| Answer::ok("x"));
    let client = Client::new(Config { workers: 1, queue_max: 1, ..quick() }).unwrap();
    let bytes = block_on(async {
        let mut pending = Vec::new();
        for _ in 0..20 {
            client.ready().await;
            pending.push(client.submit(Request::get(server.url("/"))).unwrap());
        }
        let mut bytes = 0;
        for pending in pending {
            bytes += pending.await.unwrap().body.len();
        }
        bytes
    });
    assert_eq!(bytes, 20);
}
