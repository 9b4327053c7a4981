//! Fleets of `haul seal` on Redis: a list of files, or the listing of a bucket.
//!
//! Owns: these checks.
//! Does not own: leases and servers ([`super::fleet`]), sealing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use haul_testkit::{Haul, Redis, Run, Running, Tree, Weed, files_below};

use super::fleet::wait;

struct Fleet {
    dir: tempfile::TempDir,
    redis: Redis,
    haul: Haul,
    recipient: String,
}

impl Fleet {
    /// With so many files in the directory `plain`, and a list of them.
    fn new(files: usize) -> Option<Self> {
        let redis = Redis::start()?;
        let dir = tempfile::tempdir().unwrap();
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
        let key = haul.run(["keygen", "-o", "key.txt"]).expect_status(0);
        let recipient = key.stdout_text().trim().to_owned();
        Tree::seeded(11).files(files).sizes(0..=20_000).depth(2).write(&dir.path().join("plain")).unwrap();
        let fleet = Self { dir, redis, haul, recipient };
        let names: Vec<_> = fleet.names().iter().map(|name| format!("plain/{name}\n")).collect();
        fs::write(fleet.dir.path().join("files.txt"), names.concat()).unwrap();
        Some(fleet)
    }

    fn names(&self) -> Vec<String> {
        let found = files_below(&self.dir.path().join("plain")).unwrap();
        found.into_iter().map(|path| path.into_os_string().into_string().unwrap()).collect()
    }

    fn url(&self, run: &str) -> String {
        format!("{}/{run}", self.redis.url())
    }

    fn create(&self, run: &str, more: &[&str]) -> Run {
        let url = self.url(run);
        let args = ["fleet", "create", "--files", "--lease", "600ms", "--slice", "7", &url];
        self.haul.run([&args, more].concat())
    }

    fn node(&self, run: &str, more: &[&str]) -> Running {
        let url = self.url(run);
        self.haul.spawn([&["seal", "--fleet", &url, "-r", &self.recipient][..], more].concat())
    }

    fn total(&self, run: &str, name: &str) -> u64 {
        let shown = self.haul.run(["fleet", "status", "--json", &self.url(run)]).expect_status(0);
        serde_json::from_slice::<serde_json::Value>(&shown.stdout).unwrap()[name].as_u64().unwrap()
    }

    /// The files below `dir`, by their names.
    fn contents(&self, dir: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let dir = self.dir.path().join(dir);
        let read = |path: PathBuf| (path.clone(), fs::read(dir.join(path)).unwrap());
        files_below(&dir).unwrap().into_iter().map(read).collect()
    }

    /// Inode and time of each file below `dir`.
    fn versions(&self, dir: &str) -> Vec<(PathBuf, u64, i64)> {
        let dir = self.dir.path().join(dir);
        let version = |path: PathBuf| {
            let metadata = fs::metadata(dir.join(&path)).unwrap();
            (path, metadata.ino(), metadata.mtime_nsec())
        };
        files_below(&dir).unwrap().into_iter().map(version).collect()
    }
}

#[test]
fn nodes_seal_the_files_of_a_list_once() {
    let Some(fleet) = Fleet::new(90) else { return };
    let count = fleet.names().len() as u64;
    fleet.create("r", &["-i", "files.txt"]).expect_status(0);
    let nodes =
        ["serial", "threads=2", "auto"].map(|engine| fleet.node("r", &["-e", engine, "-o", "sealed"]));
    for node in nodes {
        node.finish().expect_status(0);
    }
    assert_eq!((fleet.total("r", "succeeded"), fleet.total("r", "failed")), (count, 0));
    fleet.haul.run(["open", "-i", "key.txt", "-o", "opened", "sealed/plain"]).expect_status(0);
    assert!(fleet.contents("opened") == fleet.contents("plain"));
    // Another run over the same list finds them sealed, and replaces nothing.
    let before = fleet.versions("sealed");
    fleet.create("again", &["-i", "files.txt"]).expect_status(0);
    fleet.node("again", &["-o", "sealed"]).finish().expect_status(0);
    assert_eq!((fleet.total("again", "skipped"), fleet.total("again", "failed")), (count, 0));
    assert_eq!(fleet.versions("sealed"), before);
    // What can't be sealed is told, each by itself: a changed file whose result exists, a key, what isn't there.
    let changed = format!("plain/{}", fleet.names()[3]);
    fs::write(fleet.dir.path().join(&changed), "changed, and of another length").unwrap();
    fs::write(fleet.dir.path().join("list"), format!("{changed}\nkey.txt\nabsent\nplain\n")).unwrap();
    fleet.create("odd", &["-i", "list"]).expect_status(0);
    fleet.node("odd", &["-i", "key.txt", "-o", "sealed"]).finish().expect_status(1);
    assert_eq!((fleet.total("odd", "succeeded"), fleet.total("odd", "failed")), (0, 4));
    assert_eq!(fleet.versions("sealed"), before);
    let failed = fleet.haul.run(["fleet", "failed", &fleet.url("odd")]).expect_status(0).stdout_text();
    for expected in ["exists already", "it holds a key", "\nabsent\n", &format!("\n{changed}\n")] {
        assert!(failed.contains(expected), "{expected}: {failed}");
    }
}

#[test]
fn what_a_killed_node_has_begun_is_sealed_by_another() {
    let Some(fleet) = Fleet::new(200) else { return };
    fleet.create("r", &["-i", "files.txt"]).expect_status(0);
    let sealed = || files_below(&fleet.dir.path().join("sealed")).map_or(0, |found| found.len());
    for _ in 0..3 {
        let (node, before) = (fleet.node("r", &["-e", "serial", "-o", "sealed"]), sealed());
        wait(|| sealed() > before || fleet.total("r", "done") == fleet.total("r", "slices"));
        node.kill();
    }
    fleet.node("r", &["-o", "sealed"]).finish().expect_status(0);
    assert_eq!(fleet.total("r", "succeeded"), fleet.names().len() as u64);
    fleet.haul.run(["open", "-i", "key.txt", "-o", "opened", "sealed/plain"]).expect_status(0);
    assert!(fleet.contents("opened") == fleet.contents("plain"));
}

#[test]
fn planted_links_lead_no_result_elsewhere() {
    let Some(fleet) = Fleet::new(5) else { return };
    let (outside, sealed) = (fleet.dir.path().join("outside"), fleet.dir.path().join("sealed"));
    fs::create_dir(&outside).unwrap();
    fs::create_dir(&sealed).unwrap();
    std::os::unix::fs::symlink(&outside, sealed.join("plain")).unwrap();
    fleet.create("r", &["-i", "files.txt"]).expect_status(0);
    fleet.node("r", &["-o", "sealed"]).finish().expect_status(1);
    assert_eq!((fleet.total("r", "succeeded"), fs::read_dir(outside).unwrap().count()), (0, 0));
}

#[test]
fn the_listing_of_a_bucket_is_sealed_into_another() {
    let (Some(fleet), Some(weed)) = (Fleet::new(30), Weed::start()) else { return };
    let count = fleet.names().len() as u64;
    let store = Fleet {
        haul: Haul::new(env!("CARGO_BIN_EXE_haul"))
            .dir(fleet.dir.path())
            .env("AWS_ENDPOINT_URL", weed.url())
            .env("AWS_ACCESS_KEY_ID", Weed::KEY)
            .env("AWS_SECRET_ACCESS_KEY", Weed::SECRET),
        ..fleet
    };
    // Files into a bucket, where others are sealed from.
    store.create("up", &["-i", "files.txt"]).expect_status(0);
    store.node("up", &["-o", "s3://haul-fleet/up/"]).finish().expect_status(0);
    let open = ["open", "-i", "key.txt", "-o", "s3://haul-fleet/plain/", "s3://haul-fleet/up/plain/"];
    store.haul.run(open).expect_status(0);
    store.create("r", &["-i", "s3://haul-fleet/plain/"]).expect_status(0);
    let nodes = [0, 1].map(|_| store.node("r", &["-o", "s3://haul-fleet/sealed/"]));
    for node in nodes {
        node.finish().expect_status(0);
    }
    assert_eq!((store.total("r", "succeeded"), store.total("r", "failed")), (count, 0));
    let sealed = "s3://haul-fleet/sealed/haul-fleet/plain/";
    store.haul.run(["open", "-i", "key.txt", "-o", "opened", sealed]).expect_status(0);
    assert!(store.contents("opened") == store.contents("plain"));
    // What is sealed, by length and time, isn't sealed again.
    store.create("again", &["-i", "s3://haul-fleet/plain/"]).expect_status(0);
    store.node("again", &["-o", "s3://haul-fleet/sealed/"]).finish().expect_status(0);
    assert_eq!((store.total("again", "skipped"), store.total("again", "failed")), (count, 0));
    let into_files = store.node("again", &["-o", "sealed"]).finish().expect_status(2).stderr_text();
    assert!(into_files.contains("need a bucket"), "{into_files}");
}

#[test]
fn runs_of_files_and_of_urls_are_told_apart() {
    let Some(fleet) = Fleet::new(3) else { return };
    let write = |name: &str, text: &str| fs::write(fleet.dir.path().join(name), text).unwrap();
    write("urls.txt", "http://127.0.0.1:9/a\n");
    fleet.create("files", &["-i", "files.txt"]).expect_status(0);
    fleet.haul.run(["fleet", "create", "-i", "urls.txt", &fleet.url("urls")]).expect_status(0);
    let get = fleet.haul.run(["get", "--fleet", &fleet.url("files"), "-d", "got"]).expect_status(2);
    assert!(get.stderr_text().contains("files, not URLs"), "{}", get.stderr_text());
    let seal = fleet.node("urls", &["-o", "sealed"]).finish().expect_status(2).stderr_text();
    assert!(seal.contains("URLs, not files"), "{seal}");
    assert!(!fleet.dir.path().join("sealed").exists(), "no directory for nothing");
    for (name, text, expected) in [
        ("mixed", "a\n/srv/a\n", "could have one name"),
        ("above", "a\n../b\n", "above:2: "),
        ("directory", "a/\n", "a directory"),
    ] {
        write(name, text);
        let said = fleet.create(name, &["-i", name]).expect_status(2).stderr_text();
        assert!(said.contains(expected), "{said}");
        fleet.haul.run(["fleet", "status", &fleet.url(name)]).expect_status(2);
    }
    for refused in [
        &["-o", "-"][..],
        &[],
        &["-o", "s3://bucket/key"],
        &["-o", "sealed", "--dry-run"],
        &["-o", "sealed", "--force"],
        &["-o", "sealed", "plain"],
    ] {
        fleet.node("files", refused).finish().expect_status(2);
    }
}
