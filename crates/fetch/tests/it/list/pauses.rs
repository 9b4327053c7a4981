//! Pauses: hosts that ask for one, names whose servers fail for a moment or don't answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use haul_fetch::{
    Config, Destination, Failed, FetchJob, FetchTask, HostLimits, Names, NamesLimits, StatusCode,
};
use haul_io::Cancel;
use haul_testkit::{Answer, Server};

use super::outcomes::{Outcomes, outcomes};

const ENGINES: [&str; 3] = ["serial", "threads=4", "uring=1x8"];
/// Far less than the pauses that the servers ask for.
const SOON: Duration = Duration::from_secs(20);

fn quick() -> Config {
    Config { retry_pause: Duration::ZERO, ..Config::default() }
}

fn fetch(engine: &str, config: Config, urls: &[String]) -> Outcomes {
    let limits = HostLimits { per_host_max: 1, ..HostLimits::default() };
    let tasks = urls.iter().map(|url| FetchTask::new(url, Destination::Discard));
    outcomes(engine, config, limits, tasks.collect(), Failed::to_string)
}

#[test]
fn a_pause_is_for_the_host_that_asked_for_it() {
    for engine in ENGINES {
        let busy = Server::start(|_| Answer::new(503).header("Retry-After", "100"));
        let elsewhere = busy.url("/");
        let server = Server::start(move |request| match request.path() {
            "/elsewhere" => Answer::redirect(302, &elsewhere),
            _ => Answer::ok("x"),
        });
        let mut urls = vec![server.url("/elsewhere")];
        urls.extend((0..20).map(|index| server.url(&format!("/{index}"))));
        let started = Instant::now();
        let ends = fetch(engine, Config { retries: 0, ..quick() }, &urls);
        assert!(started.elapsed() < SOON, "{engine}: {:?}", started.elapsed());
        assert_eq!(ends.values().filter(|(_, error)| error.is_none()).count(), 20, "{engine}");
    }
}

#[test]
fn transient_statuses_are_tried_again_even_if_every_status_is_a_result() {
    for engine in ENGINES {
        let asked = AtomicUsize::new(0);
        let server =
            Server::start(move |request| match (request.path(), asked.fetch_add(1, Ordering::SeqCst)) {
                ("/throttled", 0 | 1) => Answer::new(403),
                ("/throttled", _) => Answer::ok("x"),
                _ => Answer::new(520),
            });
        let (throttled, down) = (server.url("/throttled"), server.url("/down"));
        let config = || Config { retry_statuses: vec![StatusCode::FORBIDDEN], retries: 3, ..quick() };
        let ends =
            fetch(engine, Config { fail_on_status: false, ..config() }, std::slice::from_ref(&throttled));
        assert_eq!(ends[&throttled], (3, None), "{engine}");
        let ends = fetch(engine, Config { fail_on_status: false, ..config() }, std::slice::from_ref(&down));
        assert_eq!(ends[&down], (4, None), "{engine}: the last answer is the result");
        let ends = fetch(engine, config(), std::slice::from_ref(&down));
        assert_eq!(ends[&down].0, 4, "{engine}");
        assert!(ends[&down].1.is_some(), "{engine}");
    }
}

#[cfg(feature = "codings")]
#[test]
fn codings_that_end_early_are_tried_again() {
    let mut whole = Vec::with_capacity(1_000);
    let mut compress = flate2::Compress::new_gzip(flate2::Compression::best(), 15);
    compress.compress_vec(b"hello", &mut whole, flate2::FlushCompress::Finish).unwrap();
    for engine in ENGINES {
        let (asked, whole) = (AtomicUsize::new(0), whole.clone());
        let server = Server::start(move |_| {
            let bytes = if asked.fetch_add(1, Ordering::SeqCst) == 0 { whole.len() - 9 } else { whole.len() };
            Answer::ok(&whole[..bytes]).header("Content-Encoding", "gzip")
        });
        let url = server.url("/");
        let ends = fetch(engine, Config { compressed: true, ..quick() }, std::slice::from_ref(&url));
        assert_eq!(ends[&url], (2, None), "{engine}");
    }
}

#[test]
fn names_whose_servers_fail_for_a_moment_are_asked_for_again() {
    let server = Server::start(|_| Answer::ok("x"));
    let port = server.address().port();
    for engine in ENGINES {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let resolver = move |name: &str| match (name, counted.fetch_add(1, Ordering::SeqCst)) {
            ("flaky.test", 0..=2) => Err(std::io::ErrorKind::WouldBlock.into()),
            ("flaky.test", _) => Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))]),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        let names = Names::new(resolver, || Duration::ZERO, NamesLimits::default());
        let urls = ["flaky.test", "gone.test"].map(|host| format!("http://{host}:{port}/"));
        let ends = fetch(engine, Config { names, ..quick() }, &urls[..1]);
        assert_eq!(ends[&urls[0]], (4, None), "{engine}");
    }
}

#[test]
fn names_that_nobody_answers_for_end_in_time_and_delay_no_other() {
    let server = Server::start(|_| Answer::ok("x"));
    for engine in ["threads=4", "uring=1x8"] {
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let held = std::sync::Mutex::new(held);
        let resolver = move |_: &str| {
            let _ = held.lock().unwrap().recv();
            Err(std::io::ErrorKind::NotFound.into())
        };
        let names = Names::new(resolver, || Duration::ZERO, NamesLimits::default());
        let mut urls = vec!["http://silent.test/".to_owned()];
        urls.extend((0..20).map(|index| server.url(&format!("/{index}"))));
        let connect_timeout = Duration::from_millis(300);
        let ends = fetch(engine, Config { names, connect_timeout, retries: 0, ..quick() }, &urls);
        assert_eq!(ends.values().filter(|(_, error)| error.is_none()).count(), 20, "{engine}");
        let (_, error) = &ends[&urls[0]];
        assert!(error.as_ref().unwrap().starts_with("cannot resolve the host"), "{engine}: {error:?}");
        drop(hold);
    }
}

/// Six requests within milliseconds would hammer a server that has just asked for a pause.
#[test]
fn tasks_of_a_plain_iterator_pause_too() {
    for engine in ENGINES {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let server = Server::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0..3 => Answer::new(503).header("Retry-After", "100"),
            _ => Answer::ok("x"),
        });
        let config = Config { retry_after_max: Duration::from_millis(50), ..quick() };
        let run = haul_engine::Config::new(engine.parse().unwrap(), Cancel::new().unwrap());
        let tasks = [FetchTask::new(&server.url("/"), Destination::Discard)].into_iter();
        let started = Instant::now();
        let report = haul_engine::run(&FetchJob::new(config), tasks, &run, |_| {});
        assert_eq!((report.succeeded, asked.load(Ordering::SeqCst)), (1, 4), "{engine}");
        assert!(started.elapsed() >= 3 * Duration::from_millis(50), "{engine}: {:?}", started.elapsed());
    }
}

#[test]
fn a_pause_on_a_worker_ends_with_the_run() {
    for engine in ENGINES {
        let cancel = Cancel::new().unwrap();
        let trigger = cancel.clone();
        let server = Server::start(move |_| {
            trigger.trigger();
            Answer::new(503).header("Retry-After", "100")
        });
        let run = haul_engine::Config::new(engine.parse().unwrap(), cancel);
        let tasks = [FetchTask::new(&server.url("/"), Destination::Discard)].into_iter();
        let started = Instant::now();
        let report = haul_engine::run(&FetchJob::new(quick()), tasks, &run, |_| {});
        assert_eq!((report.succeeded, report.cancelled), (0, true), "{engine}");
        assert!(started.elapsed() < SOON, "{engine}: {:?}", started.elapsed());
    }
}
