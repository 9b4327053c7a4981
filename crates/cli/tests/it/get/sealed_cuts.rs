//! Sealed runs that are killed, interrupted, or out of space, and the runs that continue them.

use std::collections::BTreeSet;

use crate::workdir::Workdir;
use haul_testkit::{Answer, Gate, Mount, Request, Server, seeded_bytes};

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// The body of `/NUMBER`: every eighth is large.
fn body(path: &str) -> Vec<u8> {
    let number: u64 = path.trim_start_matches('/').parse().unwrap();
    seeded_bytes(number, if number.is_multiple_of(8) { 3_000_000 } else { 1_000 * number as usize })
}

fn answer(request: &Request) -> Answer {
    Answer::ranged(request, &body(request.path()), "\"1\"").header("Last-Modified", DATE)
}

#[test]
fn a_killed_run_goes_on_until_every_file_opens() {
    const FILES: usize = 24;
    for (engine, step) in [("serial", 5), ("threads=4", 7), ("uring=2x4", 9)] {
        let workdir = Workdir::new();
        let recipient = workdir.run(&["keygen", "-o", "key"]).expect_status(0).stdout_text();
        let server = Server::start(answer);
        let urls: Vec<_> = (1..=FILES).map(|number| server.url(&format!("/{number}"))).collect();
        workdir.write("urls", urls.join("\n"));
        let get =
            ["get", "-c", "-e", engine, "-r", recipient.trim(), "--identity", "key", "-i", "urls", "-d", "v"];
        let mut finished = BTreeSet::new();
        for round in 1..=6 {
            let before = server.requests().len();
            let running = workdir.haul.spawn(get);
            server.wait_requests(before + step + round);
            running.kill();
            running.finish();
            for request in &server.requests()[before..] {
                let is_looked_at = request.header("range") == Some("bytes=0-0");
                assert!(
                    is_looked_at || !finished.contains(request.path()),
                    "{} is fetched again",
                    request.path()
                );
            }
            finished = sealed_names(&workdir).iter().map(|name| format!("/{name}")).collect();
        }
        workdir.run(&get).expect_status(0);
        let all: BTreeSet<_> = (1..=FILES).map(|number| number.to_string()).collect();
        assert_eq!(sealed_names(&workdir), all, "{engine}");
        workdir.run(&["open", "-i", "key", "v", "-o", "plain"]).expect_status(0);
        for name in all {
            assert_eq!(workdir.read(format!("plain/{name}")), body(&name), "{engine}");
        }
        let others =
            workdir.names().into_iter().filter(|name| name.starts_with("v/") && !name.ends_with(".age"));
        assert_eq!(others.collect::<Vec<_>>(), [""; 0], "{engine}");
    }
}

/// The names in `v` of files that are complete, without the suffix.
fn sealed_names(workdir: &Workdir) -> BTreeSet<String> {
    let names = workdir.names().into_iter();
    names.filter_map(|name| Some(name.strip_prefix("v/")?.strip_suffix(".age")?.to_owned())).collect()
}

#[test]
fn an_interrupted_run_keeps_whole_chunks_and_nothing_in_plain() {
    let (gate, body) = (Gate::new(), seeded_bytes(1, 1_000_000));
    let server = Server::start({
        let (gate, body) = (gate.clone(), body.clone());
        move |request| match request.header("range") {
            None => Answer::ok(body.clone()).header("ETag", "\"1\"").gate_at(300_000, &gate),
            Some(_) => Answer::ranged(request, &body, "\"1\""),
        }
    });
    let workdir = Workdir::new();
    let recipient = workdir.run(&["keygen", "-o", "key"]).expect_status(0).stdout_text();
    let url = server.url("/x");
    let get = ["get", "-c", "-r", recipient.trim(), "--identity", "key", &url];
    let running = workdir.haul.spawn(get);
    gate.wait_reached(1);
    while workdir.read_if_present("x.age.haul-part").is_none_or(|part| part.len() < 200_000) {
        std::thread::yield_now();
    }
    running.interrupt();
    assert_eq!(running.finish().status, 130);
    gate.open();
    let part = workdir.read("x.age.haul-part");
    assert!(!part.windows(64).any(|window| window == &body[..64]));
    workdir.run(&get).expect_status(0);
    let range = server.requests()[1].header("range").map(str::to_owned).unwrap();
    let first: usize = range[6..].trim_end_matches('-').parse().unwrap();
    assert!(first > 0 && first.is_multiple_of(64 * 1024), "{range}");
    assert_eq!(workdir.names(), ["key", "x.age"]);
    workdir.run(&["open", "-i", "key", "x.age"]).expect_status(0);
    assert_eq!(workdir.read("x"), body);
}

#[test]
fn a_full_disk_keeps_what_is_right_and_a_later_run_goes_on() {
    let Some(mount) = Mount::image(&["mkfs.ext4", "-q"], 48) else { return };
    let body = seeded_bytes(1, 20_000_000);
    let server = {
        let body = body.clone();
        Server::start(move |request| Answer::ranged(request, &body, "\"1\""))
    };
    let (workdir, dir) = (Workdir::new(), mount.path());
    let recipient = workdir.run(&["keygen", "-o", "key"]).expect_status(0).stdout_text();
    std::fs::write(dir.join("filler"), vec![1; 28 << 20]).unwrap();
    let get = ["get", "-c", "-i", "urls", "-r", recipient.trim(), "--identity", "key", "-d"];
    let get = [&get[..], &[dir.to_str().unwrap()]].concat();
    workdir.write("urls", server.url("/x"));
    for engine in ["serial", "uring=1x4"] {
        let run = workdir.run(&[&get[..], &["-e", engine]].concat());
        assert_eq!(run.status, 5, "{engine}: {}", run.stderr_text());
    }
    assert!(!dir.join("x.age").exists() && dir.join("x.age.haul-part").exists());
    std::fs::remove_file(dir.join("filler")).unwrap();
    workdir.run(&get).expect_status(0);
    let range = server.requests().last().unwrap().header("range").map(str::to_owned).unwrap();
    assert_ne!(range, "bytes=0-", "something was kept");
    let opened = workdir.run(&["open", "-i", "key", "-o", "-", dir.join("x.age").to_str().unwrap()]);
    assert!(opened.expect_status(0).stdout == body);
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let Some(mount) = Mount::image(&["mkfs.ext4", "-q"], 8) else { return };
    let server = Server::start(|_| {
        Answer::ok(seeded_bytes(1, 20_000_000)).header("Accept-Ranges", "bytes").header("ETag", "\"1\"")
    });
    let workdir = Workdir::new();
    let recipient = workdir.run(&["keygen", "-o", "key"]).expect_status(0).stdout_text();
    let dir = mount.path();
    for options in [&[][..], &["--segments", "4"], &["-a"]] {
        let url = server.url("/x");
        let get = ["get", "-r", recipient.trim(), "-d", dir.to_str().unwrap(), &url];
        let run = workdir.run(&[&get, options].concat());
        assert_eq!(run.status, 5, "{options:?}: {}", run.stderr_text());
        let left: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["lost+found"], "{options:?}");
    }
    let run = workdir.run(&["get", "-r", recipient.trim(), "-o", "/dev/full", &server.url("/x")]);
    assert_eq!(run.status, 5, "{}", run.stderr_text());
}
