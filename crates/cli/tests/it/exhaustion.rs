//! Where threads, descriptors, kernel workers or memory are short, every engine does the whole work with what there is.
//!
//! The report says what was lacking. Limits are those of a container: a cgroup, resource limits, filters of system
//! calls.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use haul_testkit::{Answer, Gate, Haul, Limits, Run, Server, skip};
use serde_json::Value;

use crate::workdir::Workdir;

/// A directory with a key and a tree of `files` small files.
struct Fixture {
    workdir: Workdir,
    recipient: String,
    files: usize,
}

impl Fixture {
    fn new(files: usize) -> Self {
        let workdir = Workdir::new();
        let recipient = workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
        std::fs::create_dir(workdir.path("tree")).unwrap();
        (0..files).for_each(|index| _ = workdir.write(format!("tree/{index}"), index.to_string()));
        Self { workdir, recipient: recipient.trim().to_owned(), files }
    }

    fn haul(&self, limits: Limits) -> Haul {
        Haul::new(env!("CARGO_BIN_EXE_haul")).dir(self.workdir.dir()).limits(limits)
    }

    /// Seals the tree under `limits`, checks that nothing is missing, and returns the report.
    #[track_caller]
    fn seals(&self, limits: Limits, engine: &str, options: &[&str]) -> Value {
        let args = ["seal", "--json", "-q", "-e", engine, "-r", &self.recipient, "-o", "sealed", "tree"];
        let run = self.haul(limits).run(args.iter().chain(options)).expect_status(0);
        self.is_whole("sealed", &run);
        self.workdir.run(&["verify", "-q", "-e", "serial", "-i", "key.txt", "sealed"]).expect_status(0);
        std::fs::remove_dir_all(self.workdir.path("sealed")).unwrap();
        report(&run)
    }

    #[track_caller]
    fn is_whole(&self, folder: &str, run: &Run) {
        let count = haul_testkit::files_below(&self.workdir.path(folder)).unwrap().len();
        assert_eq!(count, self.files, "{:?}: {}", run.args, run.stderr_text());
    }
}

/// The last line of `--json`.
#[track_caller]
fn report(run: &Run) -> Value {
    let text = run.stdout_text();
    serde_json::from_str(text.lines().last().expect("a report")).unwrap()
}

/// What the report says was granted of `resource`, and what was wanted.
fn granted(report: &Value, resource: &str) -> Option<(u64, u64)> {
    let shortages = report["shortages"].as_array().unwrap();
    let found = shortages.iter().find(|shortage| shortage["resource"] == resource)?;
    Some((found["granted"].as_u64().unwrap(), found["wanted"].as_u64().unwrap()))
}

#[test]
fn with_fewer_threads_than_asked_for_every_engine_does_the_whole_work() {
    let fixture = Fixture::new(60);
    for pids in [1, 2, 3, 6] {
        for engine in ["threads=8", "uring=4x16", "auto"] {
            let Some(limits) = Limits::default().pids(pids) else { return };
            let report = fixture.seals(limits, engine, &[]);
            if engine == "threads=8" {
                // The main thread and the one that waits for signals come first.
                assert_eq!(
                    granted(&report, "threads"),
                    Some((pids.saturating_sub(2), 8)),
                    "{pids}: {report}"
                );
            }
        }
    }
}

#[test]
fn with_fewer_threads_than_workers_need_the_whole_work_is_done_without_a_panic() {
    let fixture = Fixture::new(60);
    for pids in 2..14 {
        for engine in ["processes=3", "hybrid=2x3", "hybrid=3x1"] {
            let Some(limits) = Limits::default().pids(pids) else { return };
            let haul = fixture.haul(limits);
            let args = ["seal", "-e", engine, "-r", &fixture.recipient, "-o", "sealed", "tree"];
            let run = haul.run(args).expect_status(0);
            let stderr = run.stderr_text();
            assert!(!stderr.contains("panic") && !stderr.contains("error"), "{engine}, {pids}: {stderr}");
            fixture.is_whole("sealed", &run);
            std::fs::remove_dir_all(fixture.workdir.path("sealed")).unwrap();
        }
    }
}

#[test]
fn the_limit_of_a_user_bounds_threads_too() {
    let fixture = Fixture::new(20);
    std::fs::create_dir(fixture.workdir.path("out")).unwrap();
    for path in ["", "tree", "out"] {
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(fixture.workdir.path(path), open).unwrap();
    }
    for count in [1, 3] {
        let Some(limits) = Limits::default().threads_of_user(54_321, count) else { return };
        let haul = fixture.haul(limits);
        let args = ["seal", "-q", "-e", "threads=8", "-r", &fixture.recipient, "-o", "out/sealed", "tree"];
        let run = haul.run(args).expect_status(0);
        fixture.is_whole("out/sealed", &run);
        std::fs::remove_dir_all(fixture.workdir.path("out/sealed")).unwrap();
    }
}

#[test]
fn a_download_on_more_threads_than_there_are_ends_and_can_be_interrupted() {
    let server = Server::start(|request| Answer::ok(request.path()));
    let workdir = Workdir::new();
    let urls: Vec<_> = (0..80).map(|index| server.url(&format!("/{index}"))).collect();
    workdir.write("list", urls.join("\n"));
    let haul = |limits| Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()).limits(limits);
    for pids in [1, 2, 6] {
        let Some(limits) = Limits::default().pids(pids) else { return };
        let args = ["get", "--json", "-q", "-e", "threads=64", "-i", "list", "-d", "got"];
        let report = report(&haul(limits).run(args).expect_status(0));
        assert_eq!(report["succeeded"], 80);
        assert_eq!(granted(&report, "threads"), Some((pids.saturating_sub(2), 64)));
        std::fs::remove_dir_all(workdir.path("got")).unwrap();
    }
    let gate = Gate::new();
    let held = gate.clone();
    let silent = Server::start(move |_| Answer::ok("never").gate_at_start(&held));
    let urls: Vec<_> = (0..80).map(|index| silent.url(&format!("/{index}"))).collect();
    workdir.write("held", urls.join("\n"));
    let Some(limits) = Limits::default().pids(6) else { return };
    // Kept until the end, as its limits end with it.
    let haul = haul(limits);
    let running = haul.spawn(["get", "-q", "-e", "threads=64", "-i", "held", "-d", "got"]);
    gate.wait_reached(1);
    running.interrupt();
    running.finish().expect_status(130);
    gate.open();
}

#[test]
fn lists_and_the_progress_line_need_no_thread() {
    let server = Server::start(|request| Answer::ok(request.path()));
    let workdir = Workdir::new();
    for pids in [1, 2, 3] {
        let Some(limits) = Limits::default().pids(pids) else { return };
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()).limits(limits);
        let urls: Vec<_> = (0..9).map(|index| server.url(&format!("/{index}"))).collect();
        let haul = haul.stdin(urls.join("\n"));
        haul.run(["get", "--progress", "always", "-j", "4", "-i", "-", "-d", "got"]).expect_status(0);
        assert_eq!(haul_testkit::files_below(&workdir.path("got")).unwrap().len(), 9);
        std::fs::remove_dir_all(workdir.path("got")).unwrap();
    }
}

#[test]
fn the_demo_and_the_benchmarks_need_no_threads_that_the_system_refuses() {
    let workdir = Workdir::new();
    let haul = |limits| Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()).limits(limits);
    for pids in [1, 2, 3, 4, 8] {
        let Some(limits) = Limits::default().pids(pids) else { return };
        let run = haul(limits).run(["demo", "--files", "12", "--delay", "1"]);
        // The main thread, the one that waits for signals, and the one of the demo's server.
        let (status, said) = if pids < 3 { (1, "Resource temporarily unavailable") } else { (0, "") };
        assert_eq!(run.status, status, "{pids}: {}", run.stderr_text());
        assert!(run.stderr_text().contains(said) && !run.stderr_text().contains("panicked"), "{pids}");
    }
    for (what, pids) in [("queue", 1), ("queue", 3), ("get", 1), ("get", 4)] {
        let Some(limits) = Limits::default().pids(pids) else { return };
        let args = ["bench", what, "--rounds", "1", "--files", "12", "--engines", "threads=4"];
        let run = haul(limits).run(args);
        let expected = i32::from(what == "queue" || pids == 1);
        assert_eq!(run.status, expected, "{what}, {pids}: {}", run.stderr_text());
        assert!(!run.stderr_text().contains("panicked"), "{what}, {pids}: {}", run.stderr_text());
    }
}

#[test]
fn a_ring_without_kernel_workers_ends_no_task_as_interrupted() {
    let fixture = Fixture::new(40);
    for pids in [3, 4] {
        let Some(limits) = Limits::default().pids(pids) else { return };
        // The main thread, the one that waits for signals, that of the ring.
        let report = fixture.seals(limits, "uring=1x16", &["--durable", "always"]);
        if report["engine"] == "uring=1x16" {
            assert_eq!(report["cancelled_tasks"], 0);
            if pids == 3 {
                assert_eq!(
                    granted(&report, "kernel workers").map(|(granted, _)| granted),
                    Some(0),
                    "{report}"
                );
            }
        }
    }
}

#[test]
fn calls_that_a_container_forbids_are_done_without() {
    let fixture = Fixture::new(20);
    for (call, engine) in [
        (libc::SYS_io_uring_setup, "threads"),
        (libc::SYS_io_uring_enter, "threads"),
        (libc::SYS_io_uring_register, ""),
        (libc::SYS_eventfd2, ""),
    ] {
        for errno in [libc::EPERM, libc::ENOSYS] {
            for durable in ["always", "never"] {
                let limits = Limits::default().denying(&[call], errno);
                let report = fixture.seals(limits, "uring=2x8", &["--durable", durable]);
                let used = report["engine"].as_str().unwrap();
                assert!(used.starts_with(engine), "{call}: {used}");
            }
        }
    }
}

#[test]
fn a_large_body_that_the_kernel_may_not_move_is_received() {
    let content = haul_testkit::seeded_bytes(1, 9 << 20);
    let body = content.clone();
    let server = Server::start(move |_| Answer::ok(body.clone()));
    let workdir = Workdir::new();
    for errno in [libc::EPERM, libc::ENOSYS] {
        for engine in ["serial", "uring=1x4"] {
            let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir());
            let haul = haul.limits(Limits::default().denying(&[libc::SYS_splice], errno));
            haul.run(["get", "-q", "--force", "-e", engine, "-o", "x", &server.url("/")]).expect_status(0);
            assert!(workdir.read("x") == content, "{engine}");
        }
    }
}

#[test]
fn no_engine_needs_more_descriptors_than_there_are() {
    let fixture = Fixture::new(300);
    for (descriptors, engines) in
        [(64, &["uring=2x64", "threads=512", "auto"][..]), (32, &["uring=2x64", "threads=8", "serial"])]
    {
        for engine in engines {
            for durable in ["always", "never"] {
                let limits = Limits::default().descriptors(descriptors);
                let report = fixture.seals(limits, engine, &["--durable", durable]);
                assert_eq!((&report["failed"], &report["succeeded"]), (&0.into(), &300.into()));
            }
        }
    }
    let args = ["seal", "-q", "-r", &fixture.recipient, "-o", "sealed", "tree"];
    fixture.workdir.run(&args).expect_status(0);
    for engine in ["uring=2x64", "threads=512", "serial"] {
        let haul = fixture.haul(Limits::default().descriptors(64));
        haul.run(["verify", "-q", "-e", engine, "-i", "key.txt", "sealed"]).expect_status(0);
        let run = haul
            .run(["open", "-q", "-e", engine, "-i", "key.txt", "-o", "opened", "sealed"])
            .expect_status(0);
        fixture.is_whole("opened", &run);
        std::fs::remove_dir_all(fixture.workdir.path("opened")).unwrap();
    }
}

#[test]
fn a_download_needs_no_more_descriptors_than_there_are() {
    let server = Server::start(|request| Answer::ok(request.path()));
    let workdir = Workdir::new();
    let urls: Vec<_> = (0..200).map(|index| server.url(&format!("/{index}"))).collect();
    workdir.write("list", urls.join("\n"));
    for engine in ["uring=2x64", "threads=64", "serial", "auto"] {
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir());
        let haul = haul.limits(Limits::default().descriptors(64));
        let args = ["get", "-q", "-e", engine, "-j", "64", "--per-host", "64", "-i", "list", "-d", "got"];
        haul.run(args).expect_status(0);
        assert_eq!(haul_testkit::files_below(&workdir.path("got")).unwrap().len(), 200, "{engine}");
        std::fs::remove_dir_all(workdir.path("got")).unwrap();
    }
}

#[test]
fn a_deep_tree_needs_few_descriptors() {
    let fixture = Fixture::new(0);
    let mut path = fixture.workdir.path("tree");
    for level in 0..60 {
        path.push(format!("level{level}"));
        std::fs::create_dir(&path).unwrap();
        std::fs::File::create(path.join("file")).unwrap().write_all(b"x").unwrap();
    }
    let fixture = Fixture { files: 60, ..fixture };
    for (engine, descriptors) in [("serial", 48), ("threads=8", 48), ("uring=2x16", 64)] {
        fixture.seals(Limits::default().descriptors(descriptors), engine, &[]);
    }
    // Several times: which cache is full when another one needs a descriptor is a matter of chance.
    for _ in 0..8 {
        fixture.seals(Limits::default().descriptors(32), "uring=2x16", &[]);
    }
}

#[test]
fn too_little_memory_for_all_workers_is_enough_for_some() {
    let fixture = Fixture::new(100);
    for engine in ["threads=512", "uring=2x4096", "auto"] {
        fixture.seals(Limits::default().address_space(512 << 20), engine, &[]);
        fixture.seals(Limits::default().locked_memory(0), engine, &["--durable", "always"]);
    }
}

#[test]
fn a_run_that_is_stopped_goes_on_where_it_was() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| Answer::ok(request.path()).gate_at_start(&held));
    let workdir = Workdir::new();
    let urls: Vec<_> = (0..16).map(|index| server.url(&format!("/{index}"))).collect();
    workdir.write("list", urls.join("\n"));
    for engine in ["threads=4", "uring=2x4"] {
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()).timeout(Duration::from_secs(120));
        let running = haul.spawn(["get", "-q", "-e", engine, "-i", "list", "-d", "got"]);
        gate.wait_reached(1);
        let pid = rustix::process::Pid::from_raw(running.id() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        gate.admit(1_000);
        rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
        running.finish().expect_status(0);
        assert_eq!(haul_testkit::files_below(&workdir.path("got")).unwrap().len(), 16, "{engine}");
        std::fs::remove_dir_all(workdir.path("got")).unwrap();
    }
}

#[test]
fn results_are_durable_on_an_overlay() {
    let fixture = Fixture::new(50);
    let Some(overlay) = Overlay::mount(&fixture) else { return };
    for engine in ["serial", "threads=4", "uring=2x16", "auto"] {
        let args = ["seal", "-q", "--durable", "always", "-e", engine, "-r", &fixture.recipient, "-o"];
        let run =
            fixture.workdir.run(&[&args[..], &["merged/sealed", "merged/tree"]].concat()).expect_status(0);
        fixture.is_whole("merged/sealed", &run);
        std::fs::remove_dir_all(fixture.workdir.path("merged/sealed")).unwrap();
    }
    drop(overlay);
}

/// The tree under an overlay: its files lie in the lower layer.
struct Overlay(std::path::PathBuf);

impl Overlay {
    fn mount(fixture: &Fixture) -> Option<Self> {
        let path = |name: &str| fixture.workdir.path(name);
        for name in ["lower", "upper", "work", "merged"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        std::fs::rename(path("tree"), path("lower/tree")).unwrap();
        let of = |name| path(name).display().to_string();
        let options = format!("lowerdir={},upperdir={},workdir={}", of("lower"), of("upper"), of("work"));
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "overlay", "overlay", "-o", &options]).arg(path("merged"));
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(path("merged"))),
            _ => {
                skip("no overlay can be mounted here");
                None
            }
        }
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
