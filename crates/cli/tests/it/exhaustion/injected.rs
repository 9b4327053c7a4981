//! Every spawn and every call of the machinery fails once, one after the other: the work is done all the same.
//!
//! The thread that runs the program is traced by strace, which makes its nth call of a kind fail. So this reaches what
//! no limit does: the second of three calls that belong together.
//!
//! Owns: threads, processes, pipes, pidfds, epoll, eventfds, shared memory, rings.
//! Does not own: calls on the user's files (`seal/tests`, on the simulation), lasting shortages (the other tests here).

use super::*;

/// Each kind of call, an error that it may fail with, and the engines whose main thread makes it.
const CALLS: [(&str, &str, &[&str]); 12] = [
    ("clone3", "EAGAIN", &["threads=3", "uring=2x4", "processes=2", "hybrid=2x2"]),
    ("clone3", "ENOMEM", &["threads=3", "processes=2"]),
    ("pipe2", "EMFILE", &["processes=2", "hybrid=2x2"]),
    ("pidfd_open", "EMFILE", &["processes=2", "hybrid=2x2"]),
    ("pidfd_open", "ENOSYS", &["processes=2"]),
    ("epoll_create1", "EMFILE", &["processes=2"]),
    ("epoll_ctl", "ENOMEM", &["processes=2", "hybrid=2x2"]),
    ("eventfd2", "EPERM", &["serial", "threads=3", "uring=2x4", "processes=2"]),
    ("memfd_create", "ENOMEM", &["processes=2", "hybrid=2x2"]),
    ("ftruncate", "ENOSPC", &["processes=2"]),
    ("io_uring_setup", "ENOMEM", &["uring=2x4"]),
    ("io_uring_enter", "EPERM", &["uring=2x4"]),
];
/// More calls of a kind than the main thread makes before it works on files.
const CALLS_MAX: usize = 40;

#[test]
fn whichever_spawn_or_call_fails_the_whole_work_is_done() {
    let Some(strace) = haul_testkit::peer("strace") else { return };
    let fixture = Fixture::new(12);
    let log = fixture.workdir.path("log");
    let traced = Haul::new(&strace).dir(fixture.workdir.dir());
    let mut injected = 0;
    for (call, error, engines) in CALLS {
        for engine in engines {
            for number in 1..=CALLS_MAX {
                let inject = format!("inject={call}:error={error}:when={number}");
                let trace = format!("trace={call}");
                let args = ["-qq", "-o", "log", "-e", &trace, "-e", &inject, env!("CARGO_BIN_EXE_haul")];
                let seal = ["seal", "--json", "-q", "-e", engine, "-r", &fixture.recipient];
                let run = traced.run(args.iter().chain(&seal).chain(&["-o", "sealed", "tree"]));
                let Ok(said) = std::fs::read_to_string(&log) else {
                    return skip("strace may not trace here");
                };
                let case = format!("{engine}, {call} {number} of {}: {error}", said.lines().count());
                assert_eq!(run.status, 0, "{case}: {}", run.stderr_text());
                fixture.is_whole("sealed", &run);
                let verify = ["verify", "-q", "-e", "serial", "-i", "key.txt", "sealed"];
                fixture.workdir.run(&verify).expect_status(0);
                std::fs::remove_dir_all(fixture.workdir.path("sealed")).unwrap();
                std::fs::remove_file(&log).unwrap();
                if !said.contains("(INJECTED)") {
                    assert!(number > 1, "{engine} makes no call {call}");
                    break;
                }
                injected += 1;
            }
        }
    }
    assert!(injected > 40, "{injected} calls failed");
}
