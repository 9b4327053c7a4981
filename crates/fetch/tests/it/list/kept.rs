//! What is on disk from earlier runs: whose it must be to be believed, and what it is given up for.

use std::ops::Deref;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use haul_fetch::{Config, Destination, FetchTask, HostLimits};
use haul_io::Publish;
use haul_testkit::{Answer, End, Gate, Request, Server, Workdir, seeded_bytes};

use super::outcomes::outcomes;

pub(super) const BYTES: usize = 400_000;
pub(super) const CUT: usize = 300_000;
pub(super) const ENGINES: [&str; 3] = ["serial", "threads=2", "uring=1x4"];

fn body() -> Vec<u8> {
    seeded_bytes(11, BYTES)
}

pub(super) fn keeping() -> Config {
    Config { retries: 0, resume: true, ..Config::default() }
}

pub(super) fn retrying() -> Config {
    Config { retries: 3, retry_pause: Duration::ZERO, ..Config::default() }
}

pub(super) struct Dir(Workdir);

impl Deref for Dir {
    type Target = Workdir;

    fn deref(&self) -> &Workdir {
        &self.0
    }
}

impl Dir {
    pub(super) fn new() -> Self {
        Self(Workdir::new())
    }

    pub(super) fn file(&self) -> Option<Vec<u8>> {
        self.read_if_present("x")
    }

    /// Fetches `/x` to `x`; the error as text.
    pub(super) fn fetch_on(&self, engine: &str, config: Config, server: &Server) -> Result<u32, String> {
        let task = FetchTask::new(&server.url("/x"), Destination::File(Publish::new(self.path("x"))));
        let words = |failed: &haul_fetch::Failed| failed.error.to_string();
        let ends = outcomes(engine, config, HostLimits::default(), vec![task], words);
        let (attempts, error) = ends.into_values().next().unwrap();
        error.map_or(Ok(attempts), Err)
    }

    pub(super) fn fetch(&self, config: Config, server: &Server) -> Result<u32, String> {
        self.fetch_on("serial", config, server)
    }
}

pub(super) fn tagged(etag: &str) -> Answer {
    Answer::ok(body()).header("ETag", etag)
}

/// The first request is answered by a body that breaks off, the others as `then` says.
pub(super) fn server(
    first: Answer,
    then: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => first.clone().cut_after(CUT, End::Close),
        number => then(request, number),
    })
}

fn going_on() -> Server {
    server(tagged("\"1\""), |request, _| Answer::ranged(request, &body(), "\"1\""))
}

#[test]
fn what_others_may_have_written_is_neither_believed_nor_removed() {
    type Change = (&'static str, fn(&Dir));
    let changes: [Change; 7] = [
        ("a part that others may write to", |dir| mode(dir, "x.haul-part", 0o666)),
        ("a part that others may read", |dir| mode(dir, "x.haul-part", 0o644)),
        ("a record that others may write to", |dir| mode(dir, "x.haul-part.from", 0o622)),
        ("a part with another name", |dir| {
            std::fs::hard_link(dir.path("x.haul-part"), dir.path("other")).unwrap();
        }),
        ("a link in place of the part", |dir| {
            std::fs::rename(dir.path("x.haul-part"), dir.path("other")).unwrap();
            symlink("other", dir.path("x.haul-part")).unwrap();
        }),
        ("a link in place of the record", |dir| {
            std::fs::rename(dir.path("x.haul-part.from"), dir.path("other")).unwrap();
            symlink("other", dir.path("x.haul-part.from")).unwrap();
        }),
        ("notes in place of the record", |dir| {
            std::fs::write(dir.path("x.haul-part.from"), "my notes").unwrap()
        }),
    ];
    for (what, change) in changes {
        let (dir, server) = (Dir::new(), going_on());
        dir.fetch(keeping(), &server).unwrap_err();
        change(&dir);
        let names = dir.names();
        let part = std::fs::read(dir.path("x.haul-part")).unwrap();
        let error = dir.fetch(keeping(), &server).unwrap_err();
        assert!(error.contains("is in the way"), "{what}: {error}");
        assert_eq!(dir.names(), names, "{what}");
        assert!(std::fs::read(dir.path("x.haul-part")).unwrap() == part, "{what}");
        assert_eq!(server.requests().len(), 1, "{what}");
    }
}

fn mode(dir: &Dir, name: &str, mode: u32) {
    std::fs::set_permissions(dir.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_part_that_lies_in_another_file_is_not_believed() {
    let (dir, server) = (Dir::new(), going_on());
    dir.fetch(keeping(), &server).unwrap_err();
    let left = std::fs::read(dir.path("x.haul-part")).unwrap();
    // The old one stays open, so that its inode isn't used again.
    let old = std::fs::File::open(dir.path("x.haul-part")).unwrap();
    std::fs::remove_file(dir.path("x.haul-part")).unwrap();
    std::fs::write(dir.path("x.haul-part"), vec![0; left.len()]).unwrap();
    mode(&dir, "x.haul-part", 0o600);
    assert_ne!(old.metadata().unwrap().ino(), dir.path("x.haul-part").metadata().unwrap().ino());
    dir.fetch(keeping(), &server).unwrap();
    assert!(dir.file() == Some(body()));
    assert_eq!(server.requests()[1].header("range"), None);
    assert_eq!(dir.names(), ["x"]);
}

#[test]
fn the_record_of_a_completed_file_is_removed_by_the_next_run() {
    let (dir, server) = (Dir::new(), going_on());
    dir.fetch(keeping(), &server).unwrap_err();
    // As a kill leaves it between publishing the file and removing the record. Without Last-Modified, the next run
    // compares contents.
    std::fs::remove_file(dir.path("x.haul-part")).unwrap();
    std::fs::write(dir.path("x"), body()).unwrap();
    dir.fetch(keeping(), &server).unwrap();
    assert!(dir.file() == Some(body()));
    assert_eq!(dir.names(), ["x"]);
}

#[test]
fn a_part_grows_under_a_lock() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| tagged("\"1\"").gate_at(CUT, &held));
    let dir = Dir::new();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| dir.fetch(keeping(), &server));
        gate.wait_reached(1);
        while !dir.path("x.haul-part").exists() {
            std::thread::yield_now();
        }
        assert_eq!(dir.fetch(keeping(), &server).unwrap_err(), "another process is fetching this file");
        gate.open();
        first.join().unwrap().unwrap();
    });
    assert!(dir.file() == Some(body()));
    assert_eq!((dir.names(), server.requests().len()), (vec!["x".to_owned()], 1));
}

#[test]
fn a_record_of_a_sync_that_others_may_have_written_is_in_the_way() {
    let server = Server::start(|_| tagged("\"1\""));
    let dir = Dir::new();
    let syncing = || Config { sync: true, ..Config::default() };
    dir.fetch(syncing(), &server).unwrap();
    mode(&dir, "x.haul-from", 0o644);
    let error = dir.fetch(syncing(), &server).unwrap_err();
    assert!(error.contains("x.haul-from") && error.contains("is in the way"), "{error}");
    assert_eq!(dir.names(), ["x", "x.haul-from"]);
}

#[test]
fn names_of_any_length_can_be_kept() {
    for bytes in [240, 241, 255] {
        for config in [keeping(), Config { sync: true, ..Config::default() }] {
            let (dir, server) = (Dir::new(), Server::start(|_| tagged("\"1\"")));
            let publish = Publish::new(dir.path("n".repeat(bytes)));
            let task = FetchTask::new(&server.url("/x"), Destination::File(publish));
            let ends =
                outcomes("serial", config, HostLimits::default(), vec![task], |failed| failed.to_string());
            assert_eq!(ends.into_values().next().unwrap(), (1, None), "{bytes} bytes");
        }
    }
}

/// What comes where a part is on disk that can't be continued, and whether it may replace that.
#[test]
fn a_part_is_given_up_only_for_what_can_be_trusted() {
    let page = || Answer::ok("<html>please log in</html>");
    let typed = |answer: Answer, media_type| answer.header("Content-Type", media_type);
    for engine in ENGINES {
        for (what, answer, is_trusted) in [
            ("a page", typed(page().header("ETag", "\"p\""), "text/html"), false),
            ("a bare page", page(), false),
            ("a page of another origin", Answer::redirect(302, "http://localhost:PORT/p"), false),
            ("a new version", typed(Answer::ok("new").header("ETag", "\"2\""), "application/zip"), true),
            ("a new version without type", Answer::ok("new").header("ETag", "\"2\""), true),
        ] {
            let is_up = AtomicUsize::new(0);
            let up = std::sync::Arc::new(is_up);
            let is_up = up.clone();
            let first = typed(tagged("\"1\""), "application/zip");
            let server =
                server(first, move |request, _| match (request.path(), is_up.load(Ordering::SeqCst)) {
                    ("/p", _) => Answer::ok("page").header("ETag", "\"p\""),
                    (_, 0) => {
                        let port = request.header("host").unwrap().rsplit(':').next().unwrap().to_owned();
                        match what {
                            "a page of another origin" => {
                                Answer::redirect(302, &format!("http://localhost:{port}/p"))
                            }
                            _ => answer.clone(),
                        }
                    }
                    _ => Answer::ranged(request, &body(), "\"1\""),
                });
            let (dir, what) = (Dir::new(), format!("{what}, {engine}"));
            dir.fetch_on(engine, keeping(), &server).unwrap_err();
            let ended = dir.fetch_on(engine, keeping(), &server);
            if is_trusted {
                ended.unwrap();
                assert_eq!(
                    (dir.file().as_deref(), dir.names()),
                    (Some(b"new".as_slice()), vec!["x".to_owned()])
                );
                continue;
            }
            assert!(ended.unwrap_err().contains("login page"), "{what}");
            assert_eq!(dir.names(), ["x.haul-part", "x.haul-part.from"], "{what}");
            up.store(1, Ordering::SeqCst);
            dir.fetch_on(engine, keeping(), &server).unwrap();
            assert!(dir.file() == Some(body()), "{what}");
            let range = server.requests().pop().unwrap().header("range").map(str::to_owned);
            assert_eq!(range.as_deref(), Some("bytes=300000-"), "{what}");
        }
    }
}

#[test]
fn a_part_stays_until_the_new_whole_is_complete() {
    let new = || Answer::ok(seeded_bytes(12, BYTES)).header("ETag", "\"2\"");
    let server = server(tagged("\"1\""), move |_, number| match number {
        1 => new().cut_after(CUT, End::Close),
        _ => new(),
    });
    let dir = Dir::new();
    dir.fetch(keeping(), &server).unwrap_err();
    dir.fetch(keeping(), &server).unwrap_err();
    assert!(std::fs::read(dir.path("x.haul-part")).unwrap() == body()[..CUT]);
    dir.fetch(keeping(), &server).unwrap();
    assert!(dir.file() == Some(seeded_bytes(12, BYTES)));
    assert_eq!(dir.names(), ["x"]);
}

#[test]
fn bytes_of_two_versions_never_meet() {
    let other = || seeded_bytes(12, BYTES);
    let rest = move |fields: &[(&str, &str)], status| {
        let answer =
            Answer::new(status).header("Content-Range", &format!("bytes {CUT}-{}/{BYTES}", BYTES - 1));
        fields.iter().fold(answer, |answer, (name, value)| answer.header(name, value)).body(&other()[CUT..])
    };
    for (what, part) in [
        ("no validator", rest(&[], 206)),
        ("another validator", rest(&[("ETag", "\"2\"")], 206)),
        ("a coding", rest(&[("ETag", "\"1\""), ("Content-Encoding", "gzip")], 206)),
        ("another type", rest(&[("ETag", "\"1\""), ("Content-Type", "text/html")], 206)),
        ("a part that is called the whole", rest(&[("ETag", "\"1\"")], 200)),
    ] {
        for config in [retrying(), Config { resume: true, ..retrying() }] {
            let part = part.clone();
            let first = tagged("\"1\"").header("Content-Type", "application/zip");
            let server = server(first, move |request, _| match request.header("range") {
                Some(_) => part.clone(),
                None => Answer::ok(other()).header("ETag", "\"2\""),
            });
            let dir = Dir::new();
            dir.fetch(Config { compressed: false, ..config }, &server).unwrap();
            assert!(dir.file() == Some(other()), "{what}");
        }
    }
}

#[test]
fn a_server_that_refuses_ranges_is_asked_for_the_whole_once() {
    for status in [400, 403, 416, 501] {
        let server = server(tagged("\"1\""), move |request, _| match request.header("range") {
            Some(_) => Answer::new(status),
            None => tagged("\"1\""),
        });
        let dir = Dir::new();
        assert_eq!(dir.fetch(retrying(), &server), Ok(2), "{status}");
        assert!(dir.file() == Some(body()), "{status}");
        assert_eq!(server.requests().len(), 3, "{status}");
        // Where that fails too, the part is kept.
        let server = self::server(tagged("\"1\""), move |_, _| Answer::new(status));
        let dir = Dir::new();
        dir.fetch(keeping(), &server).unwrap_err();
        dir.fetch(keeping(), &server).unwrap_err();
        assert_eq!(dir.names(), ["x.haul-part", "x.haul-part.from"], "{status}");
        assert_eq!(server.requests().len(), 3, "{status}");
    }
}

#[test]
fn a_part_that_ends_early_is_kept_as_far_as_it_goes() {
    for config in [retrying(), Config { resume: true, ..retrying() }] {
        let server = server(tagged("\"1\""), |request, number| match number {
            1 => Answer::new(206)
                .header("ETag", "\"1\"")
                .header("Content-Range", &format!("bytes {CUT}-{}/{BYTES}", BYTES - 1))
                .body(&body()[CUT..CUT + 1_000])
                .chunked(&[1_000]),
            _ => Answer::ranged(request, &body(), "\"1\""),
        });
        let dir = Dir::new();
        assert_eq!(dir.fetch(config, &server), Ok(3));
        assert!(dir.file() == Some(body()));
        assert_eq!(server.requests()[2].header("range"), Some("bytes=301000-"));
    }
}

#[test]
fn parts_that_bring_next_to_nothing_end() {
    let first = tagged("\"1\"").chunked(&[BYTES]);
    let server = server(first, |request, _| {
        let first = request.header("range").unwrap()[6..].trim_end_matches('-').to_owned();
        let range = format!("bytes {first}-{first}/*");
        Answer::new(206).header("ETag", "\"1\"").header("Content-Range", &range).body("x")
    });
    let dir = Dir::new();
    dir.fetch(Config { retries: 1, ..retrying() }, &server).unwrap_err();
    let count = server.requests().len();
    assert!((10..40).contains(&count), "{count} requests");
}

#[test]
fn what_only_the_content_can_tell_is_compared() {
    for (what, answer) in [
        ("a tag", tagged("\"1\"")),
        ("nothing", Answer::ok(body())),
        ("no length", Answer::ok(body()).chunked(&[100_000])),
        ("no ranges", Answer::new(403)),
    ] {
        let server = Server::start(move |request| match (what, request.header("range")) {
            ("no ranges", None) => Answer::ok(body()),
            _ => answer.clone(),
        });
        for (content, is_same) in [(body(), true), (seeded_bytes(12, BYTES), false)] {
            let dir = Dir::new();
            std::fs::write(dir.path("x"), &content).unwrap();
            let ended = dir.fetch(keeping(), &server);
            assert_eq!(ended.is_ok(), is_same, "{what}: {ended:?}");
            assert!(dir.file() == Some(content), "{what}");
            assert_eq!(dir.names(), ["x"], "{what}");
        }
    }
}

#[test]
fn files_have_the_time_that_the_server_says() {
    for (bytes, date, seconds) in [
        (5, Some("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777)),
        (BYTES, Some("Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777)),
        (BYTES, Some("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0)),
        (5, Some("yesterday"), None),
        (5, None, None),
    ] {
        let answer = Answer::ok(&body()[..bytes]);
        let answer = date.into_iter().fold(answer, |answer, date| answer.header("Last-Modified", date));
        let server = Server::start(move |_| answer.clone());
        let place = Dir::new();
        place.fetch(retrying(), &server).unwrap();
        let modified = place.path("x").metadata().unwrap().mtime();
        match seconds {
            Some(seconds) => assert_eq!(modified, seconds, "{date:?}"),
            None => assert!(modified > 1_000_000_000, "{date:?}: the time of writing"),
        }
    }
}
