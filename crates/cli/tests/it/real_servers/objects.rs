//! Objects in SeaweedFS as the ends of `seal`, `open`, `cat` and `verify`.
//!
//! Owns: these checks.
//! Does not own: the library's own ([`haul_store`]), the server ([`haul_testkit::Weed`]).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use haul_testkit::{
    Answer, FakeStore, Gate, Haul, Server, StoreFault, Tree, Weed, files_below, seeded_bytes, store_refusal,
};

/// More than one part.
pub(super) const LEN: usize = (18 << 20) + 12_345;

pub(super) fn haul(weed: &Weed, secret: &str, dir: &Path) -> Haul {
    Haul::new(env!("CARGO_BIN_EXE_haul"))
        .dir(dir)
        .env("AWS_ENDPOINT_URL", weed.url())
        .env("AWS_ACCESS_KEY_ID", Weed::KEY)
        .env("AWS_SECRET_ACCESS_KEY", secret)
}

#[test]
fn objects_are_sealed_opened_and_read_in_part() {
    let Some(weed) = Weed::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (seeded_bytes(1, LEN), seeded_bytes(2, 100));
    fs::write(dir.path().join("first"), &first).unwrap();
    fs::write(dir.path().join("second"), &second).unwrap();
    let haul = haul(&weed, Weed::SECRET, dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    let object = "s3://haul-cli/a b/first.age";
    let seal = |name: &str, more: &[&str]| {
        haul.run([&["seal", "-r", &recipient, "-o", object, name], more].concat())
    };
    seal("first", &[]).expect_status(0);

    haul.run(["verify", "-i", "key.txt", object]).expect_status(0);
    assert!(haul.run(["open", "-i", "key.txt", "-o", "-", object]).expect_status(0).stdout == first);
    haul.run(["open", "-i", "key.txt", "-o", "opened", object]).expect_status(0);
    assert!(fs::read(dir.path().join("opened")).unwrap() == first);
    let range = haul.run(["cat", "-i", "key.txt", "--range", "17000000-17000999", object]).expect_status(0);
    assert!(range.stdout == first[17_000_000..=17_000_999], "{} bytes", range.stdout.len());

    // An object is replaced only where that is asked for.
    let refused = seal("second", &[]).expect_status(1).stderr_text();
    assert!(refused.contains("exists already") && refused.contains("--force"), "{refused}");
    haul.run(["verify", "-i", "key.txt", object]).expect_status(0);
    seal("second", &["--force"]).expect_status(0);
    assert!(haul.run(["cat", "-i", "key.txt", object]).expect_status(0).stdout == second);
}

/// The files of a tree, by their paths below it.
pub(super) fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: PathBuf| (path.clone(), fs::read(dir.join(path)).unwrap());
    files_below(dir).unwrap().into_iter().map(read).collect()
}

/// When the file at `path` was last modified.
fn time(path: &Path) -> SystemTime {
    path.metadata().unwrap().modified().unwrap()
}

/// When the files of a tree were last modified, by their paths below it.
fn times(dir: &Path) -> BTreeMap<PathBuf, SystemTime> {
    files_below(dir).unwrap().into_iter().map(|path| (path.clone(), time(&dir.join(path)))).collect()
}

#[test]
fn trees_become_objects_and_prefixes_become_trees() {
    let Some(weed) = Weed::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    Tree::seeded(3).files(40).sizes(0..=50_000).depth(2).write(&plain).unwrap();
    fs::write(plain.join("large \u{e9}"), seeded_bytes(4, LEN)).unwrap();
    let haul = haul(&weed, Weed::SECRET, dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    let (prefix, plain) = ("s3://haul-trees/a b/", tree(&plain));
    for engine in ["auto", "serial", "threads=3"] {
        let seal = |more: &[&str]| {
            haul.run([&["seal", "-e", engine, "-r", &recipient, "-o", prefix, "plain"], more].concat())
        };
        let planned = seal(&["--dry-run"]).expect_status(0).stdout_text();
        assert_eq!(planned.matches("-> \"s3://haul-trees/a b/").count(), plain.len(), "{planned}");
        if engine == "auto" {
            seal(&[]).expect_status(0);
            let refused = seal(&[]).expect_status(1).stderr_text();
            assert!(refused.contains("exists already"), "{refused}");
        } else {
            seal(&["--force"]).expect_status(0);
        }
        haul.run(["verify", "-e", engine, "-i", "key.txt", prefix]).expect_status(0);
        let opened = format!("opened-{engine}");
        haul.run(["open", "-e", engine, "-i", "key.txt", "-o", &opened, prefix]).expect_status(0);
        assert!(tree(&dir.path().join(&opened)) == plain, "{engine}");
        assert!(times(&dir.path().join(&opened)) == times(&dir.path().join("plain")), "{engine}");
        let again = haul.run(["open", "-e", engine, "-i", "key.txt", "-o", &opened, prefix]).expect_status(1);
        assert!(again.stderr_text().contains("exists already"), "{}", again.stderr_text());
    }
    let inspected = haul.run(["inspect", "--json", prefix]).expect_status(0).stdout_text();
    assert_eq!(inspected.matches("\"inspected\"").count(), plain.len(), "{inspected}");
    let one = haul.run(["inspect", "s3://haul-trees/a b/large \u{e9}.age"]).expect_status(0);
    assert!(one.stdout_text().contains(&format!("{LEN} bytes")), "{}", one.stdout_text());
    // Several inputs keep their names.
    fs::write(dir.path().join("note"), "text").unwrap();
    haul.run(["seal", "-r", &recipient, "-o", "s3://haul-trees/several/", "plain", "note"]).expect_status(0);
    let named = haul.run(["inspect", "--json", "s3://haul-trees/several/"]).expect_status(0).stdout_text();
    assert_eq!(named.matches("several/plain/").count(), plain.len(), "{named}");
    assert!(named.contains("several/note.age"), "{named}");
    // From one prefix to another.
    haul.run(["open", "-i", "key.txt", "-o", "s3://haul-trees/plain/", prefix]).expect_status(0);
    haul.run(["seal", "-r", &recipient, "-o", "s3://haul-trees/again/", "s3://haul-trees/plain/"])
        .expect_status(0);
    haul.run(["open", "-i", "key.txt", "-o", "twice", "s3://haul-trees/again/"]).expect_status(0);
    assert!(tree(&dir.path().join("twice")) == plain);
    assert!(times(&dir.path().join("twice")) == times(&dir.path().join("plain")));
    let large = "s3://haul-trees/a b/large \u{e9}.age";
    haul.run(["open", "-i", "key.txt", "-o", "one", large]).expect_status(0);
    assert_eq!(time(&dir.path().join("one")), time(&dir.path().join("plain/large \u{e9}")));
    haul.run(["seal", "-r", &recipient, "-o", "-", "s3://haul-trees/plain/large \u{e9}"]).expect_status(0);
    // What can't be done says so.
    haul.run(["keygen", "-o", "other.txt"]).expect_status(0);
    haul.run(["verify", "-i", "other.txt", prefix]).expect_status(3);
    let nothing = haul.run(["verify", "-i", "key.txt", "s3://haul-trees/absent/"]).expect_status(1);
    assert!(nothing.stderr_text().contains("nothing to verify"), "{}", nothing.stderr_text());
    for refused in [
        &["open", "-i", "key.txt", prefix][..],
        &["open", "-i", "key.txt", "--force", "-o", "opened", prefix],
        &["seal", "-r", &recipient, "--replace", "-o", prefix, "plain"],
        &["seal", "-r", &recipient, "-e", "uring=2x8", "-o", prefix, "plain"],
        &["seal", "-r", &recipient, "-o", prefix, "plain", "s3://haul-trees/plain/"],
    ] {
        haul.run(refused).expect_status(2);
    }
}

#[test]
fn keys_that_lead_elsewhere_are_refused() {
    let fake = FakeStore::default();
    let dir = tempfile::tempdir().unwrap();
    let haul = haul_for(&fake.server.url(""), dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    fs::write(dir.path().join("file"), "text").unwrap();
    haul.run(["seal", "-r", &recipient, "file"]).expect_status(0);
    let sealed = fs::read(dir.path().join("file.age")).unwrap();
    for key in ["in/a.age", "in/d/b.age", "in/../../x.age", "in//etc/x.age", "in/l/x.age", "in/note.txt"] {
        fake.state().put(key, &sealed);
    }
    let (output, outside) = (dir.path().join("output"), dir.path().join("outside"));
    fs::create_dir(&output).unwrap();
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, output.join("l")).unwrap();
    let opened = haul.run(["open", "-i", "key.txt", "-o", "output", "s3://bucket/in/"]).expect_status(1);
    let said = opened.stderr_text();
    assert!(said.matches("is no name for a file").count() == 2 && said.contains("link"), "{said}");
    let found = files_below(&output).unwrap();
    assert_eq!(found, ["a", "d/b", "l"].map(PathBuf::from), "l is the link: {said}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(!dir.path().join("x").exists());
}

#[test]
fn objects_that_are_there_are_not_sent_again() {
    let fake = FakeStore::default();
    let dir = tempfile::tempdir().unwrap();
    let haul = haul_for(&fake.server.url(""), dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    Tree::seeded(5).files(6).sizes(1..=1_000).write(&dir.path().join("plain")).unwrap();
    let seal = || haul.run(["seal", "-r", &recipient, "-o", "s3://bucket/out/", "plain"]);
    seal().expect_status(0);
    assert_eq!(fake.count("PUT", "/out/file"), 6);
    fs::write(dir.path().join("plain/new"), "new").unwrap();
    let said = seal().expect_status(1).stderr_text();
    assert!(said.contains("exists already") && said.contains("1 file sealed, 6 failed"), "{said}");
    assert_eq!((fake.count("PUT", "/out/file"), fake.count("PUT", "/out/new")), (6, 1));
}

/// With --force too: the second would take the place of the first. Objects tell letter cases apart.
#[test]
fn two_sources_share_no_object() {
    let fake = FakeStore::default();
    let dir = tempfile::tempdir().unwrap();
    let haul = haul_for(&fake.server.url(""), dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    for (name, content) in [("a/t/f", "first"), ("b/t/f", "second"), ("b/t/F", "third")] {
        fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
        fs::write(dir.path().join(name), content).unwrap();
    }
    let seal = |inputs: &[&str], more: &[&str]| {
        haul.run([&["seal", "-r", &recipient, "-o", "s3://bucket/out/"], inputs, more].concat())
    };
    for more in [&[][..], &["--force"], &["--force", "--dry-run"]] {
        let said = seal(&["a/t/f", "b/t/f"], more).expect_status(2).stderr_text();
        assert!(said.contains("two sources would become \"s3://bucket/out/f.age\""), "{said}");
    }
    assert!(fake.state().objects.is_empty());
    for engine in ["serial", "threads=3"] {
        let said = seal(&["a/t", "b/t"], &["--force", "-e", engine]).expect_status(1).stderr_text();
        assert!(said.contains("another source has the same result"), "{said}");
        let text = |key: &str| haul.run(["cat", "-i", "key.txt", key]).expect_status(0).stdout_text();
        assert_eq!(text("s3://bucket/out/t/f.age"), "first", "{engine}");
        assert_eq!(text("s3://bucket/out/t/F.age"), "third", "{engine}");
    }
}

#[test]
fn failures_of_a_store_are_named() {
    let Some(weed) = Weed::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let correct = haul(&weed, Weed::SECRET, dir.path());
    correct.run(["keygen", "-o", "key.txt"]).expect_status(0);
    let wrong = haul(&weed, "planted-secret", dir.path());
    let cat =
        |haul: &Haul, name: &str| haul.run(["cat", "-i", "key.txt", name]).expect_status(1).stderr_text();
    let refused = cat(&wrong, "s3://haul-cli/absent");
    assert!(refused.contains("denied") || refused.contains("access key"), "{refused}");
    assert!(!refused.contains("planted-secret"), "{refused}");
    let absent = cat(&correct, "s3://haul-cli/absent");
    assert!(absent.contains("no such object"), "{absent}");
    let invalid = cat(&correct, "s3://haul-cli/a/../b");
    assert!(invalid.contains("a segment"), "{invalid}");
}

#[test]
fn an_object_is_kept_even_if_the_store_knows_no_conditions() {
    let server = Server::start(|request| match request.method.as_str() {
        "HEAD" => Answer::ok("old").header("ETag", "\"1\""),
        _ => Answer::ok("").header("ETag", "\"2\""),
    });
    let dir = tempfile::tempdir().unwrap();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul"))
        .dir(dir.path())
        .env("AWS_ENDPOINT_URL", server.url(""))
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .stdin("new");
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    let refused = haul.run(["seal", "-r", &recipient, "-o", "s3://bucket/key", "-"]).expect_status(1);
    assert!(refused.stderr_text().contains("exists already"), "{}", refused.stderr_text());
    assert!(server.requests().iter().all(|request| request.method == "HEAD"));
}

/// A program for a store at `url` that accepts any key.
pub(super) fn haul_for(url: &str, dir: &Path) -> Haul {
    Haul::new(env!("CARGO_BIN_EXE_haul"))
        .dir(dir)
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "planted-secret")
        .env("AWS_SESSION_TOKEN", "planted-token")
}

#[test]
fn an_interruption_waits_for_the_parts_in_flight_and_removes_the_upload() {
    let gate = Gate::new();
    let held = gate.clone();
    let fake = FakeStore::scripted(move |request, _| {
        request.target.contains("partNumber=").then(|| StoreFault::Held(held.clone()))
    });
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), vec![7; 100 << 20]).unwrap();
    let haul = haul_for(&fake.server.url(""), dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    let running = haul.spawn(["seal", "-r", &recipient, "-o", "s3://bucket/key", "file"]);
    gate.wait_reached(2);
    running.interrupt();
    gate.open();
    running.finish().expect_status(130);
    assert!(fake.state().uploads.is_empty() && fake.state().objects.is_empty());
    assert_eq!(fake.server.requests().last().unwrap().method, "DELETE", "no part comes after the abort");
}

#[test]
fn stores_are_reached_through_the_proxy_of_the_environment() {
    let proxy = Server::start(|_| store_refusal(404, "NoSuchKey"));
    let dir = tempfile::tempdir().unwrap();
    let haul = haul_for("http://store.invalid", dir.path());
    haul.run(["keygen", "-o", "key.txt"]).expect_status(0);
    let cat = ["cat", "-i", "key.txt", "s3://bucket/key"];
    let haul = haul.env("http_proxy", proxy.url(""));
    let absent = haul.run(cat).expect_status(1).stderr_text();
    assert!(absent.contains("no such object"), "{absent}");
    let requests = proxy.requests();
    assert!(!requests.is_empty());
    assert!(requests.iter().all(|request| request.target.starts_with("http://store.invalid/bucket/key")));
    // A variable that names none is said without its value.
    let wrong = haul.env("http_proxy", "gopher://me:hush@proxy").run(cat).expect_status(1).stderr_text();
    assert!(wrong.contains("http_proxy isn't a valid proxy URL") && !wrong.contains("hush"), "{wrong}");
}

#[test]
fn the_secrets_of_a_store_are_never_printed() {
    let fake = FakeStore::scripted(|request, _| {
        let text = format!("{:?}", request.header("authorization"));
        let answer = haul_testkit::Answer::new(403).body(format!(
            "<Error><Code>AccessDenied</Code><Message>no</Message><Said>{text}</Said></Error>"
        ));
        Some(StoreFault::Instead(answer))
    });
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "text").unwrap();
    let haul = haul_for(&fake.server.url(""), dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    for words in [
        &["cat", "-vv", "-i", "key.txt", "s3://bucket/key"][..],
        &["seal", "-vv", "--json", "-r", &recipient, "-o", "s3://bucket/key", "file"],
        &["get", "-vv", "--json", "-d", "s3://bucket/", &fake.server.url("/1"), &fake.server.url("/2")],
    ] {
        let run = haul.run(words.iter().filter(|word| words[0] != "cat" || **word != "-vv")).expect_status(1);
        let said = run.stdout_text() + &run.stderr_text();
        for secret in ["planted-secret", "planted-token", "Signature="] {
            assert!(!said.contains(secret), "{words:?}: {said}");
        }
    }
    let sent = fake.server.requests();
    assert!(sent.iter().any(|request| request.header("x-amz-security-token") == Some("planted-token")));
}
