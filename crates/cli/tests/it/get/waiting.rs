//! Runs that wait: workers that hang are named, and a run without work doesn't wake.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use haul_testkit::{Answer, Gate, Haul, Server, Watched, Workdir, skip};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
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
            format!("haul: warning: worker thread {thread} has made no progress with {url:?} for 1 s\n");
        assert!(stderr.contains(&warning), "{engine}: {stderr}");
        assert_eq!(std::fs::read_to_string(dir.path("out/silent")).unwrap(), "at last", "{engine}");
    }
}

/// How often the threads of a program have gone to sleep so far.
fn sleeps(watched: &Watched) -> u64 {
    let process = watched.pid().as_raw_nonzero();
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    let of_thread = |thread: std::fs::DirEntry| {
        let status = std::fs::read_to_string(thread.path().join("status")).ok()?;
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        count.trim().parse::<u64>().ok()
    };
    threads.filter_map(of_thread).sum()
}

/// A thread that polls every ten milliseconds sleeps fifty times in the time in which none may.
#[test]
fn a_run_that_waits_for_a_line_of_its_list_does_not_wake() {
    const QUIET: Duration = Duration::from_millis(500);
    for engine in ["serial", "threads=3", "uring=2x4"] {
        let server = Server::start(|request| Answer::ok(request.path().to_owned()));
        let dir = Workdir::new();
        mknodat(CWD, dir.path("list"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // Opened for both, so that opening doesn't wait for the reader.
        let mut list = std::fs::File::options().read(true).write(true).open(dir.path("list")).unwrap();
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.dir());
        let mut watched = haul.watch(["get", "--json", "-e", engine, "-d", "out", "-i", "list"]);
        let mut fetch = |watched: &mut Watched, name: &str| {
            writeln!(list, "{}", server.url(name)).unwrap();
            let event: Value = serde_json::from_str(&watched.next_line().unwrap()).unwrap();
            assert!(event["event"] == "done" && event["task"].is_u64(), "{engine}: {event}");
        };
        fetch(&mut watched, "/first");
        // The threads first come to their sleep.
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let before = sleeps(&watched);
            std::thread::sleep(QUIET);
            let count = sleeps(&watched) - before;
            if count == 0 {
                break;
            }
            assert!(Instant::now() < deadline, "{engine}: {count} sleeps in {QUIET:?} without work");
        }
        fetch(&mut watched, "/second");
        drop(list);
        let (status, stderr) = watched.finish();
        assert_eq!(status, 0, "{engine}: {stderr}");
    }
}

/// The exit code of a program that ends soon.
fn code(mut child: Child) -> Option<i32> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_body_that_stdin_does_not_give_is_waited_for_no_longer_than_wanted() {
    let server = Server::start(|_| Answer::ok("x"));
    let dir = Workdir::new();
    for engine in ["serial", "threads=2", "uring=1x4"] {
        let start = |options: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
            command.args(["get", "-q", "-e", engine, "--retries", "0", "--data", "@-", "-o", "x"]);
            command.args(options).arg(server.url("/x")).env_clear().current_dir(dir.dir());
            let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let held = child.stdin.take();
            (child, held)
        };
        let (late, held) = start(&["--max-time", "0.2"]);
        assert_eq!(code(late), Some(1), "{engine}");
        drop(held);
        let connections = server.connection_count();
        let (interrupted, _held) = start(&[]);
        while server.connection_count() == connections {
            std::thread::yield_now();
        }
        kill_process(Pid::from_child(&interrupted), Signal::INT).unwrap();
        assert_eq!(code(interrupted), Some(130), "{engine}");
        assert!(dir.names().is_empty(), "{engine}");
    }
}
