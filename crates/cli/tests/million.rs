//! Peak memory with long lists: an event for each line, and the list of failures.
//!
//! A test binary of its own, for the same reason as `huge_files.rs`.
#![allow(clippy::print_stdout, reason = "long tests say what they found")]

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use haul_testkit::{Answer, Server, refused_address};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;

/// The limit on peak memory, in MiB, for a release build and a development build.
const PEAK_MIB_MAX: i64 = 64;

/// Every so many lines, a URL is served; connections to all others are refused.
const SERVED_EVERY: usize = 100;

/// Runs `haul` in `dir` with its output in files. Returns the exit code.
fn haul(dir: &Path, args: &[&str]) -> i32 {
    let file = |name: &str| Stdio::from(File::create(dir.join(name)).unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    command.args(args).current_dir(dir).env_clear().env("HOME", dir);
    let status = command.stdin(Stdio::null()).stdout(file("events")).stderr(file("talk")).status();
    status.unwrap().code().expect("not killed")
}

fn lines(path: &Path) -> impl Iterator<Item = String> {
    BufReader::new(File::open(path).unwrap()).lines().map(Result::unwrap)
}

/// Checks that every line of a list ends exactly once, in bounded memory, and that the list of failures is a valid
/// list.
#[track_caller]
fn check(count: usize, engine: &str) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(|_| Answer::ok("here"));
    let (_held, refused) = refused_address();
    let is_served = |number: usize| number.is_multiple_of(SERVED_EVERY);
    let mut list = BufWriter::new(File::create(dir.path().join("list")).unwrap());
    for number in 0..count {
        if is_served(number) {
            writeln!(list, "{}", server.url(&format!("/{number}"))).unwrap();
        } else {
            writeln!(list, "http://{refused}/{number}").unwrap();
        }
    }
    drop(list);

    let started = Instant::now();
    let get = ["get", "-q", "-q", "--json", "--retries", "0", "-e", engine, "-i", "list", "-d", "got"];
    assert_eq!(haul(dir.path(), &[&get[..], &["--failures", "failed"]].concat()), 1);
    let seconds = started.elapsed().as_secs_f64();
    // A forked child starts with the memory of this process, so the figure is an upper bound.
    let peak_mib = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() / 1_024;
    println!("{count} lines on {engine}: {seconds:.1} s, peak {peak_mib} MiB");

    let mut seen = vec![false; count];
    let (mut done, mut failed, mut report) = (0, 0, Value::Null);
    for line in lines(&dir.path().join("events")) {
        let event: Value = serde_json::from_str(&line).unwrap();
        match event["event"].as_str().unwrap() {
            "report" => report = event,
            end => {
                let subject = event["subject"].as_str().unwrap();
                let number: usize = subject.rsplit('/').next().unwrap().parse().unwrap();
                assert!(!std::mem::replace(&mut seen[number], true), "{number} ended twice");
                assert_eq!(end == "done", is_served(number), "{event}");
                *if end == "done" { &mut done } else { &mut failed } += 1;
            }
        }
    }
    assert!(seen.iter().all(|seen| *seen));
    assert_eq!((report["succeeded"].as_u64(), report["failed"].as_u64()), (Some(done), Some(failed)));
    assert_eq!(lines(&dir.path().join("failed")).count() as u64, failed);
    assert!(peak_mib < PEAK_MIB_MAX, "{peak_mib} MiB");

    // The list of failures holds exactly the failed lines.
    let again = ["get", "-q", "-q", "--dry-run", "-i", "failed", "-d", "got"];
    assert_eq!(haul(dir.path(), &again), 0);
    let mut count_again = 0;
    for line in lines(&dir.path().join("events")) {
        assert!(line.contains(&format!("http://{refused}/")), "{line}");
        count_again += 1;
    }
    assert_eq!(count_again, failed);
}

#[test]
fn a_long_list_costs_no_more_memory_than_a_short_one() {
    for engine in ["threads=16", "uring=1x64"] {
        check(20_000, engine);
    }
}

#[test]
#[ignore = "soak: a million lines on each engine"]
fn a_million_lines() {
    for engine in ["threads=64", "uring=2x64", "serial"] {
        check(1_000_000, engine);
    }
}
