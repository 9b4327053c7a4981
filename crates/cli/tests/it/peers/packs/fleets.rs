//! Shards of a fleet, one for each slice: nodes that share a list, that die before, while and after a shard appears, or
//! that come too late.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use haul_testkit::{
    Answer, FakeStore, Gate, Haul, Redis, Running, Server, StoreFault, Tree, assert_same, seeded_bytes,
    store_refusal,
};
use rustix::process::{Pid, Signal, kill_process};

use super::{contents, index, shards, unpack};
use crate::workdir::Workdir;

/// A lease that tests can wait for.
const SHORT: &str = "600ms";

struct Fleet {
    redis: Redis,
    /// Keeps answering.
    _origin: Server,
    workdir: Workdir,
    haul: Haul,
    host: String,
}

fn body(path: &str) -> Vec<u8> {
    let number: u64 = path.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    seeded_bytes(number, number as usize * 97 % 9_000)
}

impl Fleet {
    /// A run called `r` of so many lines. `/NUMBER` with a number in `missing` doesn't exist.
    fn of(lines: usize, missing: &'static [&'static str], create: &[&str]) -> Option<Self> {
        let (redis, workdir) = (Redis::start()?, Workdir::new());
        let origin = Server::start(move |request| match request.path() {
            path if missing.contains(&path) => Answer::new(404),
            path => Answer::ok(body(path)),
        });
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.path("."));
        let urls: String = (0..lines).map(|number| origin.url(&format!("/{number}")) + "\n").collect();
        workdir.write("urls", urls);
        let host = origin.address().ip().to_string();
        let fleet = Self { redis, _origin: origin, workdir, haul, host };
        let url = fleet.url();
        fleet.haul.run([&["fleet", "create", "-i", "urls"], create, &[&*url]].concat()).expect_status(0);
        Some(fleet)
    }

    /// Nodes that write to `store`.
    fn haul_for(&self, store: &FakeStore) -> Haul {
        Haul::new(env!("CARGO_BIN_EXE_haul"))
            .dir(self.workdir.path("."))
            .env("AWS_ENDPOINT_URL", store.server.url(""))
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
    }

    fn url(&self) -> String {
        format!("{}/r", self.redis.url())
    }

    fn node(&self, haul: &Haul, into: &str, more: &[&str]) -> Running {
        let url = self.url();
        haul.spawn([&["get", "--fleet", &*url, "--pack", "tar", "-d", into], more].concat())
    }

    /// As a command prints the state of the run.
    fn total(&self, name: &str) -> u64 {
        let shown = self.haul.run(["fleet", "status", "--json", &self.url()]).expect_status(0);
        let status: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        status[name].as_u64().unwrap()
    }

    /// How many ends of slices are prepared.
    fn prepared(&self) -> bool {
        !self.redis.ask("HLEN haul:{r}:prepared").unwrap().starts_with(":0\r\n")
    }

    /// Checks that the shards in `directory` have these lines, each once. Returns the names of those that aren't empty.
    fn check(&self, directory: &str, lines: impl Iterator<Item = usize>) -> Vec<String> {
        let (mut names, mut members) = (Vec::new(), 0);
        let found = shards(&self.workdir.path(directory));
        for shard in &found {
            let count = index(shard).len();
            members += count;
            if count > 0 {
                names.push(shard.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
        let unpacked = self.workdir.path(format!("{directory}-unpacked"));
        unpack(&found, &unpacked);
        let expected: BTreeMap<PathBuf, Vec<u8>> = lines
            .map(|number| (PathBuf::from(format!("{}/{number}", self.host)), body(&format!("/{number}"))))
            .collect();
        assert_eq!(members, expected.len(), "each line once");
        let unpacked = contents(&unpacked);
        assert!(unpacked == expected, "{} of {}", unpacked.len(), expected.len());
        names
    }

    /// Copies the objects of a store into a directory, which is checked as [`Fleet::check`] does.
    fn check_objects(&self, store: &FakeStore, lines: usize) -> Vec<String> {
        fs::create_dir(self.workdir.path("copies")).unwrap();
        for (key, object) in &store.state().objects {
            if let Some(name) = key.strip_prefix("x/") {
                fs::write(self.workdir.path("copies").join(name), &object.bytes).unwrap();
            }
        }
        assert!(store.state().uploads.is_empty(), "no upload is left");
        self.check("copies", 0..lines)
    }

    fn expect_done(&self, slices: u64, lines: u64) {
        let totals = ["slices", "done", "leased", "succeeded", "failed"].map(|name| self.total(name));
        assert_eq!(totals, [slices, slices, 0, lines, 0]);
        assert!(!self.prepared(), "nothing is left of what was prepared");
    }
}

fn wait(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "it never comes to that");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(node: &Running, signal: Signal) {
    kill_process(Pid::from_raw(node.id() as i32).unwrap(), signal).unwrap();
}

#[test]
fn two_nodes_make_one_shard_of_each_slice() {
    let Some(fleet) = Fleet::of(300, &["/7", "/20", "/21", "/22", "/23"], &["--slice", "20"]) else { return };
    let nodes =
        [&["-e", "threads=4"][..], &["-e", "uring=1x8"]].map(|more| fleet.node(&fleet.haul, "got", more));
    nodes.into_iter().for_each(|node| drop(node.finish()));
    let is_there = |number: &usize| ![7, 20, 21, 22, 23].contains(number);
    let names = fleet.check("got", (0..300).filter(is_there));
    assert_eq!(names.len(), 15);
    assert_eq!((&*names[0], &*names[14]), ("shard-000001.tar", "shard-000015.tar"));
    assert_eq!(index(&fleet.workdir.path("got/shard-000002.tar")).len(), 16);
    assert_eq!((fleet.total("done"), fleet.total("succeeded"), fleet.total("failed")), (15, 295, 5));
    let failed = fleet.haul.run(["fleet", "failed", &fleet.url()]).expect_status(0).stdout_text();
    assert_eq!(failed.lines().filter(|line| !line.starts_with('#')).count(), 5, "{failed}");
    // What failed becomes slices of its own.
    fleet.haul.run(["fleet", "retry", &fleet.url()]).expect_status(0);
    fleet.node(&fleet.haul, "got", &[]).finish().expect_status(1);
    assert_eq!(fleet.total("failed"), 5);
    fleet.check("got", (0..300).filter(is_there));
}

#[test]
fn sealed_shards_of_a_fleet_open() {
    let Some(fleet) = Fleet::of(60, &[], &["--slice", "25"]) else { return };
    let recipient = fleet.haul.run(["keygen", "-o", "key"]).expect_status(0).stdout_text();
    fleet.node(&fleet.haul, "sealed", &["-r", recipient.trim()]).finish().expect_status(0);
    fleet.expect_done(3, 60);
    fleet.haul.run(["open", "-i", "key", "-o", "opened", "sealed"]).expect_status(0);
    let names = fleet.check("opened", 0..60);
    assert_eq!(names, ["shard-000001.tar", "shard-000002.tar", "shard-000003.tar"]);
}

#[test]
fn nodes_seal_the_files_of_a_list_into_shards() {
    let Some(fleet) = Fleet::of(1, &[], &[]) else { return };
    let recipient = fleet.haul.run(["keygen", "-o", "key"]).expect_status(0).stdout_text();
    Tree::seeded(7).files(50).sizes(0..=20_000).depth(2).write(&fleet.workdir.path("plain")).unwrap();
    // Longer than what is packed from memory.
    fleet.workdir.write("plain/long", seeded_bytes(1, 1_500_000));
    let names = haul_testkit::files_below(&fleet.workdir.path("plain")).unwrap();
    let lines: String = names.iter().map(|name| format!("plain/{}\n", name.to_str().unwrap())).collect();
    fleet.workdir.write("files", lines + "plain/absent\nkey\n");
    let url = format!("{}/files", fleet.redis.url());
    let create = ["fleet", "create", "--files", "-i", "files", "--slice", "10", "--lease", SHORT, &url];
    fleet.haul.run(create).expect_status(0);
    let node = |more: &[&str]| {
        let seal = ["seal", "--fleet", &url, "-r", recipient.trim(), "--pack", "tar", "-o", "sealed"];
        fleet.haul.spawn([&seal[..], &["-i", "key"], more].concat())
    };
    let killed = node(&["-e", "serial"]);
    wait(|| !shards(&fleet.workdir.path("sealed")).is_empty());
    killed.kill();
    killed.finish();
    let nodes = [node(&["-e", "threads=2"]), node(&["-e", "uring=1x4"])];
    let statuses = nodes.map(|node| node.finish().status);
    assert!(statuses.contains(&1), "what isn't there has failed: {statuses:?}");
    let failed = fleet.haul.run(["fleet", "failed", &url]).expect_status(0).stdout_text();
    assert!(failed.contains("\nplain/absent\n") && failed.contains("it holds a key"), "{failed}");
    fleet.haul.run(["open", "-i", "key", "-o", "tars", "sealed"]).expect_status(0);
    let found = shards(&fleet.workdir.path("tars"));
    assert_eq!(found.iter().map(|shard| index(shard).len()).sum::<usize>(), names.len(), "each file once");
    unpack(&found, &fleet.workdir.path("unpacked"));
    assert_same(&fleet.workdir.path("plain"), &fleet.workdir.path("unpacked/plain"));
    // Lines that name objects aren't packed.
    fleet.workdir.write("objects", "s3://bucket/a\n");
    let url = format!("{}/objects", fleet.redis.url());
    fleet.haul.run(["fleet", "create", "--files", "-i", "objects", &url]).expect_status(0);
    let refused = ["seal", "--fleet", &url, "-r", recipient.trim(), "--pack", "tar", "-o", "s3://bucket/x/"];
    let said = fleet.haul_for(&FakeStore::default()).run(refused).expect_status(2).stderr_text();
    assert!(said.contains("--pack works on files"), "{said}");
}

#[test]
fn a_place_that_has_shards_of_another_run_is_refused() {
    let Some(fleet) = Fleet::of(20, &[], &["--slice", "10"]) else { return };
    fleet.workdir.write("got/shard-000002.tar", "of another run");
    let node = fleet.node(&fleet.haul, "got", &[]).finish().expect_status(1);
    assert!(node.stderr_text().contains("shard-000002.tar"), "{}", node.stderr_text());
    assert_eq!(fs::read(fleet.workdir.path("got/shard-000002.tar")).unwrap(), b"of another run");
    fs::remove_file(fleet.workdir.path("got/shard-000002.tar")).unwrap();
    fleet.node(&fleet.haul, "got", &[]).finish().expect_status(0);
    fleet.expect_done(2, 20);
    fleet.check("got", 0..20);
}

#[test]
fn an_interrupted_node_publishes_whole_slices_only() {
    let Some(fleet) = Fleet::of(60, &[], &["--slice", "20", "--lease", "1h", "--deliveries", "1"]) else {
        return;
    };
    let node = fleet.node(&fleet.haul, "got", &["-j", "1", "--limit-rate", "60k"]);
    wait(|| !shards(&fleet.workdir.path("got")).is_empty());
    node.interrupt();
    node.finish().expect_status(130);
    let before = shards(&fleet.workdir.path("got"));
    assert!(before.iter().all(|shard| index(shard).len() == 20));
    fleet.node(&fleet.haul, "got", &[]).finish().expect_status(0);
    fleet.expect_done(3, 60);
    assert_eq!(fleet.check("got", 0..60).len(), 3);
}

#[test]
fn nodes_that_are_killed_lose_nothing_and_publish_nothing_twice() {
    let create = ["--slice", "10", "--lease", SHORT, "--deliveries", "50"];
    let Some(fleet) = Fleet::of(200, &[], &create) else { return };
    let slow = ["-j", "4", "--limit-rate", "400k"];
    for round in 0..4_u64 {
        let node = fleet.node(&fleet.haul, "got", &slow);
        let before = shards(&fleet.workdir.path("got")).len();
        wait(|| shards(&fleet.workdir.path("got")).len() > before);
        std::thread::sleep(Duration::from_millis(13 * round));
        node.kill();
        node.finish();
    }
    let nodes = [(); 2].map(|()| fleet.node(&fleet.haul, "got", &[]));
    nodes.into_iter().for_each(|node| drop(node.finish().expect_status(0)));
    fleet.expect_done(20, 200);
    assert_eq!(fleet.check("got", 0..200).len(), 20);
}

/// A store that does this to the first request that publishes a shard.
fn disturbed(fault: impl Fn() -> StoreFault + Send + Sync + 'static) -> FakeStore {
    let is_first = std::sync::atomic::AtomicBool::new(true);
    FakeStore::scripted(move |request, _| {
        let publishes = request.method == "PUT" && request.path().contains("shard-");
        (publishes && is_first.swap(false, std::sync::atomic::Ordering::Relaxed)).then(&fault)
    })
}

#[test]
fn a_shard_whose_node_died_before_it_could_say_so_is_adopted() {
    let create = ["--slice", "30", "--lease", SHORT];
    let Some(fleet) = Fleet::of(30, &[], &create) else { return };
    let held = Gate::new();
    let gate = held.clone();
    let store = disturbed(move || StoreFault::Held(gate.clone()));
    let haul = fleet.haul_for(&store);
    let first = fleet.node(&haul, "s3://bucket/x", &[]);
    held.wait_reached(1);
    first.kill();
    first.finish();
    assert!(fleet.prepared());
    held.open();
    fleet.node(&haul, "s3://bucket/x", &[]).finish().expect_status(0);
    fleet.expect_done(1, 30);
    assert_eq!(fleet.check_objects(&store, 30), ["shard-000001.tar"]);
    assert_eq!(store.state().objects.len(), 1, "no other shard was needed");
}

#[test]
fn a_shard_that_comes_too_late_does_not_appear() {
    let create = ["--slice", "30", "--lease", SHORT];
    let Some(fleet) = Fleet::of(30, &[], &create) else { return };
    let seen = Gate::new();
    let gate = seen.clone();
    // Its node tries again, but is stopped before.
    let store = disturbed(move || StoreFault::Instead(store_refusal(503, "SlowDown").gate_at_start(&gate)));
    let haul = fleet.haul_for(&store);
    let late = fleet.node(&haul, "s3://bucket/x", &[]);
    seen.wait_reached(1);
    signal(&late, Signal::STOP);
    seen.open();
    fleet.node(&haul, "s3://bucket/x", &[]).finish().expect_status(0);
    fleet.expect_done(1, 30);
    signal(&late, Signal::CONT);
    let said = late.finish().expect_status(0).stderr_text();
    assert!(said.contains("taken over"), "{said}");
    assert_eq!(fleet.check_objects(&store, 30), ["shard-000001-1.tar"]);
    assert_eq!(store.state().objects.len(), 2, "the name of the late one is taken");
}
