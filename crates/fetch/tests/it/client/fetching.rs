//! The client against scripted servers.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use haul_fetch::{Client, Closing, Config, Error, Phase, Request, Trust};
use haul_testkit::{Answer, End, Fault, Gate, Server, Tls, files_below, refused_address, seeded_bytes};

fn client(config: Config) -> Client {
    Client::new(config).unwrap()
}

fn get(server: &Server, path: &str) -> Request {
    Request::get(server.url(path))
}

#[track_caller]
fn fetch(server: &Server) -> Result<Vec<u8>, Error> {
    let dir = tempfile::tempdir().unwrap();
    let result = client(Config::default()).fetch_to_file(get(server, "/x"), &dir.path().join("x"));
    let left = files_below(dir.path()).unwrap();
    match result {
        Ok(response) => {
            let bytes = std::fs::read(dir.path().join("x")).unwrap();
            assert_eq!(response.body_bytes, bytes.len() as u64);
            Ok(bytes)
        }
        Err(error) => {
            assert!(left.is_empty(), "a failed fetch leaves nothing, but: {left:?}");
            Err(error)
        }
    }
}

#[test]
fn bodies_are_complete_whatever_their_framing() {
    for bytes in [0, 1, 1_000, 131_072, 131_073, 3_000_000] {
        let body = seeded_bytes(7, bytes);
        let answers = [
            Answer::ok(body.clone()),
            Answer::ok(body.clone()).chunked(&[1, 70_000, 3]),
            Answer::ok(body.clone()).until_close(),
            Answer::ok(body.clone()).preceded_by(*b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        ];
        for (index, answer) in answers.into_iter().enumerate() {
            for tls in [false, true].into_iter().filter(|tls| !tls || cfg!(feature = "tls")) {
                let answer = answer.clone();
                let builder = if tls { Server::builder().tls(Tls::good()) } else { Server::builder() };
                let server = builder.start(move |_| answer.clone());
                let dir = tempfile::tempdir().unwrap();
                let mut config = Config::default();
                if tls {
                    std::fs::write(dir.path().join("ca.pem"), server.ca_pem()).unwrap();
                    config.trust = Trust::File(dir.path().join("ca.pem"));
                }
                let client = client(config);
                let in_memory = client.fetch(get(&server, "/x")).unwrap();
                assert!(in_memory.body == body, "{bytes} bytes, answer {index}, tls {tls}");
                let path = dir.path().join("x");
                client.fetch_to_file(get(&server, "/x"), &path).unwrap();
                assert!(std::fs::read(&path).unwrap() == body, "{bytes} bytes, answer {index}, tls {tls}");
            }
        }
    }
}

#[cfg(feature = "cookies")]
#[test]
fn trailers_are_kept_apart_from_headers() {
    let server = Server::start(|request| {
        let answer = Answer::ok("hello").header("X-A", "head");
        match request.path() {
            "/moved" => Answer::redirect(302, "/trailers").chunked(&[1]).trailer("X-Moved", "1"),
            "/trailers" => answer
                .chunked(&[2])
                .trailer("X-A", "tail")
                .trailer("X-A", "more")
                .trailer("Content-Length", "1")
                .trailer("Set-Cookie", "a=b"),
            "/many" => answer.chunked(&[5]).trailer("X-Long", &"x".repeat(16 * 1024)),
            "/bad" => answer.chunked(&[5]).trailer("Location Y", "1"),
            "/dropped" => answer.chunked(&[5]).trailer("X Y", "1"),
            "/cut" => answer.chunked(&[5]).trailer("X-Y", "1").cut_after(15, End::Close),
            "/none" => answer.chunked(&[5]),
            _ => answer,
        }
    });
    let jar = Arc::new(haul_fetch::CookieJar::new(std::time::SystemTime::now));
    let client = client(Config { cookies: Some(jar.clone()), ..Config::default() });
    for path in ["/trailers", "/moved"] {
        let response = client.fetch(get(&server, path)).unwrap();
        assert_eq!(response.body, b"hello");
        let of = |name: &str| response.trailers.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(of("x-a"), ["tail", "more"]);
        assert_eq!(of("content-length"), ["1"]);
        assert_eq!(response.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["head"]);
        assert!(!response.headers.contains_key("set-cookie") && !response.trailers.contains_key("x-moved"));
    }
    assert!(jar.is_empty(), "trailers set no cookies");
    for path in ["/none", "/length", "/dropped"] {
        assert!(client.fetch(get(&server, path)).unwrap().trailers.is_empty());
    }
    for path in ["/many", "/bad", "/cut"] {
        assert!(matches!(client.fetch(get(&server, path)), Err(Error::Protocol(_))), "{path}");
    }
}

#[test]
fn a_body_that_ends_early_is_never_a_file() {
    let body = seeded_bytes(1, 300_000);
    for (answer, end) in [
        (Answer::ok(body.clone()), End::Close),
        (Answer::ok(body.clone()), End::Reset),
        (Answer::ok(body.clone()).chunked(&[1_000]), End::Close),
    ] {
        for cut in [0, 10, 100, 1_000, 200_000] {
            let answer = answer.clone().cut_after(cut, end);
            let error = fetch(&Server::start(move |_| answer.clone())).unwrap_err();
            assert!(matches!(error, Error::Protocol(_) | Error::Transport(_)), "cut {cut}: {error}");
        }
    }
    let short = Answer::ok("hello").claim_length(6).close();
    assert!(matches!(fetch(&Server::start(move |_| short.clone())), Err(Error::Protocol(_))));
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn an_end_without_close_notify_does_not_end_a_body() {
    let answer = Answer::ok("hello").until_close().without_close_notify();
    let server = Server::builder().tls(Tls::good()).start(move |_| answer.clone());
    let client = client(Config { trust: Trust::Anything, ..Config::default() });
    assert!(matches!(client.fetch(get(&server, "/")), Err(Error::Protocol(_))));
}

/// The cause of one dead connection, such as a restart of the server, usually affects all others in the pool.
#[test]
fn a_request_is_replayed_on_a_new_connection() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match (request.path(), request.connection) {
        ("/held", _) => Answer::ok("held").gate_at_start(&held),
        (_, 0 | 1) => Answer::nothing(End::Drop),
        _ => Answer::ok("hello"),
    });
    let client = client(Config::default());
    std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(|| client.fetch(get(&server, "/held")).unwrap()));
        gate.wait_reached(2);
        gate.open();
        threads.into_iter().for_each(|thread| drop(thread.join().unwrap()));
    });
    assert_eq!(client.fetch(get(&server, "/")).unwrap().body, b"hello");
    assert_eq!((server.connection_count(), server.requests().len()), (3, 4));
}

#[test]
fn connections_are_reused_and_dead_ones_replaced() {
    let server = Server::start(|request| match request.path() {
        "/last" => Answer::ok("bye").then(End::Drop),
        "/extra" => Answer::ok("x").followed_by(*b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
        _ => Answer::ok("hello"),
    });
    let client = client(Config::default());
    for _ in 0..3 {
        assert_eq!(client.fetch(get(&server, "/")).unwrap().body, b"hello");
    }
    assert_eq!(server.connection_count(), 1);
    client.fetch(get(&server, "/last")).unwrap();
    server.wait_ended(1);
    assert_eq!(client.fetch(get(&server, "/")).unwrap().body, b"hello");
    assert_eq!(server.connection_count(), 2, "a dead connection is replaced");
    client.fetch(get(&server, "/extra")).unwrap();
    assert_eq!(
        client.fetch(get(&server, "/")).unwrap().body,
        b"hello",
        "bytes nobody asked for are no response"
    );
    assert_eq!(server.connection_count(), 3);
}

#[test]
fn redirects_are_followed_within_their_rules() {
    let other = Server::start(|request| {
        assert!(request.header("authorization").is_none(), "credentials stay with their origin");
        Answer::ok("elsewhere")
    });
    let away = other.url("/there");
    let server = Server::start(move |request| match request.path() {
        "/a" => Answer::redirect(302, "/b?x=1").body("moved"),
        "/b" => Answer::ok("here"),
        "/away" => Answer::redirect(307, &away),
        "/loop" => Answer::redirect(301, "/loop"),
        "/file" => Answer::redirect(301, "file:///etc/passwd"),
        _ => Answer::new(500),
    });
    let client = client(Config::default());
    let response = client.fetch(get(&server, "/a")).unwrap();
    assert_eq!((response.body.as_slice(), response.redirect_count), (b"here".as_slice(), 1));
    assert_eq!(response.url.as_str(), server.url("/b?x=1"));
    let with_secret = get(&server, "/away").header("Authorization", "Bearer x");
    assert_eq!(client.fetch(with_secret).unwrap().body, b"elsewhere");
    assert!(matches!(client.fetch(get(&server, "/loop")), Err(Error::TooManyRedirects)));
    assert!(matches!(client.fetch(get(&server, "/file")), Err(Error::Redirect { .. })));
    assert_eq!(server.connection_count(), 1, "redirects keep their connection");
}

#[test]
fn limits_and_timeouts_end_long_requests() {
    let gate = Gate::new();
    let stalled = gate.clone();
    let server = Server::start(move |request| match request.path() {
        "/never" => Answer::never(),
        "/stalls" => Answer::ok("0123456789").gate_at(5, &stalled),
        "/big" => Answer::ok(vec![0; 5_000]),
        "/big-chunked" => Answer::ok(vec![0; 5_000]).chunked(&[100]),
        "/endless-head" => Answer::raw([b"HTTP/1.1 200 OK\r\n".to_vec(), vec![b'a'; 200_000]].concat()),
        _ => Answer::new(404).body("no"),
    });
    let quick = client(Config { read_timeout: Duration::from_millis(50), ..Config::default() });
    assert!(matches!(quick.fetch(get(&server, "/never")), Err(Error::Timeout(Phase::Transfer))));
    assert!(matches!(quick.fetch(get(&server, "/stalls")), Err(Error::Timeout(Phase::Transfer))));
    let total = client(Config { total_timeout: Some(Duration::from_millis(50)), ..Config::default() });
    assert!(matches!(total.fetch(get(&server, "/never")), Err(Error::Timeout(Phase::Total))));
    let small = client(Config { body_bytes_max: Some(4_999), ..Config::default() });
    assert!(matches!(small.fetch(get(&server, "/big")), Err(Error::TooLarge { bytes_max: 4_999 })));
    assert!(matches!(small.fetch(get(&server, "/big-chunked")), Err(Error::TooLarge { bytes_max: 4_999 })));
    let memory = client(Config { memory_body_bytes_max: 4_999, ..Config::default() });
    assert!(matches!(memory.fetch(get(&server, "/big-chunked")), Err(Error::TooLarge { .. })));
    assert!(matches!(memory.fetch(get(&server, "/endless-head")), Err(Error::Protocol(_))));
    let missing = memory.fetch(get(&server, "/missing")).unwrap_err();
    assert!(matches!(missing, Error::Status(answer) if answer.status.as_u16() == 404));
    let tolerant = client(Config { fail_on_status: false, ..Config::default() });
    assert_eq!(tolerant.fetch(get(&server, "/missing")).unwrap().body, b"no");
    gate.open();
}

#[test]
fn unreachable_hosts_have_distinct_errors() {
    let client = client(Config::default());
    let (_held, refused) = refused_address();
    let error = client.fetch(Request::get(format!("http://{refused}/"))).unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error}");
    let error = client.fetch(Request::get("http://no-such-host.invalid/")).unwrap_err();
    assert!(matches!(error, Error::Resolve(_)), "{error}");
    for url in ["", "example.org", "ftp://a/", "http://", "http://u:p@a/", "file:///etc/passwd"] {
        assert!(matches!(Request::get(url).checked(), Err(Error::Url { .. })), "{url}");
    }
    let smuggled = Request::get("http://a/").header("X", "a\r\nY: b");
    assert!(matches!(smuggled.checked(), Err(Error::Request(_))));
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn certificates_are_checked() {
    for (fault, accepted) in [
        (Fault::None, true),
        (Fault::Expired, false),
        (Fault::WrongName, false),
        (Fault::SelfSigned, false),
        (Fault::UntrustedAuthority, false),
    ] {
        let tls = Tls::with(fault);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), tls.ca_pem()).unwrap();
        let server = Server::builder().tls(tls).start(|_| Answer::ok("secret"));
        let trusting = Trust::File(dir.path().join("ca.pem"));
        let result = client(Config { trust: trusting, ..Config::default() }).fetch(get(&server, "/"));
        match result {
            Ok(_) => assert!(accepted, "{fault:?}"),
            Err(error) => assert!(!accepted && matches!(error, Error::Tls(_)), "{fault:?}: {error}"),
        }
        let insecure = client(Config { trust: Trust::Anything, ..Config::default() });
        assert_eq!(insecure.fetch(get(&server, "/")).unwrap().body, b"secret", "{fault:?}");
    }
}

#[test]
fn callbacks_are_called_once_with_their_captures() {
    let server = Server::start(|request| Answer::ok(request.path()));
    let client = client(Config { workers: 4, ..Config::default() });
    let (sender, results) = mpsc::channel();
    for index in 0..50 {
        let (sender, context) = (sender.clone(), format!("/{index}"));
        client
            .fetch_async(get(&server, &context), move |result| {
                sender.send((context, String::from_utf8(result.unwrap().body).unwrap())).unwrap();
            })
            .unwrap();
    }
    drop(sender);
    let results: Vec<_> = results.iter().collect();
    assert_eq!(results.len(), 50);
    assert!(results.iter().all(|(context, body)| context == body));
    assert!(server.connection_count() <= 4, "one connection for each worker at most");
}

#[test]
fn results_come_in_the_order_of_their_completion() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.path() {
        "/0" => Answer::ok("slow").gate_at_start(&held),
        path => Answer::ok(path),
    });
    let client = client(Config { workers: 3, ..Config::default() });
    let requests: Vec<_> = (0..20).map(|index| get(&server, &format!("/{index}"))).collect();
    let mut order = Vec::new();
    for (number, result) in client.fetch_each(requests) {
        result.unwrap();
        order.push(number);
        if order.len() == 19 {
            gate.open();
        }
    }
    assert_eq!(order.last(), Some(&0));
    order.sort_unstable();
    assert_eq!(order, (0..20).collect::<Vec<_>>());
    // Dropping the iterator early doesn't wait for active requests.
    let some = client.fetch_each((0..20).map(|index| get(&server, &format!("/{index}")))).take(2).count();
    assert_eq!(some, 2);
}

#[test]
fn a_full_queue_returns_request_and_callback() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| Answer::ok("x").gate_at_start(&held));
    let client = client(Config { workers: 1, queue_max: 1, ..Config::default() });
    let mut refused = None;
    for _ in 0..3 {
        if let Err(error) = client.fetch_async(get(&server, "/"), |_| {}) {
            refused = Some(error);
        }
    }
    let refused = refused.expect("one is under way, one waits, one is refused");
    assert!(matches!(refused.reason, haul_fetch::NoRoom::Full));
    assert_eq!(refused.request.url().path(), "/");
    gate.open();
}

#[test]
fn closing_finishes_or_cancels_and_calls_every_callback() {
    for closing in [Closing::Finish, Closing::Cancel] {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |_| Answer::ok("x").gate_at_start(&held));
        let client = client(Config { workers: 2, ..Config::default() });
        let (finished, cancelled) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..10 {
            let (finished, cancelled) = (finished.clone(), cancelled.clone());
            let count = move |result: Result<_, Error>| match result {
                Ok(_) => finished.fetch_add(1, Ordering::Relaxed),
                Err(Error::Cancelled) => cancelled.fetch_add(1, Ordering::Relaxed),
                Err(error) => panic!("{error}"),
            };
            client
                .fetch_async(get(&server, "/"), move |result| {
                    count(result);
                })
                .unwrap();
        }
        server.wait_requests(2);
        if closing == Closing::Finish {
            gate.open();
        }
        client.close(closing);
        let counted = (finished.load(Ordering::Relaxed), cancelled.load(Ordering::Relaxed));
        assert_eq!(counted, if closing == Closing::Finish { (10, 0) } else { (0, 10) });
        gate.open();
    }
    // Sleeping workers wake up: dropping a client returns, with and without workers.
    let server = Server::start(|_| Answer::ok("x"));
    let idle = client(Config::default());
    assert_eq!(idle.fetch_each([get(&server, "/")]).count(), 1);
    drop(idle);
    drop(client(Config::default()));
}

#[test]
fn an_existing_file_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    std::fs::write(&path, "precious").unwrap();
    let server = Server::start(|_| Answer::ok("new"));
    let error = client(Config::default()).fetch_to_file(get(&server, "/"), &path).unwrap_err();
    assert!(matches!(error, Error::Exists));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    assert_eq!(files_below(dir.path()).unwrap(), [Path::new("x")]);
}
