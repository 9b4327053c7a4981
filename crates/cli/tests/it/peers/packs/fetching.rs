//! `haul get --pack tar`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use haul_testkit::{Answer, End, Request, Server, assert_same, python_beside, seeded_bytes};
use serde_json::Value;

use super::{ENGINES, contents, index, read_by_python, shards, unpack};
use crate::workdir::Workdir;

const MARKER: &[u8] = b"half a body that must not be anywhere";

/// The body of `path`: `/NUMBER` is a few KB, `/large-NUMBER` spills.
fn body(path: &str) -> Vec<u8> {
    let number: u64 = path.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    let bytes = if path.starts_with("/large") { 700_000 } else { number as usize * 97 % 9_000 };
    seeded_bytes(number, bytes)
}

fn answer(request: &Request) -> Answer {
    let path = request.path();
    match path {
        "/none" => Answer::new(404).body("nothing here"),
        "/cut" => Answer::ok([MARKER, &[0; 900_000][..]].concat()).cut_after(500_000, End::Reset),
        "/bad" => Answer::ok([MARKER, b"!"].concat()),
        _ if path.ends_with('7') => Answer::ok(body(path)).chunked(&[100, 3_000]),
        _ => Answer::ok(body(path)).header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
    }
}

fn list(server: &Server, count: usize) -> String {
    let mut list: String = (0..count).map(|number| server.url(&format!("/{number}")) + "\n").collect();
    for name in ["large-1", "large-7", "none", "cut", "0"] {
        list += &format!("{}\n", server.url(&format!("/{name}")));
    }
    list + &format!("{{\"url\":{:?},\"sha256\":\"{}\"}}\n", server.url("/bad"), "0".repeat(64))
}

fn expected(count: usize) -> Vec<String> {
    let numbers = (0..count).map(|number| number.to_string());
    numbers.chain(["large-1".to_owned(), "large-7".to_owned()]).collect()
}

#[test]
fn every_engine_packs_what_is_complete_and_nothing_else() {
    let server = Server::start(answer);
    for engine in ENGINES {
        let workdir = Workdir::new();
        workdir.write("urls", list(&server, 120));
        let args = ["get", "--json", "-e", engine, "-i", "urls", "-d", "out", "--pack", "tar", "--pack-size"];
        let args = args.iter().chain(&["300k", "--retries", "0", "--failures", "failed"]);
        let run = workdir.haul.run(args).expect_status(4);
        let shards = shards(&workdir.path("out"));
        assert!(shards.len() >= 3, "{engine}: {shards:?}");
        unpack(&shards, &workdir.path("unpacked"));
        let unpacked = contents(&workdir.path("unpacked"));
        let names: BTreeSet<_> = unpacked.keys().map(|name| name.display().to_string()).collect();
        assert_eq!(names, expected(120).into_iter().collect(), "{engine}");
        for (name, content) in &unpacked {
            assert!(*content == body(&format!("/{}", name.display())), "{engine}: {name:?}");
        }
        for shard in &shards {
            let bytes = std::fs::read(shard).unwrap();
            assert!(!bytes.windows(MARKER.len()).any(|window| window == MARKER), "{engine}: {shard:?}");
        }
        check_events(&run.stdout_text(), &shards);
        let failed = String::from_utf8(workdir.read("failed")).unwrap();
        assert_eq!(failed.lines().count(), 4, "{engine}: {failed}");
    }
}

/// Each task ends once, and what counts as done is in the shard that its event names.
fn check_events(stdout: &str, shards: &[std::path::PathBuf]) {
    let events: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (report, events) = events.split_last().unwrap();
    assert_eq!((&report["succeeded"], &report["failed"]), (&122.into(), &4.into()));
    let tasks: BTreeSet<_> = events.iter().map(|event| event["task"].as_u64().unwrap()).collect();
    assert_eq!((tasks.len(), events.len()), (126, 126));
    let mut said: BTreeSet<(String, String)> = BTreeSet::new();
    for event in events.iter().filter(|event| event["event"] == "done") {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        said.insert((text("shard"), text("target")));
    }
    let mut there = BTreeSet::new();
    for shard in shards {
        let name = format!("out/{}", shard.file_name().unwrap().display());
        there.extend(
            index(shard).iter().map(|line| (name.clone(), line["name"].as_str().unwrap().to_owned())),
        );
    }
    assert_eq!(said, there);
}

#[test]
fn webdataset_reads_shards() {
    let Some(python) = python_beside("weed", "webdataset") else { return };
    let server = Server::start(answer);
    let workdir = Workdir::new();
    let url = |number: usize| {
        format!("{{\"url\": \"{}\", \"out\": \"s{number}.bin\"}}\n", server.url(&format!("/{number}")))
    };
    workdir.write("urls", (0..30).map(url).collect::<String>());
    workdir.run(&["get", "-i", "urls", "-d", "packed", "--pack", "tar"]).expect_status(0);
    let shards = shards(&workdir.path("packed"));
    let script = "
import json, sys, webdataset
samples = webdataset.WebDataset(sys.argv[1:], shardshuffle=False)
print(json.dumps({s['__key__']: s['bin'].hex() for s in samples}))
";
    let output = Command::new(python).args(["-c", script]).args(&shards).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let sample = |number: usize| (format!("s{number}"), hex(body(&format!("/{number}"))));
    assert!(found == (0..30).map(sample).collect(), "{:?}", found.keys());
}

#[test]
fn python_reads_shards_and_times_are_those_of_the_server() {
    let server = Server::start(answer);
    let workdir = Workdir::new();
    workdir.write("urls", (0..40).map(|number| server.url(&format!("/{number}")) + "\n").collect::<String>());
    workdir.run(&["get", "-i", "urls", "-d", "packed", "--pack", "tar"]).expect_status(0);
    workdir.run(&["get", "-i", "urls", "-d", "files"]).expect_status(0);
    let shards = shards(&workdir.path("packed"));
    let mut named = 0;
    for shard in &shards {
        let Some(members) = read_by_python(shard) else { return };
        named += members.len();
    }
    assert_eq!(named, 40);
    unpack(&shards, &workdir.path("unpacked"));
    let (unpacked, files) = (workdir.path("unpacked"), workdir.path("files"));
    assert_same(&files, &unpacked);
    let meta = |path: std::path::PathBuf| {
        use std::os::unix::fs::MetadataExt;
        let meta = path.metadata().unwrap();
        (meta.mode(), meta.mtime())
    };
    assert_eq!(meta(files.join("1")), meta(unpacked.join("1")));
}

#[test]
fn a_sealed_run_leaves_no_plaintext_and_its_shards_open_member_by_member() {
    let marker = b"a planted marker, which is in every body".as_slice();
    let server = Server::start(move |request| {
        let times = if request.path() == "/large" { 20_000 } else { 20 };
        Answer::ok(marker.repeat(times)).chunked(&[4_096])
    });
    let workdir = Workdir::new();
    let recipient = workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    for engine in ENGINES {
        let urls: Vec<_> = ["a.txt", "dir/b.txt", "large"].map(|name| server.url(&format!("/{name}"))).into();
        let args =
            ["get", "-e", engine, "-r", recipient.trim(), "-d", engine, "--name", "path", "--pack", "tar"];
        workdir.haul.run(args.iter().copied().chain(urls.iter().map(String::as_str))).expect_status(0);
        let shards = shards(&workdir.path(engine));
        assert!(!shards.is_empty());
        for shard in &shards {
            let bytes = std::fs::read(shard).unwrap();
            assert!(bytes.starts_with(b"age-encryption.org/v1\n"), "{engine}");
            for plain in [marker, b"b.txt", b"haul-index"] {
                assert!(!bytes.windows(plain.len()).any(|window| window == plain), "{engine}: {plain:?}");
            }
        }
        let mut found = 0;
        let host = server.address().ip().to_string();
        for shard in &shards {
            for (name, times) in [("a.txt", 20), ("dir/b.txt", 20), ("large", 20_000)] {
                let name = format!("{host}/{name}");
                let shard = shard.to_str().unwrap();
                let run = workdir.run(&["open", "-i", "key.txt", "--only", &name, "-o", "-", shard]);
                if run.status == 0 {
                    assert!(run.stdout == marker.repeat(times), "{engine}: {name}");
                    found += 1;
                }
            }
        }
        assert_eq!(found, 3, "{engine}");
    }
}

#[test]
fn what_shards_have_is_not_fetched_again() {
    let server = Server::start(answer);
    let workdir = Workdir::new();
    let recipient = workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    let urls = |count: usize| -> String {
        (0..count).map(|number| server.url(&format!("/{number}")) + "\n").collect()
    };
    workdir.write("urls", urls(30));
    workdir.write("more", urls(40));
    for keys in [&[][..], &["-r", recipient.trim(), "--identity", "key.txt"]] {
        let dir = if keys.is_empty() { "plain" } else { "sealed" };
        let get = |list: &str, others: &[&str], status| {
            let args = ["get", "-i", list, "-d", dir, "--pack", "tar"];
            workdir.haul.run(args.iter().chain(keys).chain(others)).expect_status(status)
        };
        if !keys.is_empty() {
            let args = ["get", "-i", "urls", "-d", dir, "--pack", "tar", "-r", recipient.trim()];
            workdir.haul.run(args).expect_status(0);
            let refused = workdir.haul.run(args.iter().chain(&["-c"])).expect_status(2).stderr_text();
            assert!(refused.contains("--identity"), "{refused}");
        } else {
            get("urls", &[], 0);
        }
        let before = server.requests().len();
        get("urls", &[], 2);
        let run = get("more", &["-c", "--json"], 0);
        assert_eq!(server.requests().len(), before + 10);
        let report: Value = serde_json::from_str(run.stdout_text().lines().last().unwrap()).unwrap();
        assert_eq!(report["unchanged"], 30);
        // One that others may have written would keep what it names from being fetched.
        let shard = fs::read_dir(workdir.path(dir)).unwrap().next().unwrap().unwrap().path();
        assert_eq!(fs::metadata(&shard).unwrap().permissions().mode() & 0o022, 0);
        fs::set_permissions(&shard, fs::Permissions::from_mode(0o664)).unwrap();
        let refused = get("more", &["-c"], 2).stderr_text();
        assert!(refused.contains("another user may have written it"), "{refused}");
    }
}
