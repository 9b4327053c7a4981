//! `haul get` into a bucket: SeaweedFS, and a store in memory with faults.
//!
//! Owns: these checks.
//! Does not own: the sequence of requests ([`haul_store`]), uploads on every engine ([`haul_fetch`]).

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;

use haul_testkit::{
    Answer, FakeStore, Gate, Haul, Server, StoreFault, Weed, peer, python_beside, seeded_bytes, store_refusal,
};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const ENGINES: [&str; 3] = ["serial", "threads=8", "uring=2x8"];
/// Shorter ones are sent at once.
const PART: usize = 8 << 20;

fn haul(url: &str, dir: &Path) -> Haul {
    Haul::new(env!("CARGO_BIN_EXE_haul"))
        .dir(dir)
        .env("AWS_ENDPOINT_URL", url)
        .env("AWS_ACCESS_KEY_ID", Weed::KEY)
        .env("AWS_SECRET_ACCESS_KEY", Weed::SECRET)
}

/// The body of `/BYTES` or `/BYTES-NUMBER`: another one for each length.
fn body(path: &str) -> Vec<u8> {
    static ALL: LazyLock<Vec<u8>> = LazyLock::new(|| seeded_bytes(1, 5 * PART));
    let bytes: usize = path.trim_start_matches('/').split('-').next().unwrap().parse().unwrap();
    ALL[bytes % 997..][..bytes].to_vec()
}

fn origin() -> Server {
    Server::start(|request| {
        Answer::ranged(request, &body(request.path()), "\"1\"").header("Last-Modified", DATE)
    })
}

/// Writes a list of the URLs of `paths`.
fn list(dir: &Path, origin: &Server, paths: &[String]) {
    let urls: Vec<_> = paths.iter().map(|path| origin.url(path)).collect();
    fs::write(dir.join("urls"), urls.join("\n")).unwrap();
}

#[test]
fn many_results_go_into_a_bucket_plain_and_sealed() {
    let Some(weed) = Weed::start() else { return };
    let origin = origin();
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(&weed.url(), dir.path());
    let recipient = haul.run(["keygen", "-o", "key"]).expect_status(0).stdout_text().trim().to_owned();
    let paths: Vec<_> = (0..40).map(|number| format!("/{}-{number}", number * 1000)).collect();
    list(dir.path(), &origin, &paths);
    for (round, engine) in ENGINES.iter().enumerate() {
        let (plain, sealed) =
            (format!("s3://haul-get/{round}/plain/"), format!("s3://haul-get/{round}/sealed"));
        haul.run(["get", "-e", engine, "-i", "urls", "-d", &plain]).expect_status(0);
        haul.run(["get", "-e", engine, "-i", "urls", "-d", &sealed, "-r", &recipient]).expect_status(0);
        for path in &paths {
            let name = path.trim_start_matches('/');
            let object = format!("{sealed}/{name}.age");
            assert!(
                haul.run(["cat", "-i", "key", &object]).expect_status(0).stdout == body(path),
                "{engine}"
            );
        }
        // What is there isn't replaced, by any engine, and what is complete is skipped.
        let refused =
            haul.run(["get", "-e", engine, "-i", "urls", "-d", &plain]).expect_status(1).stderr_text();
        assert!(refused.contains("exists already"), "{refused}");
        let kept =
            haul.run(["get", "-c", "--json", "-e", engine, "-i", "urls", "-d", &plain]).expect_status(0);
        assert_eq!(kept.stdout_text().matches("\"skipped\":true").count(), paths.len(), "{engine}");
        let kept = ["get", "-c", "--json", "-e", engine, "-i", "urls", "-d", &sealed, "-r", &recipient];
        let kept = haul.run(kept).expect_status(0);
        assert_eq!(kept.stdout_text().matches("\"skipped\":true").count(), paths.len(), "{engine}");
        haul.run(["get", "--force", "-e", engine, "-i", "urls", "-d", &plain]).expect_status(0);
    }
}

#[test]
fn a_large_result_goes_into_a_bucket_part_by_part() {
    let Some(weed) = Weed::start() else { return };
    let origin = origin();
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(&weed.url(), dir.path());
    let recipient = haul.run(["keygen", "-o", "key"]).expect_status(0).stdout_text().trim().to_owned();
    let path = format!("/{}", 3 * PART + 12_345);
    let url = origin.url(&path);
    for (round, engine) in ENGINES.iter().enumerate() {
        for segments in ["1", "3"] {
            let object = format!("s3://haul-get/large/{round}/{segments}.age");
            let get = ["get", "-e", engine, "--segments", segments, "-o", &object, "-r", &recipient, &url];
            haul.run(get).expect_status(0);
            haul.run(["verify", "-i", "key", &object]).expect_status(0);
            assert!(
                haul.run(["cat", "-i", "key", &object]).expect_status(0).stdout == body(&path),
                "{engine}"
            );
        }
    }
}

#[test]
fn a_wrong_checksum_or_status_publishes_nothing() {
    let fake = FakeStore::default();
    let origin = Server::start(|request| match request.path() {
        "/missing" => Answer::new(404),
        path => Answer::ranged(request, &body(path), "\"1\""),
    });
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(&fake.server.url(""), dir.path());
    let sum = format!("sha256:{}", "0".repeat(64));
    for path in ["/100".to_owned(), format!("/{}", 2 * PART)] {
        let url = origin.url(&path);
        haul.run(["get", "--checksum", &sum, "-o", "s3://bucket/x", &url]).expect_status(4);
    }
    haul.run(["get", "-o", "s3://bucket/x", &origin.url("/missing")]).expect_status(1);
    assert!(fake.state().objects.is_empty() && fake.state().uploads.is_empty());
}

#[test]
fn conditions_that_a_store_ignores_are_said_once_and_objects_looked_for() {
    for ignores in [false, true] {
        let fake = FakeStore::default();
        fake.state().ignores_conditions = ignores;
        let origin = origin();
        let dir = tempfile::tempdir().unwrap();
        let haul = haul(&fake.server.url(""), dir.path());
        let paths: Vec<_> = (0..20).map(|number| format!("/{number}")).collect();
        list(dir.path(), &origin, &paths);
        fake.state().put("7", b"old");
        let run = haul.run(["get", "-i", "urls", "-d", "s3://bucket"]).expect_status(1).stderr_text();
        assert_eq!(run.matches("the store ignores").count(), usize::from(ignores), "{run}");
        assert!(run.contains("\"s3://bucket/7\" exists already"), "{run}");
        assert_eq!(fake.state().objects["7"].bytes, b"old");
        let names: BTreeSet<_> = fake.state().objects.keys().cloned().collect();
        assert_eq!(names, (0..20).map(|number| number.to_string()).collect(), "the probe leaves nothing");
        let heads = fake.count("HEAD", "");
        assert!(if ignores { heads >= 20 } else { heads < 5 }, "{heads}");
    }
}

#[test]
fn what_would_fail_for_every_object_ends_the_run_before_it_begins() {
    let origin = origin();
    let dir = tempfile::tempdir().unwrap();
    list(dir.path(), &origin, &["/1".to_owned(), "/2".to_owned()]);
    for (status, code, sentence) in [
        (403, "SignatureDoesNotMatch", "check its ID, its secret and the region"),
        (400, "ExpiredToken", "get new credentials"),
        (404, "NoSuchBucket", "there is no such bucket"),
        (403, "RequestTimeTooSkewed", "set it right"),
    ] {
        let fake = FakeStore::scripted(move |_, _| Some(StoreFault::Instead(store_refusal(status, code))));
        let haul = haul(&fake.server.url(""), dir.path());
        let run = haul.run(["get", "-i", "urls", "-d", "s3://bucket"]).expect_status(1).stderr_text();
        assert!(run.contains(sentence) && run.contains("cannot write to s3://bucket/"), "{run}");
        assert_eq!(run.lines().filter(|line| line.contains("error")).count(), 1, "{run}");
    }
    assert!(origin.requests().is_empty(), "nothing is fetched");
}

#[test]
fn an_interruption_waits_for_parts_and_removes_them() {
    for engine in ENGINES {
        for segments in ["1", "3"] {
            let gate = Gate::new();
            let held = gate.clone();
            let fake = FakeStore::scripted(move |request, _| {
                request.target.contains("partNumber=").then(|| StoreFault::Held(held.clone()))
            });
            let origin = origin();
            let dir = tempfile::tempdir().unwrap();
            let haul = haul(&fake.server.url(""), dir.path());
            let url = origin.url(&format!("/{}", 4 * PART));
            let get = ["get", "-e", engine, "--segments", segments, "-o", "s3://bucket/x", &url];
            let running = haul.spawn(get);
            gate.wait_reached(1);
            running.interrupt();
            gate.open();
            running.finish().expect_status(130);
            assert!(fake.state().uploads.is_empty() && fake.state().objects.is_empty(), "{engine}");
            let requests = fake.server.requests();
            assert_eq!(requests.last().unwrap().method, "DELETE", "{engine}: no part comes after the abort");
        }
    }
}

#[test]
fn what_a_killed_run_left_is_continued_or_removed() {
    let fake = FakeStore::default();
    let origin = origin();
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(&fake.server.url(""), dir.path());
    let paths = [format!("/{}", 3 * PART + 5), format!("/{}", 2 * PART + 7), "/100".to_owned()];
    list(dir.path(), &origin, &paths);
    let get = ["get", "-c", "-e", "threads=4", "-i", "urls", "-d", "s3://bucket/k"];
    for _ in 0..4 {
        let before = fake.count("PUT", "partNumber=");
        let running = haul.spawn(get);
        // The server counts requests as they arrive.
        while fake.count("PUT", "partNumber=") < before + 2 && fake.state().objects.len() < 3 {
            std::thread::yield_now();
        }
        running.kill();
        running.finish();
    }
    haul.run(get).expect_status(0);
    let state = fake.state();
    assert!(state.uploads.is_empty(), "no orphaned upload");
    for path in &paths {
        assert!(state.objects[&format!("k{path}")].bytes == body(path), "{path}");
    }
}

/// A relay to a server that keeps all bytes of both directions.
struct Relay {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Relay {
    fn start(to: &str) -> Self {
        let to: SocketAddr = to.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
        let record = seen.clone();
        // It ends with the process: nothing tells when the last connection has come.
        thread::spawn(move || {
            for inner in listener.incoming() {
                let (inner, outer) = (inner.unwrap(), TcpStream::connect(to).unwrap());
                for (mut from, mut into) in
                    [(inner.try_clone().unwrap(), outer.try_clone().unwrap()), (outer, inner)]
                {
                    let record = record.clone();
                    thread::spawn(move || {
                        let mut piece = [0; 64 << 10];
                        while let Ok(count @ 1..) = from.read(&mut piece) {
                            record.lock().unwrap().extend_from_slice(&piece[..count]);
                            if into.write_all(&piece[..count]).is_err() {
                                break;
                            }
                        }
                        let _ = into.shutdown(Shutdown::Write);
                    });
                }
            }
        });
        Self { address, seen }
    }

    fn has_seen(&self, bytes: &[u8]) -> bool {
        self.seen.lock().unwrap().windows(bytes.len()).any(|window| window == bytes)
    }
}

#[test]
fn nothing_of_a_sealed_run_is_on_the_wire_to_the_bucket_in_plain() {
    const MARK: &[u8] = b"PLANTED-MARKER-IN-THE-CONTENT";
    let Some(weed) = Weed::start() else { return };
    let content = |path: &str| {
        let bytes: usize = path.trim_start_matches('/').parse().unwrap();
        MARK.iter().copied().cycle().take(bytes).collect::<Vec<_>>()
    };
    let origin = Server::start(move |request| Answer::ranged(request, &content(request.path()), "\"1\""));
    let dir = tempfile::tempdir().unwrap();
    let relay = Relay::start(&weed.url());
    let haul = haul(&format!("http://{}", relay.address), dir.path());
    let recipient = haul.run(["keygen", "-o", "key"]).expect_status(0).stdout_text().trim().to_owned();
    list(dir.path(), &origin, &["/1000".to_owned(), format!("/{}", PART + 1000)]);
    let get = ["get", "-i", "urls", "-r", &recipient, "-d", "s3://haul-wire/s"];
    haul.run([&get[..], &["-e", "uring=1x8", "--segments", "2"]].concat()).expect_status(0);
    // Shards, with their indexes: the second body spills.
    haul.run([&get[..], &["-e", "threads=2", "--pack", "tar"]].concat()).expect_status(0);
    fs::write(dir.path().join("file"), content("/100000")).unwrap();
    haul.run(["seal", "-r", &recipient, "-o", "s3://haul-wire/stream.age", "file"]).expect_status(0);
    let packed = ["seal", "-r", &recipient, "-o", "s3://haul-wire/packed", "--pack", "tar", "file"];
    haul.run(packed).expect_status(0);
    assert!(relay.seen.lock().unwrap().len() > PART && !relay.has_seen(MARK));
    // The same relay sees what isn't sealed.
    haul.run(["get", "-o", "s3://haul-wire/plain", &origin.url("/1000")]).expect_status(0);
    assert!(relay.has_seen(MARK));
}

#[test]
fn objects_are_read_back_by_boto3_s3fs_age_and_rage() {
    let Some(weed) = Weed::start() else { return };
    let Some(python) = python_beside("weed", "boto3, s3fs") else { return };
    let origin = origin();
    let dir = tempfile::tempdir().unwrap();
    let haul = haul(&weed.url(), dir.path());
    let recipient = haul.run(["keygen", "-o", "key"]).expect_status(0).stdout_text().trim().to_owned();
    let paths = [format!("/{}", 2 * PART + 77), "/100000".to_owned(), "/0".to_owned()];
    list(dir.path(), &origin, &paths);
    haul.run(["get", "-i", "urls", "-d", "s3://haul-peers/p"]).expect_status(0);
    haul.run(["get", "-i", "urls", "-d", "s3://haul-peers/s", "-r", &recipient]).expect_status(0);
    let script = r#"
import sys, boto3, s3fs
endpoint, key, secret = sys.argv[1:4]
client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret,
                      region_name="us-east-1")
files = s3fs.S3FileSystem(key=key, secret=secret, client_kwargs={"endpoint_url": endpoint, "region_name": "us-east-1"})
for name in sys.argv[4:]:
    body = client.get_object(Bucket="haul-peers", Key=name)["Body"].read()
    assert body == files.cat_file("haul-peers/" + name), name
    open(name.replace("/", "_"), "wb").write(body)
"#;
    let names = paths.iter().flat_map(|path| [format!("p{path}"), format!("s{path}.age")]);
    let output = Command::new(python)
        .args(["-c", script, &weed.url(), Weed::KEY, Weed::SECRET])
        .args(names)
        .env_clear()
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for path in &paths {
        let read = |name: String| fs::read(dir.path().join(name)).unwrap();
        let name = path.trim_start_matches('/');
        assert!(read(format!("p_{name}")) == body(path), "{path}");
        for program in ["age", "rage"] {
            let Some(program) = peer(program) else { continue };
            let sealed = dir.path().join(format!("s_{name}.age"));
            let opened =
                Command::new(program).args(["-d", "-i"]).arg(dir.path().join("key")).arg(sealed).output();
            assert!(opened.unwrap().stdout == body(path), "{path}");
        }
    }
}
