//! Runs whose workers hang.
//!
//! Owns: naming their workers, the second interruption.
//! Does not own: how long that takes (`engine/src/stall.rs`); threads that hang (`get/waiting.rs`).

use super::*;

/// Sends `signal` to both workers once both have begun to serve: only then they die with their supervisor. Returns
/// them; none before.
fn signal_workers(watched: &Watched, signal: Signal) -> Vec<Pid> {
    let name = |worker: &Pid| std::fs::read_to_string(format!("/proc/{}/comm", worker.as_raw_nonzero()));
    let serves = |worker: &Pid| name(worker).is_ok_and(|name| name.trim() == "haul-worker");
    let workers: Vec<_> = watched.workers().into_iter().filter(serves).collect();
    if workers.len() < 2 {
        return Vec::new();
    }
    for worker in &workers {
        // One that has just ended needs none.
        let _ = rustix::process::kill_process(*worker, signal);
    }
    workers
}

#[test]
fn a_second_interruption_ends_a_run_whose_workers_hang() {
    for engine in ["processes=2", "hybrid=2x2"] {
        // Workers that hold no work at the moment when they are stopped hang nothing.
        assert!(
            (0..5).any(|_| second_interruption_ends(engine)),
            "{engine}: the first one was always enough"
        );
    }
}

/// Stops the workers of a run and interrupts it until it ends. Returns whether the first interruption wasn't enough.
fn second_interruption_ends(engine: &str) -> bool {
    let fixture = Fixture::new(46, 60, &[20_000_000]);
    let mut watched = fixture.start(engine, &["--durable", "never"]);
    let mut workers = Vec::new();
    follow(&mut watched, |watched, ended| {
        if ended >= 5 {
            workers = signal_workers(watched, Signal::STOP);
        }
        workers.is_empty()
    });
    assert!(!workers.is_empty());
    // The first one waits for the workers. Others that follow within half a second count as the same.
    let pidfd = pidfd_open(watched.pid(), PidfdFlags::empty()).unwrap();
    let pause = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    let first = Instant::now();
    let mut sent = 0;
    while poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&pause)).unwrap() == 0 {
        assert!(first.elapsed() < Duration::from_secs(30), "{engine}: still there after {sent} signals");
        watched.interrupt();
        sent += 1;
    }
    let (status, stderr) = watched.finish();
    assert_eq!((status, stderr.as_str()), (130, ""), "{engine}");
    let was_needed = first.elapsed() >= Duration::from_millis(500) && sent > 1;
    for worker in workers {
        // The kernel kills them, even stopped ones.
        while matches!(state_of(worker), Some(state) if state != 'Z') {
            std::thread::yield_now();
        }
    }
    // Every file is whole, and the next run removes what was left beside them.
    let next = fixture.haul.run(["xor", "-q", "--key-file", "key", "work"]);
    next.expect_status(0);
    let now = contents(&fixture.dir.path().join("work"));
    assert!(now.keys().eq(fixture.plain.keys()), "{engine}: {:?}", now.keys());
    for (path, plain) in &fixture.plain {
        let mask = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().zip(fixture.key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
        };
        assert!(now[path] == *plain || now[path] == mask(plain), "{engine}: {path:?}");
    }
    was_needed
}

#[test]
fn processes_that_hang_are_named_and_finish_their_work_when_they_go_on() {
    if !cfg!(debug_assertions) {
        return skip("release programs name a worker only after a minute");
    }
    for engine in ["processes=2", "hybrid=2x2"] {
        let fixture = Fixture::new(47, 60, &[20_000_000]).naming_workers_after("1");
        let mut watched = fixture.start(engine, &["--durable", "never"]);
        let mut workers = Vec::new();
        let before = follow(&mut watched, |watched, ended| {
            if ended >= 5 {
                workers = signal_workers(watched, Signal::STOP);
            }
            workers.is_empty()
        });
        let (mut named, mut done) = (0, before.done);
        while let Some(line) = watched.next_line() {
            let event: Value = serde_json::from_str(&line).unwrap();
            match event["event"].as_str().unwrap() {
                "stalled" => {
                    let process =
                        event["process"].as_i64().and_then(|pid| Pid::from_raw(pid as i32)).unwrap();
                    assert!(workers.contains(&process), "{engine}: {line}");
                    assert!(event["seconds"] == 1 && event["subject"].as_str().unwrap().starts_with("work/"));
                    named += 1;
                    for worker in &workers {
                        rustix::process::kill_process(*worker, Signal::CONT).unwrap();
                    }
                }
                "done" => {
                    let path = event["subject"].as_str().unwrap().strip_prefix("work/").unwrap();
                    assert!(done.insert(path.into()), "{engine}: {path} ended twice");
                }
                event => assert_eq!(event, "report", "{engine}: {line}"),
            }
        }
        let (status, stderr) = watched.finish();
        assert_eq!((status, stderr.as_str()), (0, ""), "{engine}");
        assert!(named > 0, "{engine}");
        fixture.check(&done, &BTreeSet::new());
        assert_eq!(done, fixture.all(), "{engine}");
    }
}
