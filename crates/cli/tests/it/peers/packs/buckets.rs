//! Shards in a bucket: SeaweedFS, and a store in memory with faults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use haul_testkit::{
    Answer, FakeStore, Gate, Haul, Server, StoreFault, Weed, assert_same, seeded_bytes, store_refusal,
};

use super::{contents, index, shards, unpack};
use crate::workdir::Workdir;

/// The engines that pack into buckets.
const ENGINES: [&[&str]; 3] = [&["-e", "serial"], &["-e", "threads=4"], &[]];

/// The body of `/NUMBER` is short, that of `/large-NUMBER` spills.
fn body(path: &str) -> Vec<u8> {
    let number: u64 = path.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    let bytes = if path.starts_with("/large") { 3_000_000 } else { number as usize * 97 % 9_000 };
    seeded_bytes(number, bytes)
}

fn origin() -> Server {
    Server::start(|request| match request.path() {
        "/none" => Answer::new(404),
        path => Answer::ok(body(path)),
    })
}

fn haul(url: &str, workdir: &Workdir) -> Haul {
    Haul::new(env!("CARGO_BIN_EXE_haul"))
        .dir(workdir.path("."))
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", Weed::KEY)
        .env("AWS_SECRET_ACCESS_KEY", Weed::SECRET)
}

fn list(origin: &Server, paths: &[String]) -> String {
    paths.iter().map(|path| origin.url(path) + "\n").collect()
}

fn short(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("/{number}")).collect()
}

/// The names and contents of the members of the shards below `prefix`, unpacked by tar.
fn members(fake: &FakeStore, prefix: &str, workdir: &Workdir) -> BTreeMap<PathBuf, Vec<u8>> {
    let copies = workdir.path(format!("copies-{}", prefix.replace('/', "-")));
    let _ = std::fs::remove_dir_all(&copies);
    let _ = std::fs::remove_dir_all(copies.with_extension("unpacked"));
    std::fs::create_dir_all(&copies).unwrap();
    for (key, object) in &fake.state().objects {
        if let Some(name) = key.strip_prefix(prefix) {
            std::fs::write(copies.join(name), &object.bytes).unwrap();
        }
    }
    let (shards, unpacked) = (shards(&copies), copies.with_extension("unpacked"));
    let lines: usize = shards.iter().map(|shard| index(shard).len()).sum();
    unpack(&shards, &unpacked);
    let members = contents(&unpacked);
    assert_eq!(lines, members.len(), "each member once");
    members
}

/// The version of each object.
fn etags(fake: &FakeStore) -> BTreeMap<String, String> {
    fake.state().objects.iter().map(|(key, object)| (key.clone(), object.etag.clone())).collect()
}

fn check(members: &BTreeMap<PathBuf, Vec<u8>>, paths: &[String]) {
    let expected = paths.iter().map(|path| (PathBuf::from(&path[1..]), body(path)));
    assert!(*members == expected.collect(), "{:?}", members.keys());
}

#[test]
fn every_engine_packs_into_a_bucket_and_goes_on() {
    let (fake, origin, workdir) = (FakeStore::default(), origin(), Workdir::new());
    let haul = haul(&fake.server.url(""), &workdir);
    let paths = [short(60), vec!["/large-1".to_owned(), "/large-2".to_owned()]].concat();
    workdir.write("urls", list(&origin, &[&paths[..], &["/none".to_owned()]].concat()));
    for (round, engine) in ENGINES.iter().enumerate() {
        let place = format!("s3://bucket/{round}");
        let args = ["get", "--json", "--retries", "0", "-i", "urls", "-d", &place];
        let args = [&args[..], engine, &["--pack", "tar", "--pack-size", "100k"]].concat();
        let run = haul.run(&args).expect_status(1).stdout_text();
        assert!(run.contains(&format!("\"shard\":\"{place}/shard-000000.tar\"")), "{run}");
        check(&members(&fake, &format!("{round}/"), &workdir), &paths);
        let before = etags(&fake);
        let refused = haul.run(&args).expect_status(2).stderr_text();
        assert!(refused.contains("there are shards already"), "{refused}");
        let requests = origin.requests().len();
        haul.run([&args[..], &["-c"]].concat()).expect_status(1);
        assert_eq!(origin.requests().len() - requests, 1, "what failed before");
        assert!(etags(&fake) == before && fake.state().uploads.is_empty());
    }
    // What comes later is in further shards.
    let more: Vec<_> = short(63).into_iter().chain(paths[60..].iter().cloned()).collect();
    workdir.write("urls", list(&origin, &more));
    let args = ["get", "-c", "-i", "urls", "-d", "s3://bucket/0/", "--pack", "tar"];
    haul.run(args).expect_status(0);
    check(&members(&fake, "0/", &workdir), &more);
}

#[test]
fn a_long_shard_goes_in_parts_and_a_member_is_read_by_range() {
    let Some(weed) = Weed::start() else { return };
    let (origin, workdir) = (origin(), Workdir::new());
    let haul = haul(&weed.url(), &workdir);
    let recipient = haul.run(["keygen", "-o", "key"]).expect_status(0).stdout_text();
    let paths: Vec<_> = (0..14).map(|number| format!("/large-{number}")).chain(short(20)).collect();
    workdir.write("urls", list(&origin, &paths));
    // One shard.
    let get = ["get", "-e", "serial", "-i", "urls", "--pack", "tar"];
    haul.run([&get[..], &["-d", "s3://haul-pack/plain"]].concat()).expect_status(0);
    let sealed = ["-d", "s3://haul-pack/sealed/", "-r", recipient.trim(), "-c", "--identity", "key"];
    haul.run([&get[..], &sealed].concat()).expect_status(0);
    for (shard, key) in [("plain/shard-000000.tar", &[][..]), ("sealed/shard-000000.tar.age", &["-i", "key"])]
    {
        let shard = format!("s3://haul-pack/{shard}");
        for path in ["/large-13", "/19"] {
            let open = [&["open", "--only", &path[1..], "-o", "-"], key, &[&shard]].concat();
            assert!(haul.run(open).expect_status(0).stdout == body(path), "{shard}: {path}");
        }
    }
    let requests = origin.requests().len();
    haul.run([&get[..], &sealed].concat()).expect_status(0);
    assert_eq!(origin.requests().len(), requests, "all are packed");
}

#[test]
fn a_tree_is_sealed_into_shards_of_a_bucket() {
    let Some(weed) = Weed::start() else { return };
    let workdir = Workdir::new();
    let haul = haul(&weed.url(), &workdir);
    let recipient = haul.run(["keygen", "-o", "key"]).expect_status(0).stdout_text();
    for number in 0..40 {
        workdir.write(format!("tree/{}/{number}", number % 3), body(&format!("/{number}")));
    }
    workdir.write("tree/large", body("/large-1"));
    let seal = ["seal", "-r", recipient.trim(), "--pack", "tar", "-o", "s3://haul-seal/tree", "tree"];
    haul.run(seal).expect_status(0);
    assert!(haul.run(seal).expect_status(2).stderr_text().contains("there are shards already"));
    haul.run(["open", "-i", "key", "-o", "tars", "s3://haul-seal/tree/"]).expect_status(0);
    unpack(&shards(&workdir.path("tars")), &workdir.path("unpacked"));
    assert_same(&workdir.path("tree"), &workdir.path("unpacked"));
    for refused in [
        &["seal", "-e", "uring", "-r", recipient.trim(), "--pack", "tar", "-o", "s3://bucket/x", "tree"][..],
        &["seal", "-r", recipient.trim(), "--pack", "tar", "-o", "s3://bucket/x/", "s3://haul-seal/tree/"],
    ] {
        haul.run(refused).expect_status(2);
    }
}

#[test]
fn interrupted_killed_or_refused_runs_leave_whole_shards() {
    // Interrupted: what is complete is published.
    let gate = Gate::new();
    let origin = {
        let gate = gate.clone();
        Server::start(move |request| {
            let answer = Answer::ok(body(request.path()));
            if request.path().starts_with("/large") { answer.gate_at(1_000_000, &gate) } else { answer }
        })
    };
    let (fake, workdir) = (FakeStore::default(), Workdir::new());
    let haul_here = haul(&fake.server.url(""), &workdir);
    let paths = [short(30), vec!["/large-1".to_owned()]].concat();
    workdir.write("urls", list(&origin, &paths));
    let get = ["get", "-e", "threads=2", "-i", "urls", "-d", "s3://bucket/x", "--pack", "tar"];
    let running = haul_here.spawn(get);
    gate.wait_reached(1);
    running.interrupt();
    assert_eq!(running.finish().status, 130);
    check(&members(&fake, "x/", &workdir), &paths[..30]);
    gate.open();
    haul_here.run([&get[..], &["-c"]].concat()).expect_status(0);
    check(&members(&fake, "x/", &workdir), &paths);
    assert!(fake.state().uploads.is_empty());

    // Refused: the members have failed, and nothing is left.
    let refusing = FakeStore::scripted(|request, _| {
        let is_shard = request.method == "PUT" && request.path().contains("shard-");
        is_shard.then(|| StoreFault::Instead(store_refusal(403, "AccessDenied")))
    });
    let refused = haul(&refusing.server.url(""), &workdir).run(get).expect_status(1).stderr_text();
    assert!(refused.contains("shard"), "{refused}");
    assert!(refusing.state().objects.keys().all(|key| !key.contains("shard")));
    assert!(refusing.state().uploads.is_empty());

    // Killed between two parts.
    let held = Gate::new();
    let killing = {
        let held = held.clone();
        FakeStore::scripted(move |request, _| {
            request.target.contains("partNumber=2").then(|| StoreFault::Held(held.clone()))
        })
    };
    let haul_killed = haul(&killing.server.url(""), &workdir);
    let paths: Vec<_> = (0..14).map(|number| format!("/large-{number}")).collect();
    workdir.write("urls", list(&origin, &paths));
    // One shard at a time.
    let get = [&get[..], &["-c", "-e", "serial"]].concat();
    let running = haul_killed.spawn(&get);
    held.wait_reached(1);
    running.kill();
    running.finish();
    assert!(killing.state().objects.keys().all(|key| !key.contains("shard")));
    assert_eq!(killing.state().uploads.len(), 1);
    held.open();
    haul_killed.run(&get).expect_status(0);
    assert!(killing.state().uploads.is_empty(), "what the killed run left is removed");
    check(&members(&killing, "x/", &workdir), &paths);
}

#[test]
fn nothing_is_spilled_beside_shards_of_a_bucket() {
    let (fake, origin, workdir) = (FakeStore::default(), origin(), Workdir::new());
    std::fs::create_dir(workdir.path("temporary")).unwrap();
    let haul =
        haul(&fake.server.url(""), &workdir).env("TMPDIR", workdir.path("temporary").to_str().unwrap());
    workdir.write("urls", list(&origin, &["/large-1".to_owned()]));
    haul.run(["get", "-i", "urls", "-d", "s3://bucket/x", "--pack", "tar"]).expect_status(0);
    assert_eq!(left_in(&workdir.path("temporary")), 0);
    let output = Command::new("ls").arg("-A").arg(workdir.path(".")).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    assert_eq!(names.split_whitespace().collect::<Vec<_>>(), ["temporary", "urls"]);
}

fn left_in(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}
