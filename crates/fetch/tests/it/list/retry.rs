//! Retries of failed tasks, against scripted servers, on every engine.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use haul_engine::{Engine, Event, Failure, run};
use haul_fetch::{Config, Destination, Error, Failed, FetchJob, FetchTask, HostLimits, HostSource};
use haul_io::Cancel;
use haul_testkit::{Answer, End, Request, Server, refused_address};

use super::outcomes::{Outcomes, outcomes};

/// Retries without pauses.
fn quick() -> Config {
    Config { retry_pause: Duration::ZERO, ..Config::default() }
}

fn fetch(engine: &str, config: Config, limits: HostLimits, urls: Vec<String>) -> Outcomes {
    let tasks = urls.into_iter().map(|url| FetchTask::new(&url, Destination::Discard));
    outcomes(engine, config, limits, tasks.collect(), Failed::to_string)
}

const ENGINES: [&str; 3] = ["serial", "threads=4", "uring=1x8"];

/// Answers each path depending on how often it was requested.
fn counting(answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Server {
    let counts = Mutex::new(HashMap::new());
    Server::start(move |request| {
        let number = {
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(request.path().to_owned()).or_insert(0);
            *count += 1;
            *count
        };
        answer(request, number)
    })
}

#[test]
fn transient_failures_are_retried_and_each_task_ends_once() {
    for engine in ENGINES {
        let server = counting(|request, number| match (request.path(), number) {
            ("/ok", _) => Answer::ok("x"),
            ("/missing", _) => Answer::new(404),
            ("/malformed", _) => {
                Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx").then(End::Close)
            }
            ("/down", _) | ("/busy", 1 | 2) => Answer::new(503),
            ("/reset", 1) => Answer::ok("hello").cut_after(2, End::Reset),
            ("/short", 1..=3) => Answer::ok("hello").claim_length(9).close(),
            _ => Answer::ok("hello"),
        });
        let paths = ["/ok", "/missing", "/malformed", "/down", "/busy", "/reset", "/short"];
        let urls = paths.map(|path| server.url(path)).to_vec();
        let ends = fetch(engine, quick(), HostLimits::default(), urls);
        for (path, attempts, error) in [
            ("/ok", 1, None),
            ("/missing", 1, Some("the server answered 404 Not Found")),
            ("/malformed", 1, Some("malformed Content-Length")),
            ("/down", 6, Some("the server answered 503 Service Unavailable (after 6 attempts)")),
            ("/busy", 3, None),
            ("/reset", 2, None),
            ("/short", 4, None),
        ] {
            assert_eq!(ends[&server.url(path)], (attempts, error.map(str::to_owned)), "{engine}: {path}");
        }
    }
}

#[test]
fn a_dead_host_delays_no_other() {
    let (_held, dead) = refused_address();
    let server = Server::start(|_| Answer::ok("x"));
    let mut urls: Vec<_> = (0..30).map(|index| format!("http://{dead}/{index}")).collect();
    urls.extend((0..30).map(|index| server.url(&format!("/{index}"))));
    // The pauses are longer than the test: it ends only because no task waits behind those of the dead host.
    let config = Config { retry_pause: Duration::from_secs(3_600), retries: 1, ..Config::default() };
    let cancel = Cancel::new().unwrap();
    let started = Instant::now();
    let tasks = urls.into_iter().map(|url| FetchTask::new(&url, Destination::Discard));
    let source = HostSource::new(tasks, HostLimits::default(), move || started.elapsed());
    let engine = "threads=2".parse().unwrap();
    let run_config = haul_engine::Config::new(engine, cancel.clone());
    let config = Config { retry_pause_max: Duration::from_secs(3_600), ..config };
    let mut succeeded = 0;
    let report = run(&FetchJob::new(config), source, &run_config, |event| {
        if let Event::Settled(settled) = event
            && settled.outcome.is_ok()
        {
            succeeded += 1;
            if succeeded == 30 {
                cancel.trigger();
            }
        }
    });
    assert_eq!((report.succeeded, report.failed, report.cancelled_tasks), (30, 0, 30));
}

#[test]
fn no_host_sees_more_connections_than_allowed() {
    let server = Server::start(|_| Answer::ok("x"));
    let urls = (0..200).map(|index| server.url(&format!("/{index}"))).collect();
    let limits = HostLimits { per_host_max: 3, ..HostLimits::default() };
    let ends = fetch("threads=16", quick(), limits, urls);
    assert!(ends.len() == 200 && ends.values().all(|(_, error)| error.is_none()));
    assert!(server.connection_count() <= 3, "{} connections", server.connection_count());
}

#[test]
fn retry_after_pauses_the_whole_host() {
    let server = counting(|request, number| match (request.path(), number) {
        ("/0", 1) => Answer::new(503).header("Retry-After", "1"),
        _ => Answer::ok("x"),
    });
    let urls: Vec<_> = (0..4).map(|index| server.url(&format!("/{index}"))).collect();
    // A manual clock: it stands still until everything that can start has started.
    let clock_ms = AtomicU64::new(0);
    let tasks = urls.iter().map(|url| FetchTask::new(url, Destination::Discard));
    let asked_in_the_pause = AtomicUsize::new(0);
    let limits = HostLimits { per_host_max: 1, ..HostLimits::default() };
    let source = HostSource::new(tasks, limits, || {
        let now = clock_ms.fetch_add(50, Ordering::SeqCst);
        if now < 1_000 {
            asked_in_the_pause.store(server.requests().len(), Ordering::SeqCst);
        }
        Duration::from_millis(now)
    });
    let config = haul_engine::Config::new(Engine::Serial, Cancel::new().unwrap());
    let report = run(&FetchJob::new(quick()), source, &config, |_| ());
    assert_eq!((report.succeeded, server.requests().len()), (4, 5));
    assert_eq!(asked_in_the_pause.load(Ordering::SeqCst), 1);
}

#[test]
fn the_total_timeout_includes_retries() {
    let server = Server::start(|_| Answer::new(503));
    let config = Config {
        total_timeout: Some(Duration::from_secs(5)),
        retry_pause: Duration::from_secs(1_000),
        retry_pause_max: Duration::from_secs(1_000),
        retries: 50,
        ..Config::default()
    };
    let ends = fetch("serial", config, HostLimits::default(), vec![server.url("/")]);
    let (attempts, error) = &ends[&server.url("/")];
    assert!(*attempts < 51, "{attempts} attempts");
    assert!(error.as_ref().unwrap().starts_with("the server answered 503"));
}

#[test]
fn a_stream_that_has_received_bytes_is_not_restarted() {
    let server = Server::start(|_| Answer::ok("hello").cut_after(3, End::Close));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let out = std::fs::File::create(&path).unwrap();
    let task = FetchTask::new(&server.url("/"), Destination::Stream(out.into()));
    let config = haul_engine::Config::new(Engine::Serial, Cancel::new().unwrap());
    run(&FetchJob::new(quick()), [task].into_iter(), &config, |event| {
        if let Event::Settled(settled) = event {
            let Err(Failure::Job(failed)) = &settled.outcome else { panic!("the body was cut") };
            assert!(matches!(failed.error, Error::Protocol(_)) && failed.attempts == 1, "{failed}");
        }
    });
    assert_eq!(std::fs::read(&path).unwrap(), b"hel");
}
