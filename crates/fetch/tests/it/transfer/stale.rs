//! Bytes that are no response on a connection that was used before: what is left over from an earlier exchange.

use haul_fetch::{Client, Config, Destination, Error, FetchTask, HostLimits, Method, Request};
use haul_io::Publish;
use haul_testkit::{Answer, Server};

use crate::list::outcomes::outcomes;

const STRAY: [&[u8]; 4] = [b"\r\n", b"0\r\n\r\n", b"EXTRA", b"\0"];

/// A server that sends `stray` before every response except the first of each connection.
fn server(stray: &'static [u8]) -> Server {
    Server::start(move |request| {
        let answer = Answer::ok(request.path().to_owned());
        if request.index == 0 { answer } else { answer.preceded_by(stray) }
    })
}

#[test]
fn stray_bytes_cost_one_replay_on_a_new_connection() {
    for engine in ["serial", "threads=4", "uring=1x8"] {
        for stray in STRAY {
            let server = server(stray);
            let dir = tempfile::tempdir().unwrap();
            let urls: Vec<_> = (0..4).map(|number| server.url(&format!("/{number}"))).collect();
            let tasks = urls.iter().enumerate().map(|(number, url)| {
                let path = dir.path().join(number.to_string());
                FetchTask::new(url, Destination::File(Publish::new(path)))
            });
            let limits = HostLimits { per_host_max: 1, ..HostLimits::default() };
            let config = Config { retries: 0, ..Config::default() };
            let ends = outcomes(engine, config, limits, tasks.collect(), |failed| failed.error.to_string());
            for (number, url) in urls.iter().enumerate() {
                assert_eq!(ends[url].1, None, "{engine} {stray:?}");
                let body = std::fs::read_to_string(dir.path().join(number.to_string())).unwrap();
                assert_eq!(body, format!("/{number}"), "{engine} {stray:?}");
            }
            assert!(server.requests().len() <= 7, "at most one replay a task");
        }
    }
}

#[test]
fn stray_bytes_fail_what_must_not_be_sent_twice() {
    let server = server(b"\r\n");
    let client = Client::new(Config::default()).unwrap();
    let post = || Request::new(Method::POST, server.url("/"));
    client.fetch(post()).unwrap();
    assert!(matches!(client.fetch(post()), Err(Error::Protocol(_))));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn stray_bytes_on_a_new_connection_are_an_error() {
    let server = Server::start(|_| Answer::ok("x").preceded_by(*b"\r\n"));
    let client = Client::new(Config::default()).unwrap();
    let error = client.fetch(Request::get(server.url("/"))).unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    assert_eq!(server.requests().len(), 1);
}
