//! Which responses are a result: 2xx with the content that was asked for.

use haul_fetch::{Client, Config, Destination, Error, FetchTask, HostLimits, Request};
use haul_io::Publish;
use haul_testkit::{Answer, Server, files_below};

use crate::list::outcomes::outcomes;

/// SHA-256 of nothing, which no body here hashes to.
const DIGEST: &str = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";

/// Fetches to a file with these fields; the error as text, and what file there is.
fn fetch(
    config: Config,
    method: &str,
    fields: &[(&str, &str)],
    answer: Answer,
) -> (Option<String>, Option<String>) {
    let server = Server::start(move |_| answer.clone());
    let dir = tempfile::tempdir().unwrap();
    let mut request = Request::new(method.parse().unwrap(), server.url("/x"));
    for (name, value) in fields {
        request = request.header(name, value);
    }
    let destination = Destination::File(Publish::new(dir.path().join("x")));
    let task = FetchTask::of(Ok(request), "x".to_owned(), destination);
    let ends = outcomes("serial", config, HostLimits::default(), vec![task], |failed| failed.to_string());
    let names = files_below(dir.path()).unwrap();
    assert!(names.is_empty() || names == [std::path::Path::new("x")], "{names:?}");
    (ends.into_values().next().unwrap().1, std::fs::read_to_string(dir.path().join("x")).ok())
}

#[test]
fn what_is_neither_content_nor_leads_to_it_is_no_result() {
    let tolerant = || Config { fail_on_status: false, ..Config::default() };
    for (answer, says) in [
        (Answer::new(304), "304"),
        (Answer::new(300).body("choose"), "300"),
        (Answer::new(305).body("choose"), "305"),
        (Answer::new(301).body("moved"), "301"),
        (Answer::redirect(302, "").body("moved"), "302"),
        (Answer::redirect(303, " ").body("moved"), "303"),
        (Answer::new(307).body("moved"), "307"),
        (Answer::new(308).body("moved"), "308"),
    ] {
        let (error, file) = fetch(Config::default(), "GET", &[], answer.clone());
        assert!(error.is_some_and(|error| error.contains(says)), "{says}");
        assert_eq!(file, None, "{says}");
        // Only what is a failed request may be wanted.
        let (error, file) = fetch(tolerant(), "GET", &[], answer);
        assert!(error.is_some() && file.is_none(), "{says}");
    }
    let (error, file) = fetch(tolerant(), "GET", &[], Answer::new(404).body("gone"));
    assert_eq!((error, file.as_deref()), (None, Some("gone")));
}

#[test]
fn a_304_that_was_asked_for_is_no_file() {
    for field in [("If-None-Match", "\"a\""), ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")] {
        let (error, file) =
            fetch(Config::default(), "GET", &[field], Answer::new(304).header("ETag", "\"a\""));
        assert_eq!((error, file), (None, None), "{field:?}");
    }
    let server = Server::start(|_| Answer::new(304).header("ETag", "\"a\""));
    let client = Client::new(Config::default()).unwrap();
    let request = || Request::get(server.url("/x"));
    let response = client.fetch(request().header("If-None-Match", "\"a\"")).unwrap();
    assert_eq!(response.status.as_u16(), 304);
    assert!(matches!(client.fetch(request()), Err(Error::Status(_))));
}

#[test]
fn digests_of_the_whole_are_not_held_against_a_part_or_a_head() {
    let range = ("Range", "bytes=0-4");
    let part = || Answer::new(206).header("Content-Range", "bytes 0-4/11").body("hello");
    let fields = [("Repr-Digest", DIGEST.to_owned()), ("Digest", DIGEST.replace(':', ""))];
    for (name, value) in fields {
        let (error, file) = fetch(Config::default(), "GET", &[range], part().header(name, &value));
        assert_eq!((error, file.as_deref()), (None, Some("hello")), "{name}");
        let whole = Answer::ok("hello world").header(name, &value);
        let (error, file) = fetch(Config::default(), "GET", &[], whole.clone());
        assert!(error.is_some_and(|error| error.contains("checksum")) && file.is_none(), "{name}");
        let (error, file) = fetch(Config::default(), "HEAD", &[], whole);
        assert_eq!((error, file), (None, None), "{name}: a head is no file");
    }
    let (error, _) = fetch(Config::default(), "GET", &[range], part().header("Content-Digest", DIGEST));
    assert!(error.is_some(), "that of the content is");
}

#[test]
fn a_206_of_the_whole_is_the_whole_and_a_200_of_a_part_is_not() {
    let part = |status, range| Answer::new(status).header("Content-Range", range).body("hello");
    for (answer, is_whole) in [
        (part(206, "bytes 0-4/5"), true),
        (part(206, "bytes 0-4/11"), false),
        (part(206, "bytes 6-10/11"), false),
        (part(206, "bytes 0-4/*"), false),
        (part(200, "bytes 0-4/5"), true),
        (part(200, "bytes 6-10/11"), false),
    ] {
        let (error, file) = fetch(Config::default(), "GET", &[], answer);
        assert_eq!((error.is_none(), file.is_some()), (is_whole, is_whole), "{error:?}");
    }
}
