//! Workers that wait for a silent server are named.

use haul_testkit::{Answer, Gate, Haul, Server, Workdir, skip};
use serde_json::Value;

#[test]
fn a_thread_that_hangs_is_named_and_finishes_its_work_when_it_goes_on() {
    if !cfg!(debug_assertions) {
        return skip("release programs name a worker only after a minute");
    }
    for engine in ["threads=2", "uring=1x4", "uring=2x2"] {
        let gate = Gate::new();
        let server = Server::start({
            let gate = gate.clone();
            move |request| match request.path() {
                "/silent" => Answer::ok("at last").gate_at_start(&gate),
                _ => Answer::ok("at once"),
            }
        });
        let dir = Workdir::new();
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.dir()).env("HAUL_TEST_STALLED_AFTER", "1");
        let urls = [server.url("/silent"), server.url("/other")];
        let args = ["get", "--json", "-e", engine, "-d", "out", &urls[0], &urls[1]];
        let mut watched = haul.watch(args);
        let mut named = Vec::new();
        while let Some(line) = watched.next_line() {
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == "stalled" {
                let thread = event["thread"].as_u64().unwrap();
                let process = watched.pid().as_raw_nonzero();
                let path = format!("/proc/{process}/task/{thread}");
                assert!(std::path::Path::new(&path).exists(), "{engine}: {line}");
                assert!(event["subject"] == urls[0].as_str() && event["seconds"] == 1, "{engine}: {line}");
                named.push(thread);
                gate.open();
            }
        }
        let (status, stderr) = watched.finish();
        assert_eq!((status, named.len()), (0, 1), "{engine}: {stderr}");
        let (thread, url) = (named[0], &urls[0]);
        let warning =
            format!("haul: warning: worker thread {thread} has made no progress with '{url}' for 1 s\n");
        assert!(stderr.contains(&warning), "{engine}: {stderr}");
        assert_eq!(std::fs::read_to_string(dir.path("out/silent")).unwrap(), "at last", "{engine}");
    }
}
