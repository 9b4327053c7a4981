//! What takes the place of received bytes, or of directories, while the server is asked.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use haul_fetch::{Config, Destination, FetchTask, HostLimits};
use haul_io::Publish;
use haul_testkit::{Answer, End, Server, seeded_bytes};

use super::kept::{BYTES, CUT, Dir, ENGINES, keeping, retrying, server, tagged};
use super::outcomes::outcomes;

fn quick() -> Config {
    Config { retry_pause: Duration::ZERO, ..Config::default() }
}

/// A link takes the place of a directory after it was checked, while the server is asked.
#[test]
fn a_link_that_is_planted_meanwhile_leads_nowhere() {
    for engine in ENGINES {
        for (what, config) in [("-c", keeping()), ("--sync", Config { sync: true, retries: 0, ..quick() })] {
            for is_whole in [false, true] {
                let (dir, outside) = (Dir::new(), Dir::new());
                let (sub, moved, link) = (dir.path("d/sub"), dir.path("moved"), outside.dir().to_owned());
                let (planted, at) = (AtomicUsize::new(0), sub.clone());
                let server = Server::start(move |_| {
                    if planted.fetch_add(1, Ordering::SeqCst) == 0 {
                        std::fs::rename(&at, &moved).unwrap();
                        symlink(&link, &at).unwrap();
                    }
                    let answer = tagged("\"1\"");
                    if is_whole { answer } else { answer.cut_after(CUT, End::Close) }
                });
                let root_bytes = Some(dir.path("d").as_os_str().len());
                let publish = Publish { root_bytes, ..Publish::new(sub.join("x")) };
                for _ in 0..2 {
                    let task = FetchTask::new(&server.url("/x"), Destination::File(publish.clone()));
                    let ends =
                        outcomes(engine, config.clone(), HostLimits::default(), vec![task], |failed| {
                            failed.error.to_string()
                        });
                    assert_eq!(ends.len(), 1);
                }
                assert_eq!(outside.names(), [""; 0], "{what}, {engine}, whole: {is_whole}");
            }
        }
    }
}

/// Within one run, whether or not a part is on disk.
#[test]
fn what_was_received_is_given_up_only_for_what_can_be_trusted() {
    let page = || Answer::ok("<html>please log in</html>");
    for engine in ENGINES {
        for resume in [false, true] {
            for (what, answer) in [
                ("a page", page().header("ETag", "\"p\"").header("Content-Type", "text/html")),
                ("a bare page", page()),
                ("a page of another origin", Answer::redirect(302, "/moved")),
            ] {
                let first = tagged("\"1\"").header("Content-Type", "application/zip");
                let server = server(first, move |request, _| match (request.path(), what) {
                    ("/p", _) => Answer::ok("page").header("ETag", "\"p\""),
                    (_, "a page of another origin") => {
                        let port = request.header("host").unwrap().rsplit(':').next().unwrap().to_owned();
                        Answer::redirect(302, &format!("http://localhost:{port}/p"))
                    }
                    _ => answer.clone(),
                });
                let (dir, what) = (Dir::new(), format!("{what}, {engine}, {resume}"));
                let ended = dir.fetch_on(engine, Config { resume, ..retrying() }, &server);
                assert!(ended.unwrap_err().contains("login page"), "{what}");
                let left: &[&str] = if resume { &["x.haul-part", "x.haul-part.from"] } else { &[] };
                assert_eq!(dir.names(), left, "{what}");
            }
        }
    }
}

#[test]
fn a_success_without_the_file_takes_the_place_of_nothing() {
    for engine in ENGINES {
        for resume in [false, true] {
            for status in [201, 202, 204] {
                let first = tagged("\"1\"").header("Content-Type", "application/zip");
                let other = move || Answer::new(status).header("ETag", "\"p\"");
                let server = server(first, move |_, _| other().header("Content-Type", "application/zip"));
                let (dir, what) = (Dir::new(), format!("{status}, {engine}, {resume}"));
                let ended = dir.fetch_on(engine, Config { resume, ..retrying() }, &server);
                let words = if status == 204 { "204 No Content" } else { "answers without the file" };
                assert!(ended.unwrap_err().contains(words), "{what}");
                let left: &[&str] = if resume { &["x.haul-part", "x.haul-part.from"] } else { &[] };
                assert_eq!(dir.names(), left, "{what}");
            }
        }
    }
}

/// Two versions of the same length that were written within a second have one date. Their tags differ.
#[test]
fn versions_of_one_date_never_meet() {
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let other = || seeded_bytes(12, BYTES);
    let dated =
        |answer: Answer, etag| answer.header("ETag", etag).header("Last-Modified", DATE).header("Date", DATE);
    for engine in ENGINES {
        for resume in [false, true] {
            let first = dated(Answer::ok(seeded_bytes(11, BYTES)), "\"1\"");
            let server = server(first, move |request, _| {
                let range = format!("bytes {CUT}-{}/{BYTES}", BYTES - 1);
                let is_part = request.header("range").is_some() && request.header("if-range").is_none();
                let answer = if is_part {
                    Answer::new(206).header("Content-Range", &range).body(&other()[CUT..])
                } else {
                    Answer::ok(other())
                };
                dated(answer, "\"2\"")
            });
            let dir = Dir::new();
            dir.fetch_on(engine, Config { resume, ..retrying() }, &server).unwrap();
            assert!(dir.file() == Some(other()), "{engine}, {resume}");
        }
    }
}

/// A server that encodes on the way gives what it sends the tag of what it has.
#[test]
fn encoded_bytes_are_not_continued_by_others() {
    for engine in ENGINES {
        for resume in [false, true] {
            let first = tagged("\"1\"").header("Content-Encoding", "gzip").chunked(&[100_000]);
            let plain = || seeded_bytes(12, BYTES);
            let server = server(first, move |request, _| Answer::ranged(request, &plain(), "\"1\""));
            let dir = Dir::new();
            dir.fetch_on(engine, Config { resume, ..retrying() }, &server).unwrap();
            assert!(dir.file() == Some(plain()), "{engine}, {resume}");
        }
    }
}
