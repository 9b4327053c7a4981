//! Objects that are sealed again or get other recipients, in the places of those that are there.
//!
//! Owns: these checks.
//! Does not own: objects as sources and results ([`super::objects`]).

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use haul_testkit::{FakeStore, Gate, Request, StoreFault, Tree, Weed, files_below, seeded_bytes};

use super::objects::{LEN, haul, haul_for, tree};

#[test]
fn only_what_changed_is_sealed_again() {
    let fake = FakeStore::default();
    let dir = tempfile::tempdir().unwrap();
    let haul = haul_for(&fake.server.url(""), dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    Tree::seeded(8).files(5).sizes(1..=1_000).write(&dir.path().join("plain")).unwrap();
    let (kept, kept_text) = (dir.path().join("plain/kept"), "as long");
    fs::write(&kept, kept_text).unwrap();
    let update = || haul.run(["seal", "--update", "-r", &recipient, "-o", "s3://bucket/out/", "plain"]);
    let puts = || fake.count("PUT", ".age");
    update().expect_status(0);
    assert_eq!(puts(), 6);
    assert!(update().expect_status(0).stderr_text().contains("6 unchanged"));
    assert_eq!(puts(), 6);
    // Another content of the same length, within the same second.
    let modified = kept.metadata().unwrap().modified().unwrap();
    fs::write(&kept, "changed").unwrap();
    let file = fs::File::options().write(true).open(&kept).unwrap();
    file.set_modified(modified + Duration::from_nanos(1)).unwrap();
    fs::write(dir.path().join("plain/new"), "new").unwrap();
    update().expect_status(0);
    assert_eq!(puts(), 8);
    let is_conditional = |request: &&Request| {
        request.target.contains(".age") && request.method == "PUT" && request.header("if-match").is_some()
    };
    assert_eq!(fake.server.requests().iter().filter(is_conditional).count(), 1);
    let opened = haul.run(["open", "-i", "key.txt", "-o", "-", "s3://bucket/out/kept.age"]).expect_status(0);
    assert_eq!(opened.stdout_text(), "changed");
    // Without --update an object is never replaced.
    haul.run(["seal", "-r", &recipient, "-o", "s3://bucket/out/", "plain"]).expect_status(1);
    assert_eq!(puts(), 8);
}

#[test]
fn patterns_hold_for_keys() {
    let fake = FakeStore::default();
    let dir = tempfile::tempdir().unwrap();
    let haul = haul_for(&fake.server.url(""), dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    for key in ["in/a.txt", "in/private/a.txt", "in/d/private/b.txt", "in/d/b.jpg", "in/c.jpg"] {
        fake.state().put(key, b"text");
    }
    let seal = |output: &str, more: &[&str]| {
        haul.run([&["seal", "-r", &recipient, "-o", output, "s3://bucket/in/"], more].concat())
    };
    let keys = |prefix: &str| -> Vec<String> {
        let state = fake.state();
        let keys = state.objects.keys().filter_map(|key| Some(key.strip_prefix(prefix)?.to_owned()));
        keys.collect()
    };
    let said = seal("s3://bucket/out/", &["--exclude", "private/", "--exclude", "absent"]).expect_status(0);
    assert_eq!(keys("out/"), ["a.txt.age", "c.jpg.age", "d/b.jpg.age"]);
    assert!(said.stderr_text().contains("--exclude \"absent\" matched nothing"), "{}", said.stderr_text());
    seal("s3://bucket/only/", &["--include", "*.jpg"]).expect_status(0);
    assert_eq!(keys("only/"), ["c.jpg.age", "d/b.jpg.age"]);
}

#[test]
fn objects_get_other_recipients() {
    let Some(weed) = Weed::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    Tree::seeded(6).files(8).sizes(0..=50_000).depth(2).write(&plain).unwrap();
    fs::write(plain.join("large"), seeded_bytes(7, LEN)).unwrap();
    let haul = haul(&weed, Weed::SECRET, dir.path());
    let key = |name: &str| haul.run(["keygen", "-o", name]).expect_status(0).stdout_text().trim().to_owned();
    let (old, new) = (key("old.txt"), key("new.txt"));
    let (prefix, plain) = ("s3://haul-rekey/a b/", tree(&plain));
    haul.run(["seal", "-r", &old, "-o", prefix, "plain"]).expect_status(0);
    fs::write(dir.path().join("note"), "no age file").unwrap();
    haul.run(["seal", "-r", &old, "-o", "s3://haul-rekey/other", "note"]).expect_status(0);
    let rekey =
        |path: &str, more: &[&str]| haul.run([&["rekey", "-i", "old.txt", "-r", &new, path], more].concat());
    let planned = rekey(prefix, &["--dry-run"]).expect_status(0).stdout_text();
    assert_eq!(planned.matches("s3://haul-rekey/a b/").count() / 2, plain.len(), "{planned}");
    // All but one, which comes alone.
    rekey(prefix, &["--exclude", "large*"]).expect_status(0);
    let left = haul.run(["open", "-i", "old.txt", "-o", "left", prefix]).expect_status(3).stderr_text();
    assert_eq!(files_below(&dir.path().join("left")).unwrap(), [PathBuf::from("large")], "{left}");
    rekey("s3://haul-rekey/a b/large.age", &[]).expect_status(0);
    haul.run(["verify", "-i", "old.txt", prefix]).expect_status(3);
    haul.run(["open", "-i", "new.txt", "-o", "opened", prefix]).expect_status(0);
    assert!(tree(&dir.path().join("opened")) == plain);
    // The old identity opens nothing there any more, so nothing is replaced.
    rekey(prefix, &[]).expect_status(3);
    haul.run(["verify", "-i", "new.txt", prefix]).expect_status(0);
    haul.run(["verify", "-i", "old.txt", "s3://haul-rekey/other"]).expect_status(0);
    for refused in [
        &["rekey", "-i", "old.txt", "-r", &new, prefix, "note"][..],
        &["rekey", "-i", "old.txt", "--new-passphrase", prefix],
        &["rekey", "-i", "old.txt", "-r", &new, "-e", "uring=2x8", prefix],
    ] {
        haul.run(refused).expect_status(2);
    }
}

#[test]
fn an_object_that_changes_meanwhile_does_not_get_other_recipients() {
    let gate = Gate::new();
    let held = gate.clone();
    let fake = FakeStore::scripted(move |request, _| {
        (request.method == "GET" && request.target.contains("key.age"))
            .then(|| StoreFault::Held(held.clone()))
    });
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "text").unwrap();
    let haul = haul_for(&fake.server.url(""), dir.path());
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    haul.run(["seal", "-r", &recipient, "-o", "s3://bucket/key.age", "file"]).expect_status(0);
    let running = haul.spawn(["rekey", "-i", "key.txt", "-r", &recipient, "s3://bucket/key.age"]);
    gate.wait_reached(1);
    fake.state().put("key.age", b"somebody else's");
    gate.open();
    let said = running.finish().expect_status(1).stderr_text();
    assert!(said.contains("changed"), "{said}");
    assert_eq!(fake.state().objects["key.age"].bytes, b"somebody else's");
    // A store that knows no conditions is named.
    fake.state().ignores_conditions = true;
    haul.run(["seal", "--force", "-r", &recipient, "-o", "s3://bucket/other.age", "file"]).expect_status(0);
    let rekey = haul.run(["rekey", "-i", "key.txt", "-r", &recipient, "s3://bucket/other.age"]);
    let said = rekey.expect_status(0).stderr_text();
    assert!(said.contains("ignores If-Match"), "{said}");
}
