//! Runs that pack and end early: killed, interrupted, without space.

use std::path::PathBuf;

use haul_testkit::{Answer, Gate, Mount, Server, is_root, seeded_bytes, skip};

use super::{ENGINES, contents, index, shards, unpack};
use crate::workdir::Workdir;

const COUNT: usize = 60;

/// A server that answers `/0` to `/39` at once, and the others when the gate opens.
fn server(gate: &Gate) -> Server {
    let gate = gate.clone();
    Server::start(move |request| {
        let number: u64 = request.path()[1..].parse().unwrap();
        let answer = Answer::ok(seeded_bytes(number, 10_000));
        if number < 40 { answer } else { answer.gate_at(5_000, &gate) }
    })
}

fn fixture(server: &Server) -> Workdir {
    let workdir = Workdir::new();
    let urls: String = (0..COUNT).map(|number| server.url(&format!("/{number}")) + "\n").collect();
    workdir.write("urls", urls);
    workdir
}

fn names(shards: &[PathBuf]) -> Vec<String> {
    let lines = shards.iter().flat_map(|shard| index(shard));
    lines.map(|line| line["name"].as_str().unwrap().to_owned()).collect()
}

fn check_complete(workdir: &Workdir) {
    let shards = shards(&workdir.path("out"));
    unpack(&shards, &workdir.path("unpacked"));
    let unpacked = contents(&workdir.path("unpacked"));
    assert_eq!((unpacked.len(), names(&shards).len()), (COUNT, COUNT), "each once");
    for (name, content) in unpacked {
        let number = name.to_str().unwrap().parse().unwrap();
        assert!(content == seeded_bytes(number, 10_000), "{name:?}");
    }
}

#[test]
fn a_killed_run_leaves_whole_shards_and_the_next_one_fetches_the_rest() {
    for engine in ["threads=8", "uring=1x8"] {
        let gate = Gate::new();
        let server = server(&gate);
        let workdir = fixture(&server);
        let args = ["get", "-e", engine, "-i", "urls", "-d", "out", "--pack", "tar", "--pack-size", "25k"];
        let running = workdir.haul.spawn(args);
        gate.wait_reached(8);
        running.kill();
        running.finish();
        let left = names(&shards(&workdir.path("out")));
        assert!((24..=40).contains(&left.len()), "{engine}: {left:?}");
        gate.open();
        let before = server.requests().len();
        workdir.haul.run(args.iter().chain(&["-c"])).expect_status(0);
        assert_eq!(server.requests().len() - before, COUNT - left.len(), "{engine}");
        check_complete(&workdir);
    }
}

#[test]
fn an_interrupted_run_publishes_what_is_complete() {
    for engine in ["serial", "threads=8", "uring=1x8"] {
        let gate = Gate::new();
        let server = server(&gate);
        let workdir = fixture(&server);
        let args = ["get", "-e", engine, "-i", "urls", "-d", "out", "--pack", "tar", "--failures", "left"];
        let running = workdir.haul.spawn(args);
        gate.wait_reached(if engine == "serial" { 1 } else { 8 });
        running.interrupt();
        let run = running.finish();
        assert_eq!(run.status, 130, "{engine}: {}", run.stderr_text());
        let packed = names(&shards(&workdir.path("out")));
        assert_eq!(packed.len(), 40, "{engine}: {packed:?}");
        let left = String::from_utf8(workdir.read("left")).unwrap();
        assert_eq!(left.lines().count(), COUNT - 40, "{engine}: {left}");
        gate.open();
        let args = ["get", "-c", "-i", "left", "-d", "out", "--pack", "tar"];
        workdir.haul.run(args).expect_status(0);
        check_complete(&workdir);
    }
}

#[test]
fn a_full_disk_costs_no_member_that_was_done() {
    if !is_root() {
        return skip("mounting needs root");
    }
    let Some(mount) = Mount::image(&["mkfs.ext4", "-q", "-F"], 16) else { return };
    // Those of the second kind spill.
    for body_bytes in [200_000, 400_000] {
        let server = Server::start(move |request| {
            let number: u64 = request.path()[1..].parse().unwrap();
            Answer::ok(seeded_bytes(number, body_bytes))
        });
        for engine in ENGINES {
            let workdir = Workdir::new();
            let out = mount.path().join(engine);
            let urls = (0..26_000_000 / body_bytes).map(|number| server.url(&format!("/{number}")) + "\n");
            workdir.write("urls", urls.collect::<String>());
            let out_text = out.to_str().unwrap();
            let args = ["get", "-e", engine, "-i", "urls", "-d", out_text, "--pack", "tar", "--json"];
            let run = workdir.haul.run(args).expect_status(5);
            let stdout = run.stdout_text();
            let done = stdout.lines().filter(|line| line.contains("\"event\":\"done\"")).count();
            let shards = shards(&out);
            assert_eq!(names(&shards).len(), done, "{engine}");
            assert!(done * body_bytes >= 5_000_000, "{engine}: {done}");
            unpack(&shards, &workdir.path("unpacked"));
            for (name, content) in contents(&workdir.path("unpacked")) {
                let number = name.to_str().unwrap().parse().unwrap();
                assert!(content == seeded_bytes(number, body_bytes), "{engine}: {name:?}");
            }
            std::fs::remove_dir_all(out).unwrap();
        }
    }
}
