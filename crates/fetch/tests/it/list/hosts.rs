//! The hosts that are really asked: redirect targets in limits and rates, names that are looked up before their tasks
//! start.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use haul_engine::{Engine, Event, run};
use haul_fetch::{
    Config, Destination, Failed, FetchJob, FetchTask, HostLimits, HostSource, Names, NamesLimits,
};
use haul_io::{Cancel, Existing, Publish};
use haul_testkit::{Answer, Gate, Server, Workdir};

use super::outcomes::{Outcomes, outcomes};

const ENGINES: [&str; 3] = ["serial", "threads=16", "uring=1x16"];

fn quick() -> Config {
    Config { retry_pause: Duration::ZERO, ..Config::default() }
}

fn fetch(engine: &str, config: Config, limits: HostLimits, urls: &[String]) -> Outcomes {
    let tasks = urls.iter().map(|url| FetchTask::new(url, Destination::Discard));
    outcomes(engine, config, limits, tasks.collect(), Failed::to_string)
}

/// Servers that redirect everything to `target`.
fn redirectors(count: usize, target: &Server) -> Vec<Server> {
    let start = |_| {
        let target = target.address();
        Server::start(move |request| Answer::redirect(302, &format!("http://{target}{}", request.path())))
    };
    (0..count).map(start).collect()
}

/// Four URLs of each server.
fn four_each(servers: &[Server]) -> Vec<String> {
    (0..servers.len() * 4).map(|index| servers[index % servers.len()].url(&format!("/{index}"))).collect()
}

#[test]
fn a_host_that_redirects_lead_to_sees_no_more_connections_than_allowed() {
    for engine in ENGINES {
        let target = Server::start(|_| Answer::ok("x"));
        let servers = redirectors(8, &target);
        let urls = four_each(&servers);
        let limits = HostLimits { per_host_max: 2, ..HostLimits::default() };
        let ends = fetch(engine, quick(), limits, &urls);
        assert!(ends.len() == 32 && ends.values().all(|end| *end == (1, None)), "{engine}: {ends:?}");
        assert_eq!(target.requests().len(), 32, "{engine}");
        assert!(target.connection_count() <= 2, "{engine}: {} connections", target.connection_count());
    }
}

/// The look at existing files counts as any other request.
#[test]
fn a_host_that_looks_are_redirected_to_sees_no_more_connections_than_allowed() {
    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    for engine in ENGINES {
        // Half of the files are complete; of the others only their content can tell.
        let target = Server::start(|request| {
            let number: usize = request.path()[1..].parse().unwrap();
            let answer = Answer::ranged(request, b"x", "\"1\"");
            if number.is_multiple_of(2) { answer.header("Last-Modified", MODIFIED) } else { answer }
        });
        let servers = redirectors(8, &target);
        let workdir = Workdir::new();
        let task = |(number, url): (usize, &String)| {
            let path = workdir.write(number.to_string(), "x");
            let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
            FetchTask::new(url, Destination::File(Publish::new(path)))
        };
        let urls = four_each(&servers);
        let tasks = urls.iter().enumerate().map(task).collect();
        let limits = HostLimits { per_host_max: 2, ..HostLimits::default() };
        let config = Config { resume: true, ..quick() };
        let ends = outcomes(engine, config, limits, tasks, Failed::to_string);
        assert!(ends.len() == 32 && ends.values().all(|end| *end == (1, None)), "{engine}: {ends:?}");
        assert_eq!(target.requests().len(), 32 + 16, "{engine}");
        assert!(servers.iter().all(|server| server.requests().len() == 4), "{engine}: asked once a file");
        assert!(target.connection_count() <= 2, "{engine}: {} connections", target.connection_count());
    }
}

#[test]
fn a_rate_holds_for_the_host_that_redirects_lead_to() {
    // A manual clock, which goes on by ten milliseconds whenever the source is asked.
    let clock_ms = Arc::new(AtomicU64::new(0));
    let (clock, times) = (clock_ms.clone(), Arc::new(Mutex::new(Vec::new())));
    let noted = times.clone();
    let target = Server::start(move |_| {
        noted.lock().unwrap().push(clock.load(Ordering::SeqCst));
        Answer::ok("x")
    });
    let servers = redirectors(5, &target);
    let urls = four_each(&servers);
    let tasks = urls.iter().map(|url| FetchTask::new(url, Destination::Discard));
    let limits = HostLimits { per_host_rate: Some(10.0), ..HostLimits::default() };
    let source =
        HostSource::new(tasks, limits, || Duration::from_millis(clock_ms.fetch_add(10, Ordering::SeqCst)));
    let config = haul_engine::Config {
        engine: Engine::Serial,
        cancel: Cancel::new().unwrap(),
        progress: Default::default(),
    };
    let report = run(&FetchJob::new(quick()), source, &config, |_| ());
    assert_eq!(report.succeeded, 20);
    let times = times.lock().unwrap();
    for (number, time) in times.iter().enumerate() {
        let earliest = (times[0] + 100 * number as u64).saturating_sub(60);
        assert!(*time >= earliest, "request {number} after {time} ms: {times:?}");
    }
}

#[test]
fn a_rate_counts_every_request_and_none_that_was_not_made() {
    // A manual clock, which goes on by ten milliseconds whenever the source is asked.
    let clock_ms = Arc::new(AtomicU64::new(0));
    let server = Server::start(|request| match request.path() {
        path if path.starts_with("/moved") => Answer::redirect(302, "/here"),
        _ => Answer::ok("x"),
    });
    let workdir = Workdir::new();
    std::fs::write(workdir.path("there"), "").unwrap();
    let took = |paths: Vec<String>, destination: fn(&Path) -> Destination| {
        let begun = clock_ms.load(Ordering::SeqCst);
        let tasks =
            paths.iter().map(|path| FetchTask::new(&server.url(path), destination(&workdir.path(""))));
        let limits = HostLimits { per_host_rate: Some(10.0), ..HostLimits::default() };
        let clock = || Duration::from_millis(clock_ms.fetch_add(10, Ordering::SeqCst));
        let config = haul_engine::Config {
            engine: Engine::Serial,
            cancel: Cancel::new().unwrap(),
            progress: Default::default(),
        };
        run(&FetchJob::new(quick()), HostSource::new(tasks, limits, clock), &config, |_| ());
        clock_ms.load(Ordering::SeqCst) - begun
    };
    let each = |start: &str| (0..20).map(|number| format!("/{start}{number}")).collect();
    let discard = |_: &Path| Destination::Discard;
    let once = took(each("here"), discard);
    assert!((1_900..2_000).contains(&once), "{once} ms for 20 requests");
    let redirected = took(each("moved"), discard);
    assert!((3_800..4_000).contains(&redirected), "{redirected} ms for 40 requests");
    let exists = |dir: &Path| Destination::file_in(dir, Path::new("there"), Existing::Refuse, None);
    let refused = took(each("here"), exists);
    assert!(refused < 500, "{refused} ms without any request");
}

#[test]
fn an_attempt_that_goes_on_elsewhere_is_one_attempt_and_a_retry_begins_at_the_url() {
    for engine in ENGINES {
        let asked = AtomicUsize::new(0);
        let target = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Answer::new(503),
            _ => Answer::ok("x"),
        });
        let servers = redirectors(1, &target);
        let url = servers[0].url("/");
        let ends = fetch(engine, quick(), HostLimits::default(), std::slice::from_ref(&url));
        assert_eq!(ends[&url], (3, None), "{engine}");
        assert_eq!((servers[0].requests().len(), target.requests().len()), (3, 3), "{engine}");
        let loops = Arc::new(Mutex::new(Vec::<SocketAddr>::new()));
        let loop_server = || {
            let loops = loops.clone();
            Server::start(move |request| {
                let own = request.header("host").unwrap().to_owned();
                let other = loops.lock().unwrap().iter().find(|one| one.to_string() != own).copied().unwrap();
                Answer::redirect(302, &format!("http://{other}/"))
            })
        };
        let servers = [loop_server(), loop_server()];
        loops.lock().unwrap().extend(servers.iter().map(Server::address));
        let url = servers[0].url("/");
        let config = Config { redirects_max: 5, ..quick() };
        let ends = fetch(engine, config, HostLimits::default(), std::slice::from_ref(&url));
        assert_eq!(ends[&url].0, 1, "{engine}");
        assert!(ends[&url].1.as_ref().is_some_and(|error| error.contains("redirect")), "{engine}: {ends:?}");
        assert_eq!(servers.iter().map(|server| server.requests().len()).sum::<usize>(), 6, "{engine}");
    }
}

/// Names of which those that begin with "dead" are answered only when the gate opens; the others lead to this machine.
fn names(gate: &Gate) -> Names {
    let (gate, started) = (gate.clone(), Instant::now());
    let resolver = move |name: &str| {
        if name.starts_with("dead") {
            gate.wait_open();
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))])
    };
    Names::new(resolver, move || started.elapsed(), NamesLimits::default())
}

#[test]
fn tasks_that_wait_for_their_names_occupy_no_worker() {
    for engine in ["serial", "threads=2", "uring=1x2"] {
        let (gate, server) = (Gate::new(), Server::start(|_| Answer::ok("x")));
        let port = server.address().port();
        let dead = (0..100).map(|index| format!("http://dead-{index}.test:{port}/"));
        let live = (0..30).map(|index| format!("http://live-{index}.test:{port}/"));
        let urls: Vec<_> = dead.chain(live).collect();
        // Far longer than the test: it ends in time only because the others need none of what the dead ones hold.
        let connect_timeout = Duration::from_secs(60);
        let config = Config { names: names(&gate), connect_timeout, retries: 0, ..quick() };
        let started = Instant::now();
        let tasks = urls.iter().map(|url| FetchTask::new(url, Destination::Discard));
        let limits = HostLimits { total_max: 4, ..HostLimits::default() };
        let source = HostSource::new(tasks, limits, move || started.elapsed()).looking_up(&config);
        let run_config = haul_engine::Config {
            engine: engine.parse().unwrap(),
            cancel: Cancel::new().unwrap(),
            progress: Default::default(),
        };
        let mut order = Vec::new();
        run(&FetchJob::new(config), source, &run_config, |event| {
            if let Event::Settled(settled) = event {
                order.push(settled.outcome.is_ok());
                if order.len() == 30 {
                    gate.open();
                }
            }
        });
        assert_eq!(order.len(), 130, "{engine}");
        assert!(order[..30].iter().all(|is_ok| *is_ok), "{engine}");
        assert!(!order[30..].iter().any(|is_ok| *is_ok), "{engine}");
        assert!(started.elapsed() < connect_timeout, "{engine}");
    }
}

#[test]
fn lookups_run_at_once_on_every_engine() {
    for engine in ENGINES {
        let server = Server::start(|_| Answer::ok("x"));
        let port = server.address().port();
        // Each lookup waits until 64 are in progress, so that none of the first 64 ends before.
        let (running, gate) = (Arc::new(AtomicUsize::new(0)), Gate::new());
        let resolver = move |_: &str| {
            if running.fetch_add(1, Ordering::SeqCst) == 63 {
                gate.open();
            }
            gate.wait_open();
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))])
        };
        let names = Names::new(resolver, || Duration::ZERO, NamesLimits::default());
        let urls: Vec<_> = (0..100).map(|index| format!("http://n{index}.test:{port}/")).collect();
        let config = Config { names, connect_timeout: Duration::from_secs(60), retries: 0, ..quick() };
        let ends = fetch(engine, config, HostLimits::default(), &urls);
        assert!(ends.len() == 100 && ends.values().all(|end| *end == (1, None)), "{engine}: {ends:?}");
    }
}

#[test]
fn a_name_that_is_never_answered_fails_in_time() {
    for engine in ENGINES {
        let gate = Gate::new();
        let config = Config { names: names(&gate), connect_timeout: Duration::from_millis(200), ..quick() };
        let urls: Vec<_> = (0..3).map(|index| format!("http://dead-{index}.test/")).collect();
        let started = Instant::now();
        let ends = fetch(engine, config, HostLimits::default(), &urls);
        assert!(started.elapsed() < Duration::from_secs(30), "{engine}: {:?}", started.elapsed());
        for (attempts, error) in ends.values() {
            assert!(error.as_ref().unwrap().contains("the name servers don't answer"), "{engine}: {error:?}");
            assert_eq!(*attempts, 2, "{engine}: silence is tried once more");
        }
        gate.open();
    }
}

#[test]
fn every_retry_is_reported_before_its_pause() {
    for engine in ENGINES {
        let asked = AtomicUsize::new(0);
        let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::new(503),
            1 => Answer::new(429).header("Retry-After", "0"),
            _ => Answer::ok("x"),
        });
        let url = server.url("/");
        let (seen, started) = (Mutex::new(Vec::new()), Instant::now());
        let tasks = [FetchTask::new(&url, Destination::Discard)].into_iter();
        let source = HostSource::new(tasks, HostLimits::default(), move || started.elapsed())
            .on_retry(|id, task, retry| seen.lock().unwrap().push((id.0, task.label.clone(), retry.clone())));
        let run_config = haul_engine::Config {
            engine: engine.parse().unwrap(),
            cancel: Cancel::new().unwrap(),
            progress: Default::default(),
        };
        let report = run(&FetchJob::new(quick()), source, &run_config, |_| ());
        assert_eq!(report.succeeded, 1, "{engine}");
        let seen = seen.into_inner().unwrap();
        let numbers: Vec<_> = seen.iter().map(|(_, _, retry)| (retry.attempt, retry.attempts_max)).collect();
        assert_eq!(numbers, [(2, 6), (3, 6)], "{engine}");
        let reasons: Vec<_> = seen.iter().map(|(_, _, retry)| retry.reason.as_str()).collect();
        assert_eq!(
            reasons,
            ["the server answered 503 Service Unavailable", "the server answered 429 Too Many Requests"]
        );
        assert!(seen.iter().all(|(id, label, retry)| *id == 0 && *label == url && retry.host == "127.0.0.1"));
    }
}
