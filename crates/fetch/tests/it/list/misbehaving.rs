//! Misbehaving servers: a file is complete or absent, and the failure of one task affects no other.
//!
//! Tested elsewhere: connections that break or stall at any operation (`simulated.rs`), wrong ranges and changed
//! validators (`resume.rs`, `segments/`), bombs and damaged codings (`transfer/codings.rs`), bytes after a response
//! (`client/fetching.rs`).

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use haul_fetch::{
    Client, Config, Destination, Error, FetchTask, HostLimits, Phase, Request, Segments, Trust,
};
use haul_io::Publish;
use haul_testkit::{Answer, End, Gate, Server, Tls, files_below, refused_address, seeded_bytes};

use super::outcomes::{Outcomes, outcomes};

const ENGINES: [&str; 4] = ["serial", "threads=4", "uring=1x8", "uring=2x4"];

fn quick() -> Config {
    Config { retry_pause: Duration::ZERO, ..Config::default() }
}

fn to_file(url: &str, path: &Path) -> FetchTask {
    let publish = Publish::new(path.to_owned());
    FetchTask::new(url, Destination::File(publish))
}

fn fetch(engine: &str, config: Config, tasks: Vec<FetchTask>) -> Outcomes {
    outcomes(engine, config, HostLimits::default(), tasks, |failed| format!("{:?}", failed.error))
}

const HELLO: &[u8] = b"hello, whole world";

/// Responses with an explicit end, with and without the validators that let a retry continue them.
fn responses() -> Vec<Answer> {
    let plain = Answer::ok(HELLO);
    let tagged = plain.clone().header("ETag", "\"1\"").header("Accept-Ranges", "bytes");
    let chunked = |answer: &Answer| answer.clone().chunked(&[4, 7]).trailer("X-Sum", "1");
    vec![chunked(&plain), chunked(&tagged), plain, tagged]
}

/// More bytes than any of the responses has.
const CUTS: usize = 200;

/// Fetches every response cut at every `step`th byte. A retry gets the whole. Returns how each task ended, by the kind
/// of the cut and its position.
fn break_off(engine: &str, retries: u32, step: usize) -> Vec<(String, usize, bool)> {
    let (responses, asked) = (responses(), Mutex::new(HashSet::new()));
    let kinds: Vec<_> = (0..responses.len())
        .flat_map(|number| [format!("{number}/close"), format!("{number}/reset")])
        .collect();
    let server = Server::start(move |request| {
        if !asked.lock().unwrap().insert(request.path().to_owned()) {
            return Answer::ranged(request, HELLO, "\"1\"");
        }
        let [_, number, end, cut] = request.path().split('/').collect::<Vec<_>>()[..] else {
            panic!("{}", request.path())
        };
        let end = if end == "close" { End::Close } else { End::Reset };
        let answer = responses[number.parse::<usize>().unwrap()].clone();
        answer.into_raw().cut_after(cut.parse().unwrap(), end)
    });
    let dir = tempfile::tempdir().unwrap();
    let cuts: Vec<_> =
        kinds.iter().flat_map(|kind| (0..=CUTS).step_by(step).map(move |cut| (kind, cut))).collect();
    let url = |kind: &str, cut: usize| server.url(&format!("/{kind}/{cut}"));
    let file = |kind: &str, cut: usize| dir.path().join(format!("{kind}-{cut}").replace('/', "-"));
    let tasks = cuts.iter().map(|(kind, cut)| to_file(&url(kind, *cut), &file(kind, *cut))).collect();
    // A connection that is closed after a complete response is not a failure of the next task.
    let config = Config { retries, idle_connections_max: 0, ..quick() };
    let ends = fetch(engine, config, tasks);
    let mut broken = Vec::new();
    for (kind, cut) in cuts {
        let (_, error) = &ends[&url(kind, cut)];
        let content = std::fs::read(file(kind, cut)).ok();
        assert_eq!(content.as_deref(), error.is_none().then_some(HELLO), "{engine} {kind} {cut}: {error:?}");
        if let Some(error) = error {
            let is_clear = error.starts_with("Protocol") || error.starts_with("Transport");
            assert!(is_clear, "{engine} {kind} {cut}: {error}");
        }
        broken.push((kind.clone(), cut, error.is_some()));
    }
    let files = broken.iter().filter(|(_, _, failed)| !failed).count();
    assert_eq!(files_below(dir.path()).unwrap().len(), files, "{engine}: nothing else is left");
    broken
}

#[test]
fn wherever_a_response_is_cut_the_file_is_complete_or_absent() {
    let once = break_off("threads=4", 0, 1);
    for close in once.chunk_by(|one, other| one.0 == other.0).filter(|chunk| chunk[0].0.ends_with("close")) {
        let bytes = close.iter().position(|(_, _, failed)| !failed).expect("no response is longer");
        assert!(bytes > HELLO.len() + 30 && close[bytes..].iter().all(|(_, _, failed)| !failed), "{close:?}");
    }
}

#[test]
fn wherever_a_response_is_cut_a_retry_completes_it() {
    for (engine, step) in [("serial", 11), ("threads=4", 1), ("uring=1x8", 3)] {
        assert!(break_off(engine, 1, step).iter().all(|(_, _, failed)| !failed), "{engine}");
    }
}

#[test]
fn endless_responses_are_ended() {
    let many = |count: usize, what: &str| what.repeat(count);
    let interim = "HTTP/1.1 102 Processing\r\n\r\n";
    let server = Server::start(move |request| match request.path() {
        "/headers" => Answer::raw(format!("HTTP/1.1 200 OK\r\n{}", many(20_000, "X-A: b\r\n"))),
        "/interim" => Answer::ok("late").preceded_by(many(10_000, interim)),
        "/some-interim" => Answer::ok("hello").preceded_by(many(16, interim)),
        "/chunk-extensions" => {
            let extension = many(100_000, ";a=b");
            Answer::raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5{extension}"))
        }
        "/chunk-size" => {
            let zeros = many(100_000, "0");
            Answer::raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{zeros}"))
        }
        "/trailers" => {
            let trailers = many(20_000, "X-A: b\r\n");
            Answer::raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{trailers}"))
        }
        // A chain without a loop.
        path => match path.strip_prefix("/step/").and_then(|step| step.parse::<u32>().ok()) {
            Some(0) => Answer::ok("arrived"),
            Some(step) => Answer::redirect(302, &format!("/step/{}", step - 1)),
            None => Answer::new(404),
        },
    });
    let client = Client::new(quick()).unwrap();
    let get = |path: &str| client.fetch(Request::get(server.url(path)));
    for path in ["/headers", "/interim", "/chunk-extensions", "/chunk-size", "/trailers"] {
        let error = get(path).unwrap_err();
        assert!(matches!(error, Error::Protocol(_)), "{path}: {error}");
    }
    assert_eq!(get("/some-interim").unwrap().body, b"hello");
    assert_eq!(get("/step/10").unwrap().body, b"arrived");
    let asked = server.requests().len();
    assert!(matches!(get("/step/1000000"), Err(Error::TooManyRedirects)));
    assert_eq!(server.requests().len() - asked, 11, "ten redirects, and the one that was too many");
}

#[test]
fn a_slow_head_is_bounded_by_the_head_timeout() {
    // The head has begun, and its silences are shorter than the read timeout.
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| Answer::ok("hello").into_raw().drip(1, &held));
    let config = Config { head_timeout: Duration::from_millis(80), retries: 0, ..quick() };
    let client = Client::new(config).unwrap();
    gate.admit(9);
    let error = client.fetch(Request::get(server.url("/"))).unwrap_err();
    assert!(matches!(error, Error::Timeout(Phase::Transfer)), "{error}");
    gate.open();
}

fn bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&vec![0; 4 << 20]).unwrap();
    encoder.finish().unwrap()
}

#[test]
#[cfg_attr(not(feature = "tls"), ignore = "needs the feature `tls`")]
fn the_failure_of_one_url_never_affects_another() {
    let (_held, refused) = refused_address();
    let good = seeded_bytes(5, 200_000);
    for engine in ENGINES {
        let (body, bomb) = (good.clone(), bomb());
        let server = Server::start(move |request| match request.path() {
            "/reset" => Answer::ok(body.clone()).cut_after(1_000, End::Reset),
            "/missing" => Answer::new(404).body("no"),
            "/stalls" => Answer::ok(body.clone()).cut_after(9, End::Hold),
            "/never" => Answer::never(),
            "/bomb" => Answer::ok(bomb.clone()).header("Content-Encoding", "gzip"),
            "/loop" => Answer::redirect(302, "/loop"),
            "/garbage" => Answer::raw("SSH-2.0-OpenSSH_9.9\r\n").then(End::Close),
            "/smuggled" => {
                Answer::ok("x").header("Content-Length", "2").header("Transfer-Encoding", "chunked")
            }
            "/parts" => match request.header("range") {
                None => Answer::ranged(request, &body, "\"1\"").cut_after(3_000, End::Close),
                Some(_) => Answer::new(403),
            },
            _ => Answer::ranged(request, &body, "\"1\""),
        });
        let tls = Server::builder().tls(Tls::good()).start(|_| Answer::ok("secret"));
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca.pem");
        std::fs::write(&ca, Tls::good().ca_pem()).unwrap();
        std::fs::write(dir.path().join("taken"), "precious").unwrap();
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let place = |name: &str| dir.path().join(name);
        let mut bad = vec![
            ("Resolve", to_file("http://no-such-host.invalid/", &place("unknown"))),
            ("Connect", to_file(&format!("http://{refused}/"), &place("refused"))),
            ("Tls", to_file(&tls.url("/"), &place("tls"))),
            ("Task", to_file("no url at all", &place("line"))),
            ("Exists", to_file(&server.url("/taken"), &place("taken"))),
            ("Write", FetchTask::new(&server.url("/full"), Destination::Stream(full.into()))),
        ];
        for (error, path) in [
            ("", "/reset"),
            ("Status", "/missing"),
            ("Timeout", "/stalls"),
            ("Timeout", "/never"),
            (if cfg!(feature = "codings") { "TooLarge" } else { "Coding" }, "/bomb"),
            ("TooManyRedirects", "/loop"),
            ("Protocol", "/garbage"),
            ("Protocol", "/smuggled"),
            ("Status", "/parts"),
        ] {
            bad.push((error, to_file(&server.url(path), &place(path.trim_start_matches('/')))));
        }
        let expected: Vec<_> = bad.iter().map(|(error, task)| (*error, task.label.clone())).collect();
        // Before, between and after them.
        let mut tasks = Vec::new();
        for (number, (_, task)) in bad.into_iter().enumerate() {
            tasks.push(to_file(&server.url(&format!("/good/{number}")), &place(&format!("good-{number}"))));
            tasks.push(task);
        }
        tasks.push(to_file(&server.url("/good/last"), &place("good-last")));
        let (good_count, count) = (expected.len() + 1, tasks.len());
        let config = Config {
            retries: 1,
            read_timeout: Duration::from_millis(100),
            compressed: true,
            body_bytes_max: Some(1 << 20),
            trust: Trust::File(ca),
            segments: Segments { count_max: 3, bytes_min: 1, piece_bytes_min: 20_000, ..Segments::default() },
            ..quick()
        };
        let ends = fetch(engine, config, tasks);
        assert_eq!(ends.len(), count, "{engine}: each is reported once");
        for (error, label) in expected {
            let (_, found) = &ends[&label];
            let found = found.as_deref().unwrap_or_else(|| panic!("{engine}: {label} succeeded"));
            assert!(found.starts_with(error), "{engine}: {label}: {found} instead of {error}");
        }
        let ok = ends.iter().filter(|(_, (_, error))| error.is_none());
        assert_eq!(ok.count(), good_count, "{engine}: {ends:?}");
        for name in (0..good_count - 1).map(|number| number.to_string()).chain(["last".to_owned()]) {
            assert!(std::fs::read(place(&format!("good-{name}"))).unwrap() == good, "{engine}: {name}");
        }
        assert_eq!(std::fs::read(place("taken")).unwrap(), b"precious");
        let others = ["ca.pem", "taken"].len();
        assert_eq!(files_below(dir.path()).unwrap().len(), good_count + others, "{engine}: nothing else");
    }
}
