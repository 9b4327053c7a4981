//! Names of results: one task each, and none of a name that the client keeps for its own files.

use std::path::Path;

use haul_engine::run;
use haul_fetch::{Config, Destination, FetchJob, FetchTask, HostLimits};
use haul_io::{Cancel, Existing, Publish};
use haul_testkit::{Answer, End, Request, Server, files_below, seeded_bytes};

use super::outcomes::outcomes;

const ENGINES: [&str; 3] = ["serial", "threads=4", "uring=1x8"];
const TAKEN: &str = "another task of this run has the same file name";

/// A body for each path, broken off at the first request for it.
fn breaking_server() -> Server {
    let asked = std::sync::Mutex::new(std::collections::HashSet::new());
    Server::start(move |request: &Request| {
        let body = seeded_bytes(request.path().len() as u64, 300_000);
        let etag = format!("\"{}\"", request.path());
        if asked.lock().unwrap().insert(request.path().to_owned()) {
            return Answer::ok(body).header("ETag", &etag).cut_after(150_000, End::Close);
        }
        Answer::ranged(request, &body, &etag)
    })
}

/// How many of `destinations` were fetched, and what failed says.
fn fetch(
    engine: &str,
    config: Config,
    server: &Server,
    destinations: Vec<Destination>,
) -> (usize, Vec<String>) {
    let tasks = destinations.into_iter().enumerate().map(|(number, destination)| {
        FetchTask::new(&server.url(&format!("/{}", "x".repeat(number + 1))), destination)
    });
    let ends = outcomes(engine, config, HostLimits::default(), tasks.collect(), |failed| failed.to_string());
    let errors: Vec<_> = ends.values().filter_map(|(_, error)| error.clone()).collect();
    (ends.len() - errors.len(), errors)
}

#[test]
fn a_name_belongs_to_one_task_in_every_mode() {
    let quick = || Config { retry_pause: std::time::Duration::ZERO, ..Config::default() };
    let modes = [
        ("plain", quick()),
        ("continue", Config { resume: true, ..quick() }),
        ("sync", Config { sync: true, ..quick() }),
    ];
    for (mode, config) in modes {
        for existing in [Existing::Refuse, Existing::Replace] {
            for engine in ENGINES {
                let what = format!("{mode} {existing:?} {engine}");
                let (dir, server) = (tempfile::tempdir().unwrap(), breaking_server());
                let to_x = || Destination::File(Publish { existing, ..Publish::new(dir.path().join("x")) });
                let (fetched, errors) = fetch(engine, config.clone(), &server, vec![to_x(), to_x(), to_x()]);
                assert_eq!((fetched, errors), (1, vec![TAKEN.to_owned(); 2]), "{what}");
                let file = std::fs::read(dir.path().join("x")).unwrap();
                assert!((2..=4).any(|seed| file == seeded_bytes(seed, 300_000)), "{what}: a mixture");
            }
        }
    }
}

#[test]
fn a_name_stays_with_a_task_that_failed() {
    let (dir, server) = (
        tempfile::tempdir().unwrap(),
        Server::start(|request| match request.path() {
            "/x" => Answer::new(404),
            _ => Answer::ok("second"),
        }),
    );
    let to_x = || Destination::File(Publish::new(dir.path().join("x")));
    let (fetched, errors) = fetch("serial", Config::default(), &server, vec![to_x(), to_x()]);
    assert_eq!((fetched, errors.len()), (0, 2));
    assert!(errors.contains(&TAKEN.to_owned()), "{errors:?}");
}

#[test]
fn names_that_servers_propose_are_claimed_too() {
    let proposed = |name: &'static str| {
        Server::start(move |request| {
            Answer::ok(request.path()).header("Content-Disposition", &format!("attachment; filename={name}"))
        })
    };
    let dir = tempfile::tempdir().unwrap();
    let named = |name: &str| Destination::Named(Publish::new(dir.path().join(name)));
    let (fetched, errors) =
        fetch("threads=4", Config::default(), &proposed("y"), vec![named("a"), named("b"), named("c")]);
    assert_eq!((fetched, errors), (1, vec![TAKEN.to_owned(); 2]));
    let server = proposed("app.tar.haul-part.from");
    assert_eq!(fetch("serial", Config::default(), &server, vec![named("a")]).0, 1);
    assert_eq!(files_below(dir.path()).unwrap(), [Path::new("app.tar.haul-part.from_"), Path::new("y")]);
}

#[test]
fn two_urls_that_share_a_name_never_share_a_file() {
    let bodies = [seeded_bytes(1, 500_000), seeded_bytes(2, 500_000)];
    let served = bodies.clone();
    let server = Server::start(move |request| {
        let index = usize::from(request.path() == "/1");
        Answer::ranged(request, &served[index], &format!("\"{index}\""))
    });
    for _ in 0..20 {
        let place = tempfile::tempdir().unwrap();
        let publish = |path| Publish::new(path);
        let task =
            |url: &str| FetchTask::new(&server.url(url), Destination::File(publish(place.path().join("x"))));
        let (engine, cancel) = ("threads=2".parse().unwrap(), Cancel::new().unwrap());
        let config = haul_engine::Config::new(engine, cancel);
        let tasks = [task("/0"), task("/1")].into_iter();
        let report = run(
            &FetchJob::new(Config { retries: 0, resume: true, ..Config::default() }),
            tasks,
            &config,
            |_| (),
        );
        match std::fs::read(place.path().join("x")).ok() {
            Some(file) => {
                assert!(bodies.contains(&file) && report.succeeded == 1, "{} succeeded", report.succeeded)
            }
            None => assert_eq!(report.succeeded, 0),
        }
    }
}
