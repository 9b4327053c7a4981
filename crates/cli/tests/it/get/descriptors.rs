//! Few descriptors: idle connections give way, and work waits.

use haul_testkit::{Answer, Haul, Run, Server, Workdir};

/// Runs `haul get` under a limit on descriptors, given as `ulimit` takes it.
fn get_under(dir: &std::path::Path, limit: &str, args: &[&str]) -> Run {
    let shell = format!("ulimit {limit}; exec \"$0\" \"$@\"");
    let words = ["-c", &shell, env!("CARGO_BIN_EXE_haul"), "get", "-i", "list", "-d", "out"];
    Haul::new("/bin/sh").dir(dir).run(words.iter().chain(args))
}

#[test]
fn work_waits_for_descriptors() {
    let dir = Workdir::new();
    let answer = |_: &haul_testkit::Request| Answer::ok("x").delay(std::time::Duration::from_millis(10));
    let servers: Vec<_> = (0..70).map(|_| Server::start(answer)).collect();
    let urls = servers.iter().enumerate().map(|(index, server)| server.url(&format!("/{index}")));
    std::fs::write(dir.path("list"), urls.collect::<Vec<_>>().join("\n")).unwrap();
    for engine in ["threads=8", "threads=32", "uring=1x8", "uring=1x40"] {
        get_under(dir.dir(), "-n 44", &["-e", engine, "--retries", "0"]).expect_status(0);
        assert_eq!(std::fs::read_dir(dir.path("out")).unwrap().count(), 70, "{engine}");
        std::fs::remove_dir_all(dir.path("out")).unwrap();
    }
    // Only the soft limit is low.
    get_under(dir.dir(), "-Sn 20", &["-j", "64", "--retries", "0"]).expect_status(0);
}
