//! Fleets of `haul get` on Redis: nodes that join, leave, are killed and stopped; a server that is away and restarts.
//!
//! Owns: these checks, the soak of many rounds.
//! Does not own: limits of hosts ([`super::fleet_limits`]), the contract's own tests (`haul-fleet`), the server
//! ([`haul_testkit::Redis`]).

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use haul_testkit::{Answer, Haul, Island, Link, LinkEnd, Redis, Request, Running, Server};
use rustix::process::{Pid, Signal, kill_process};

use crate::peers::packs::{index, shards};

const MODIFIED: &str = "Sat, 01 Nov 2025 08:00:00 GMT";

pub(super) struct Fleet {
    pub(super) dir: tempfile::TempDir,
    origin: Server,
    /// When each request came to it.
    times: Arc<Mutex<Vec<Instant>>>,
    redis: Redis,
    haul: Haul,
    lines: usize,
    /// Whether each slice becomes a shard.
    packs: bool,
}

fn body(path: &str) -> Vec<u8> {
    path.repeat(40).into_bytes()
}

fn answer(request: &Request) -> Answer {
    Answer::ranged(request, &body(request.path()), "\"1\"").header("Last-Modified", MODIFIED)
}

impl Fleet {
    /// A list of so many URLs, some of which don't exist.
    fn new(lines: usize, missing: &'static [&'static str]) -> Option<Self> {
        Self::of(lines, move |request| match request.path() {
            path if missing.contains(&path) => Answer::new(404),
            _ => answer(request),
        })
    }

    /// A list of so many URLs of a server that answers each request as `handler` says.
    pub(super) fn of(
        lines: usize,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Option<Self> {
        Some(Self::with(Redis::start()?, lines, handler))
    }

    /// As [`Fleet::of`], on a server of these tests.
    fn with(
        redis: Redis,
        lines: usize,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let times = Arc::new(Mutex::new(Vec::new()));
        let of_server = times.clone();
        let origin = Server::start(move |request| {
            of_server.lock().unwrap().push(Instant::now());
            handler(request)
        });
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
        let fleet = Self { dir, origin, times, redis, haul, lines, packs: false };
        let urls = (0..lines).map(|number| fleet.origin.url(&format!("/{number}")));
        fleet.list(urls);
        fleet
    }

    /// Makes the list of these URLs.
    pub(super) fn list(&self, urls: impl Iterator<Item = String>) {
        let text: String = urls.map(|url| url + "\n").collect();
        fs::write(self.dir.path().join("urls.txt"), text).unwrap();
    }

    /// The server's address.
    pub(super) fn origin(&self) -> SocketAddr {
        self.origin.address()
    }

    /// When each request came since the last call.
    pub(super) fn times(&self) -> Vec<Instant> {
        std::mem::take(&mut *self.times.lock().unwrap())
    }

    pub(super) fn url(&self, run: &str) -> String {
        format!("{}/{run}", self.redis.url())
    }

    pub(super) fn create(&self, run: &str, more: &[&str]) {
        let url = self.url(run);
        let args = [&["fleet", "create", "-i", "urls.txt"], more, &[&*url]].concat();
        self.haul.run(args).expect_status(0);
    }

    pub(super) fn node(&self, url: &str, more: &[&str]) -> Running {
        let pack: &[&str] = if self.packs { &["--pack", "tar"] } else { &[] };
        self.haul.spawn([&["get", "--fleet", url, "-d", "got"], pack, more].concat())
    }

    fn status(&self, run: &str) -> serde_json::Value {
        let shown = self.haul.run(["fleet", "status", "--json", &self.url(run)]).expect_status(0);
        serde_json::from_slice(&shown.stdout).unwrap()
    }

    pub(super) fn total(&self, run: &str, name: &str) -> u64 {
        self.status(run)[name].as_u64().unwrap()
    }

    /// The files below the directory of results, or the members of shards in it, by their names. None is there twice.
    fn results(&self) -> BTreeSet<String> {
        fn packed(dir: &Path, found: &mut BTreeSet<String>) {
            for shard in shards(dir) {
                let bytes = fs::read(&shard).unwrap();
                for line in index(&shard) {
                    let name = line["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
                    let start = line["offset"].as_u64().unwrap() as usize;
                    let content = &bytes[start..][..line["bytes"].as_u64().unwrap() as usize];
                    assert_eq!(content, body(&format!("/{name}")), "{name}");
                    assert!(found.insert(name), "{shard:?} has what another shard has");
                }
            }
        }
        fn below(dir: &Path, found: &mut BTreeSet<String>) {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    below(&entry.path(), found);
                } else {
                    let name = entry.file_name().into_string().unwrap();
                    assert_eq!(fs::read(entry.path()).unwrap(), body(&format!("/{name}")), "{name}");
                    found.insert(name);
                }
            }
        }
        let mut found = BTreeSet::new();
        let read = if self.packs { packed } else { below };
        read(&self.dir.path().join("got"), &mut found);
        found
    }

    /// Checks that every line has its result, and was counted once.
    fn check_complete(&self, run: &str, slices: u64) {
        assert_eq!(self.results().len(), self.lines);
        let status = self.status(run);
        let totals =
            ["slices", "done", "leased", "aside", "succeeded", "failed"].map(|name| status[name].as_u64());
        assert_eq!(totals, [slices, slices, 0, 0, self.lines as u64, 0].map(Some), "{status}");
    }
}

#[test]
fn two_nodes_share_a_list_and_failures_are_tried_again() {
    let Some(mut fleet) = Fleet::new(300, &["/7", "/250"]) else { return };
    fleet.create("r", &["--slice", "20"]);
    let refused = fleet.haul.run(["fleet", "create", "-i", "urls.txt", &fleet.url("r")]).expect_status(2);
    assert!(refused.stderr_text().contains("a run of this name already"), "{}", refused.stderr_text());
    let nodes = [fleet.node(&fleet.url("r"), &[]), fleet.node(&fleet.url("r"), &[])];
    let statuses: Vec<_> =
        nodes.into_iter().map(|node| node.finish()).map(|run| (run.status, run.stderr_text())).collect();
    assert!(statuses.iter().any(|(status, _)| *status == 1), "{statuses:?}");
    assert_eq!(fleet.results().len(), 298);
    let report = fleet.haul.run(["fleet", "report", &fleet.url("r")]).expect_status(1).stdout_text();
    assert!(report.contains("15 of 15 slices done") && report.contains("2 failed"), "{report}");

    let failed = fleet.haul.run(["fleet", "failed", &fleet.url("r")]).expect_status(0).stdout_text();
    assert!(
        failed.contains("404") && failed.lines().filter(|line| !line.starts_with('#')).count() == 2,
        "{failed}"
    );
    // What was missing appears.
    fleet.haul.run(["fleet", "retry", &fleet.url("r")]).expect_status(0);
    fleet.node(&fleet.url("r"), &[]).finish().expect_status(1);
    assert_eq!(fleet.total("r", "failed"), 2);
    fleet.lines = 298;
    let said =
        fleet.haul.run(["fleet", "cancel", "--remove", &fleet.url("r")]).expect_status(0).stderr_text();
    assert!(said.contains("is removed"), "{said}");
    let missing = fleet.node(&fleet.url("r"), &[]).finish().expect_status(2).stderr_text();
    assert!(missing.contains("no run of this name"), "{missing}");
    assert!(fleet.redis.ask("DBSIZE").unwrap().starts_with(":0\r\n"), "nothing is left");
}

#[test]
fn a_node_that_is_interrupted_gives_its_slices_back() {
    let Some(fleet) = Fleet::new(400, &[]) else { return };
    fleet.create("r", &["--slice", "100", "--lease", "1h", "--deliveries", "1"]);
    let node = fleet.node(&fleet.url("r"), &["-j", "1", "--limit-rate", "20k"]);
    wait(|| !fleet.results().is_empty());
    node.interrupt();
    node.finish().expect_status(130);
    // Neither the lease nor the delivery counts.
    fleet.node(&fleet.url("r"), &[]).finish().expect_status(0);
    fleet.check_complete("r", 4);
    assert!(fleet.total("r", "skipped") > 0);
}

pub(super) fn wait(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "it never comes to that");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn signal(node: &Running, signal: Signal) {
    if let Some(pid) = Pid::from_raw(node.id() as i32) {
        // Fails if it has ended.
        let _ = kill_process(pid, signal);
    }
}

/// Checks that requests came within a rate by 5 %, in every part of a run. Beyond that, each of three nodes may make
/// one at once, and make up for what it was late, up to 50 ms; and of the `under_way` requests that all nodes may have
/// at a time, those that a busy machine delivers late come together with later ones.
pub(super) fn check_rate(times: &[Instant], rate: f64, under_way: u32) {
    let beyond = 4.0 + 0.05 * rate + f64::from(under_way);
    for (number, from) in times.iter().enumerate() {
        for (count, to) in times[number..].iter().enumerate() {
            let allowed = to.duration_since(*from).as_secs_f64() * rate * 1.05 + beyond;
            assert!(
                count as f64 <= allowed,
                "{count} requests in {:?} at {rate}/s, the first is number {number}",
                *to - *from
            );
        }
    }
}

/// The way of one node to the server.
enum Way {
    /// Through a relay.
    Relay(Link),
    /// Over the second link of the server's own network.
    Link(Arc<Island>),
}

impl Way {
    /// Where it begins, for a server at `address`.
    fn start(&self, address: SocketAddr) -> SocketAddr {
        match self {
            Self::Relay(relay) => relay.address(),
            Self::Link(island) => (island.address(1), address.port()).into(),
        }
    }

    /// Loses whatever is sent.
    fn stop(&self) {
        match self {
            Self::Relay(relay) => relay.stop(),
            Self::Link(island) => island.take_down(1, LinkEnd::Inside),
        }
    }

    /// Ends connections, or leads nowhere.
    fn cut(&self) {
        match self {
            Self::Relay(relay) => relay.cut(),
            Self::Link(island) => island.take_down(1, LinkEnd::Outside),
        }
    }

    fn heal(&self) {
        match self {
            Self::Relay(relay) => relay.heal(),
            Self::Link(island) => {
                [LinkEnd::Inside, LinkEnd::Outside].into_iter().for_each(|end| island.take_up(1, end));
            }
        }
    }
}

/// A fleet of three, of which in turn one is killed, stopped, cut off, or the server restarts. The server has a network
/// of its own, if there is an `island`. The nodes pack, if `packs` says so.
fn rounds(rounds: impl Iterator<Item = usize>, island: Option<Arc<Island>>, packs: bool) {
    const RATE: f64 = 300.0;
    let redis = island.as_ref().map_or_else(Redis::start, Redis::start_in);
    let Some(mut fleet) = redis.map(|redis| Fleet::with(redis, 240, answer)) else { return };
    fleet.packs = packs;
    let (mut made, mut allowed) = (0.0, 0.0);
    for round in rounds {
        let run = format!("r{round}");
        let _ = fs::remove_dir_all(fleet.dir.path().join("got"));
        let rate = RATE.to_string();
        fleet.times();
        fleet.create(&run, &["--slice", "10", "--lease", "600ms", "--deliveries", "50", "--rate", &rate]);
        let address = fleet.redis.address();
        let way = island.clone().map_or_else(|| Way::Relay(Link::to(address)), Way::Link);
        let slow = ["-j", "4", "--limit-rate", "400k"];
        let through = format!("redis://{}/{run}", way.start(address));
        let mut nodes = vec![fleet.node(&through, &slow)];
        nodes.extend((0..2).map(|_| fleet.node(&fleet.url(&run), &slow)));
        wait(|| !fleet.results().is_empty());
        std::thread::sleep(Duration::from_millis(30 * (round as u64 % 7)));
        match round % 5 {
            0 => nodes.remove(1).kill(),
            1 => {
                signal(&nodes[1], Signal::STOP);
                std::thread::sleep(Duration::from_millis(900));
                signal(&nodes[1], Signal::CONT);
            }
            2 => {
                way.stop();
                std::thread::sleep(Duration::from_millis(900));
                way.heal();
            }
            3 => {
                way.cut();
                std::thread::sleep(Duration::from_millis(200));
                way.heal();
            }
            _ => fleet.redis.restart(),
        }
        for node in nodes {
            let run = node.finish();
            let said = run.stderr_text();
            // One that was stopped may find that others have done its work; these, that it ended what it had begun.
            let has_met_another = said.contains("taken over") || said.contains("exists already");
            assert!(run.status == 0 || round % 5 == 1 && has_met_another, "round {round}: {said}");
        }
        fleet.check_complete(&run, 24);
        let times = fleet.times();
        check_rate(&times, RATE, 3 * 4);
        // Each node makes one at once.
        made += times.len() as f64 - 3.0;
        allowed += (times[times.len() - 1] - times[0]).as_secs_f64() * RATE;
        fleet.haul.run(["fleet", "report", &fleet.url(&run)]).expect_status(0);
        fleet.haul.run(["fleet", "cancel", "--remove", &fleet.url(&run)]).expect_status(0);
    }
    assert!(made <= 1.05 * allowed, "{made} requests where {allowed} were allowed");
}

#[test]
fn kills_stops_partitions_and_restarts_lose_nothing_and_count_once() {
    rounds(0..5, None, false);
}

#[test]
fn shards_of_slices_survive_the_same_and_have_every_line_once() {
    rounds(0..5, None, true);
}

#[test]
fn links_that_go_down_lose_nothing_and_count_once() {
    let Some(island) = Island::new(2) else { return };
    rounds(2..4, Some(Arc::new(island)), false);
}

#[test]
#[ignore = "a soak: cargo test -p haul-cli --test it fleet::soak -- --ignored"]
fn soak() {
    rounds(0..300, Island::new(2).map(Arc::new), false);
}

#[test]
#[ignore = "a soak: cargo test -p haul-cli --test it fleet::soak_of_shards -- --ignored"]
fn soak_of_shards() {
    rounds(0..300, Island::new(2).map(Arc::new), true);
}

#[test]
fn passwords_of_the_server_are_never_printed() {
    let Some(redis) = Redis::start_with(&["--requirepass", "planted-secret"]) else { return };
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("urls.txt"), "http://127.0.0.1:9/a\n").unwrap();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
    let at = |login: &str| redis.url().replace("redis://", &format!("redis://{login}")) + "/r";
    let right = at(":planted-secret@");
    let said = |run: haul_testkit::Run| run.stdout_text() + &run.stderr_text();
    let mut all = String::new();
    all += &said(haul.run(["fleet", "create", "-i", "urls.txt", &right]).expect_status(0));
    all += &said(haul.run(["fleet", "status", &right]).expect_status(0));
    all += &said(haul.run(["get", "-vv", "--retries", "0", "--fleet", &right, "-d", "got"]).expect_status(1));
    for login in ["", ":planted-secret-2@"] {
        all += &said(haul.run(["fleet", "status", &at(login)]).expect_status(2));
        all += &said(haul.run(["get", "--fleet", &at(login)]).expect_status(2));
    }
    all += &said(haul.run(["fleet", "status", "redis://:planted-secret@127.0.0.1:1/r"]).expect_status(1));
    all += &said(haul.run(["fleet", "status", "redis://:planted-secret@h/a/b/c"]).expect_status(2));
    assert!(!all.contains("planted"), "{all}");
    let by_variable =
        Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path()).env("REDISCLI_AUTH", "planted-secret");
    by_variable.run(["fleet", "status", &at("")]).expect_status(0);
}

#[test]
fn the_commands_of_the_guide_work() {
    let Some(fleet) = Fleet::new(50, &[]) else { return };
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fleet.md");
    let text = fs::read_to_string(guide).unwrap();
    let key = fleet.haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    let recipient = key.trim();
    fs::write(fleet.dir.path().join("files.txt"), "urls.txt\n").unwrap();
    let mut count = 0;
    for line in text.lines().filter(|line| line.starts_with("haul ")) {
        let line = line.split(" #").next().unwrap_or(line);
        let line =
            line.replace("redis://localhost:6400", &fleet.redis.url()).replace("s3://bucket/photos", "got");
        let line = line.replace("s3://bucket/sealed/", "sealed").replace("age1…", recipient);
        fleet.haul.run(line.split_whitespace().skip(1)).expect_status(0);
        count += 1;
    }
    assert!(count >= 9 && fleet.dir.path().join("sealed/urls.txt.age").exists());
    assert_eq!(fleet.results().len(), 50);
}
