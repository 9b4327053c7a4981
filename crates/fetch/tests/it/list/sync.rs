//! Fetching only what has changed since the last run, against scripted servers.

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul_engine::{Engine, Event, Failure, run};
use haul_fetch::{Config, Destination, Expected, FetchJob, FetchTask};
use haul_io::{Cancel, Existing, Publish};
use haul_testkit::{Answer, End, Gate, Request, Server, Workdir, seeded_bytes};

const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const NEWER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
const DATE: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

struct Dir(Workdir);

/// The possible outcomes of a task.
const FETCHED: &str = "fetched";
const UNCHANGED: &str = "unchanged";

impl Deref for Dir {
    type Target = Workdir;

    fn deref(&self) -> &Workdir {
        &self.0
    }
}

impl Dir {
    fn new() -> Self {
        Self(Workdir::new())
    }

    fn text(&self) -> String {
        String::from_utf8(self.read("x")).unwrap()
    }

    fn record(&self) -> String {
        std::fs::read_to_string(self.path("x.haul-from")).unwrap_or_default()
    }

    fn sync(&self, server: &Server) -> String {
        self.sync_url(&server.url("/x"), Expected::default())
    }

    fn sync_url(&self, url: &str, expected: Expected) -> String {
        let mut task = self.task(url, "x");
        task.expected = expected;
        let mut ends = sync(Engine::Serial, vec![task]);
        ends.remove(0)
    }

    fn task(&self, url: &str, name: &str) -> FetchTask {
        let publish = Publish { existing: Existing::Replace, ..Publish::new(self.path(name)) };
        FetchTask::new(url, Destination::File(publish))
    }
}

fn sync(engine: Engine, tasks: Vec<FetchTask>) -> Vec<String> {
    let run_config = haul_engine::Config::new(engine, Cancel::new().unwrap());
    let config = Config { sync: true, retries: 1, retry_pause: Duration::ZERO, ..Config::default() };
    let mut ends = Vec::new();
    run(&FetchJob::new(config), tasks.into_iter(), &run_config, |event| {
        if let Event::Settled(settled) = event {
            ends.push(match &settled.outcome {
                Ok(fetched) if fetched.unchanged => UNCHANGED.to_owned(),
                Ok(_) => FETCHED.to_owned(),
                Err(Failure::Job(failed)) => failed.to_string(),
                Err(_) => "no job's error".to_owned(),
            });
        }
    });
    ends
}

/// A server whose response can be changed.
struct Changing {
    server: Server,
    answer: Arc<Mutex<Answer>>,
}

impl Changing {
    fn new(answer: Answer) -> Self {
        let answer = Arc::new(Mutex::new(answer));
        let answers = answer.clone();
        Self { server: Server::start(move |_| answers.lock().unwrap().clone()), answer }
    }

    fn now(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The conditions of the requests so far.
    fn conditions(&self) -> Vec<String> {
        let condition = |request: &Request| {
            let header = |name| request.header(name).map(str::to_owned);
            header("if-none-match").or(header("if-modified-since")).unwrap_or_default()
        };
        self.server.requests().iter().map(condition).collect()
    }
}

fn tagged(body: &str, tag: &str) -> Answer {
    Answer::ok(body).header("ETag", tag)
}

fn dated(body: &str, modified: &str) -> Answer {
    Answer::ok(body).header("Last-Modified", modified).header("Date", DATE)
}

#[test]
fn a_second_run_transfers_no_bodies() {
    for engine in ["serial", "threads=4", "uring=1x8"] {
        let engine: Engine = engine.parse().unwrap();
        // Every fourth response has no validators.
        let server = Server::start(|request| {
            let number: usize = request.path()[1..].parse().unwrap();
            let tag = format!("\"{number}\"");
            match (number % 4, request.header("if-none-match"), request.header("if-modified-since")) {
                (0, Some(asked), _) if asked == tag => Answer::new(304).header("ETag", &tag),
                (0, ..) => tagged("tagged", &tag),
                (1, _, Some(OLD)) => Answer::new(304),
                (1, ..) => dated("dated", OLD),
                // A server that ignores conditions.
                (2, ..) => Answer::ok(vec![7; 1_000_000]).header("ETag", &tag),
                _ => Answer::ok("plain"),
            }
        });
        let dir = Dir::new();
        let tasks = || {
            let task = |number: usize| dir.task(&server.url(&format!("/{number}")), &format!("x{number}"));
            (0..20).map(task).collect::<Vec<_>>()
        };
        let count = |ends: Vec<String>, word: &str| ends.iter().filter(|end| *end == word).count();
        assert_eq!(count(sync(engine, tasks()), FETCHED), 20, "{engine}");
        let names = dir.names();
        assert_eq!(names.len(), 40, "a file and its record each");
        let comparable = |number: usize| number % 4 != 3;
        let identities = || {
            use std::os::unix::fs::MetadataExt;
            let paths = (0..20).filter(|number| comparable(*number)).map(|number| format!("x{number}"));
            let paths = paths.flat_map(|name| [name.clone(), name + ".haul-from"]);
            let found = paths.map(|name| std::fs::metadata(dir.path(&name)).unwrap());
            found.map(|found| (found.ino(), found.ctime(), found.ctime_nsec())).collect::<Vec<_>>()
        };
        let before = identities();
        assert_eq!(count(sync(engine, tasks()), UNCHANGED), 15, "{engine}");
        assert_eq!(identities(), before, "what is unchanged isn't touched");
        assert_eq!(dir.names(), names);
    }
}

#[test]
fn changed_files_are_fetched_and_replaced_as_a_whole() {
    let server = Changing::new(tagged("one", "\"1\""));
    let dir = Dir::new();
    assert_eq!(dir.sync(&server.server), FETCHED);
    server.now(tagged("two", "W/\"2\""));
    assert_eq!(dir.sync(&server.server), FETCHED);
    assert_eq!(dir.text(), "two");
    server.now(Answer::new(304).header("ETag", "\"2\""));
    assert_eq!(dir.sync(&server.server), UNCHANGED, "compared weakly");
    server.now(dated("three", OLD));
    assert_eq!(dir.sync(&server.server), FETCHED);
    server.now(Answer::new(304));
    assert_eq!(dir.sync(&server.server), UNCHANGED);
    server.now(dated("later", NEWER));
    assert_eq!(dir.sync(&server.server), FETCHED);
    assert_eq!(dir.text(), "later");
    server.now(Answer::new(304));
    assert_eq!(dir.sync(&server.server), UNCHANGED);
    assert_eq!(server.conditions(), ["", "\"1\"", "W/\"2\"", "W/\"2\"", OLD, OLD, NEWER]);
    assert_eq!(dir.names(), ["x", "x.haul-from"]);
}

#[test]
fn a_304_that_is_about_something_else_is_not_believed() {
    let server = Server::start(|request| match request.header("if-none-match") {
        Some(_) => Answer::new(304).header("ETag", "\"other\""),
        None => tagged("whole", "\"1\""),
    });
    let dir = Dir::new();
    assert_eq!(dir.sync(&server), FETCHED);
    assert_eq!(dir.sync(&server), FETCHED);
    assert_eq!(server.requests().len(), 3, "asked with the condition, then without it");
    // An unrequested 304 is not a file.
    let server = Server::start(|_| Answer::new(304));
    assert_eq!(Dir::new().sync(&server), "the server answered 304 Not Modified");
}

#[test]
fn files_that_were_changed_or_lost_locally_are_fetched_again() {
    let whole = seeded_bytes(3, 10).iter().map(|byte| char::from(b'a' + byte % 26)).collect::<String>();
    for answer in [tagged(&whole, "\"1\""), dated(&whole, OLD)] {
        let server = Changing::new(answer);
        let dir = Dir::new();
        assert_eq!(dir.sync(&server.server), FETCHED);
        for (what, change) in [
            (
                "longer",
                Box::new(|dir: &Dir| std::fs::write(dir.path("x"), "another length"))
                    as Box<dyn Fn(&Dir) -> _>,
            ),
            ("as long", Box::new(|dir| std::fs::write(dir.path("x"), "0123456789"))),
            ("lost", Box::new(|dir| std::fs::remove_file(dir.path("x")))),
            (
                "a link",
                Box::new(|dir| {
                    std::fs::rename(dir.path("x"), dir.path("y"))?;
                    std::os::unix::fs::symlink("y", dir.path("x"))
                }),
            ),
            (
                "bare record",
                Box::new(|dir| {
                    let lines: Vec<_> = dir.record().lines().map(str::to_owned).collect();
                    std::fs::write(dir.path("x.haul-from"), format!("{}\n{}\nend\n", lines[0], lines[1]))
                }),
            ),
        ] {
            change(&dir).unwrap();
            assert_eq!(dir.sync(&server.server), FETCHED, "{what}");
            assert_eq!(dir.text(), whole, "{what}");
        }
        assert!(server.conditions().iter().all(String::is_empty), "nothing that isn't there is vouched for");
    }
}

#[test]
fn a_file_without_a_record_is_not_replaced() {
    let server = Server::start(|_| tagged("evil", "\"1\""));
    for engine in ["serial", "threads=2", "uring"] {
        let dir = Dir::new();
        for name in ["x", ".bashrc", "a"] {
            std::fs::write(dir.path(name), "mine").unwrap();
        }
        std::fs::write(dir.path("a.haul-from"), "something else").unwrap();
        let tasks = ["x", ".bashrc", "a"].map(|name| dir.task(&server.url(&format!("/{name}")), name)).into();
        let ends = sync(engine.parse().unwrap(), tasks);
        assert!(!ends.contains(&FETCHED.to_owned()), "{engine}: {ends:?}");
        for name in ["x", ".bashrc", "a"] {
            assert_eq!(std::fs::read_to_string(dir.path(name)).unwrap(), "mine", "{engine}");
        }
        assert_eq!(std::fs::read_to_string(dir.path("a.haul-from")).unwrap(), "something else", "{engine}");
    }
}

#[test]
fn a_record_is_withdrawn_if_another_program_takes_the_name() {
    let gate = Gate::new();
    let server = Changing::new(tagged("one", "\"1\"").gate_at_start(&gate));
    let dir = Dir::new();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| dir.sync(&server.server));
        gate.wait_reached(1);
        std::fs::write(dir.path("x"), "mine").unwrap();
        gate.open();
        assert_eq!(run.join().unwrap(), "the result exists already");
    });
    assert_eq!((dir.text().as_str(), dir.names()), ("mine", vec!["x".to_owned()]));
}

#[test]
fn failures_leave_the_existing_file() {
    let server = Changing::new(tagged("one", "\"1\""));
    let dir = Dir::new();
    assert_eq!(dir.sync(&server.server), FETCHED);
    let record = dir.record();
    for (answer, words) in [
        (Answer::new(404).body("gone"), "the server answered 404 Not Found"),
        (Answer::new(410).body("gone"), "the server answered 410 Gone"),
        (Answer::new(300).body("choose"), "the server answered 300 Multiple Choices"),
        (Answer::new(202).body("later").header("ETag", "\"2\""), "the server now answers without the file"),
        (Answer::new(204), "the server answered 204 No Content"),
        (Answer::ok("<html>log in</html>"), "the server now sends something without ETag and Last-Modified"),
        (tagged("two", "\"2\"").claim_length(9).close(), "the connection ended"),
    ] {
        server.now(answer);
        let end = dir.sync(&server.server);
        assert!(end.starts_with(words) || words == "the connection ended" && end != FETCHED, "{end}");
        assert_eq!((dir.text().as_str(), dir.record()), ("one", record.clone()), "{words}");
    }
    server.now(Answer::new(304));
    assert_eq!(dir.sync(&server.server), UNCHANGED);
    assert_eq!(dir.names(), ["x", "x.haul-from"]);
}

#[test]
fn a_retry_within_a_run_continues_and_is_counted() {
    let body = "0123456789".repeat(50_000);
    let whole = body.clone();
    let server =
        Server::start(move |request| match (request.header("range"), request.header("if-none-match")) {
            (Some(_), None) => Answer::ranged(request, whole.as_bytes(), "\"2\""),
            (None, Some("\"1\"")) => tagged(&whole, "\"2\"").cut_after(300_000, End::Close),
            (None, Some(_)) => Answer::new(304),
            _ => tagged("one", "\"1\""),
        });
    let dir = Dir::new();
    for end in [FETCHED, FETCHED, UNCHANGED] {
        assert_eq!(dir.sync(&server), end);
    }
    assert!(dir.text() == body);
}

#[test]
fn two_urls_never_share_a_file() {
    let server = Server::start(|request| tagged(request.path(), "\"1\""));
    let dir = Dir::new();
    assert_eq!(dir.sync_url(&server.url("/a"), Expected::default()), FETCHED);
    assert_eq!(dir.sync_url(&server.url("/b"), Expected::default()), "the result exists already");
    assert_eq!(dir.text(), "/a");
    // At the same time, into one new file.
    let dir = Dir::new();
    let tasks = (0..8).map(|number| dir.task(&server.url(&format!("/{number}")), "x")).collect();
    let ends = sync("threads=8".parse().unwrap(), tasks);
    let count = |word: &str| ends.iter().filter(|end| *end == word).count();
    assert_eq!(
        (count(FETCHED), count("another task of this run has the same file name")),
        (1, 7),
        "{ends:?}"
    );
}

#[test]
fn a_file_that_was_changed_meanwhile_is_not_replaced() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Changing::new(tagged("one", "\"1\""));
    let dir = Dir::new();
    assert_eq!(dir.sync(&server.server), FETCHED);
    server.now(tagged("two", "\"2\"").gate_at_start(&held));
    std::thread::scope(|scope| {
        let run = scope.spawn(|| dir.sync(&server.server));
        gate.wait_reached(1);
        std::fs::write(dir.path("x"), "edited").unwrap();
        gate.open();
        assert_eq!(run.join().unwrap(), "the result exists already");
    });
    assert_eq!(dir.text(), "edited");
}

#[test]
fn validators_belong_to_the_url_after_redirects() {
    let target = Arc::new(Mutex::new("/v1"));
    let now = target.clone();
    let server = Server::start(move |request| match (request.path(), request.header("if-none-match")) {
        ("/x", None) => Answer::redirect(302, &now.lock().unwrap()),
        ("/x", Some(_)) => Answer::new(500),
        (_, Some("\"1\"")) => Answer::new(304),
        (path, _) => tagged(path, "\"1\""),
    });
    let dir = Dir::new();
    assert_eq!(dir.sync(&server), FETCHED);
    assert_eq!(dir.sync(&server), UNCHANGED);
    *target.lock().unwrap() = "/v2";
    assert_eq!(dir.sync(&server), FETCHED, "the same tag of another URL says nothing");
    assert_eq!(dir.text(), "/v2");
}

#[test]
fn an_unexpected_file_is_fetched_again_even_if_unchanged() {
    let server = Server::start(|request| match request.header("if-none-match") {
        Some(_) => Answer::new(304),
        None => tagged("hello", "\"1\""),
    });
    let dir = Dir::new();
    let sha256 = |bytes: &[u8]| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Expected { checksums: vec![format!("sha256:{hex}").parse().unwrap()], ..Expected::default() }
    };
    let url = server.url("/x");
    assert_eq!(dir.sync_url(&url, sha256(b"hello")), FETCHED);
    assert_eq!(dir.sync_url(&url, sha256(b"hello")), UNCHANGED);
    assert!(dir.sync_url(&url, sha256(b"other")).starts_with("the content doesn't match"));
    let size = Expected { size: Some(6), ..Expected::default() };
    assert_eq!(dir.sync_url(&url, size), "5 bytes instead of 6");
    assert_eq!(dir.text(), "hello");
}
