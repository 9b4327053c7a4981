//! What is said at the end of a run, and what `--failures` holds then.

use std::collections::BTreeSet;

use haul_testkit::{Answer, Gate, Server};

use crate::workdir::Workdir;

/// `text` with every figure of time and rate replaced.
fn without_times(text: &str) -> String {
    let mut shown = text.lines().map(|line| match line.rsplit_once(" in ") {
        Some((start, _)) => format!("{start} in TIME\n"),
        None => format!("{line}\n"),
    });
    shown.by_ref().collect()
}

#[test]
fn one_file_says_where_it_went() {
    let workdir = Workdir::with_sealed(100_000);
    let server = Server::start(|_| Answer::ok(vec![1; 5_000]));
    let url = server.url("/big.iso");
    let recipient = workdir.run(&["keygen", "-y", "key.txt"]).expect_status(0).stdout_text();
    for (args, said) in [
        (&["get", &url][..], format!("haul: \"{url}\" -> \"./big.iso\", 200, 4.9 KiB in TIME\n")),
        (
            &["get", "-c", &url],
            format!("haul: \"{url}\" -> \"./big.iso\", complete already, 4.9 KiB in TIME\n"),
        ),
        (&["get", "-o", "-", &url], String::new()),
        (&["get", "-q", "-o", "again", &url], String::new()),
        (
            &["seal", "-r", recipient.trim(), "-o", "other.age", "letter"],
            "haul: \"letter\" -> \"other.age\", 97.7 KiB in TIME\n".to_owned(),
        ),
        (&["open", "-i", "key.txt", "-o", "-", "letter.age"], String::new()),
        (
            &["verify", "-i", "key.txt", "letter.age"],
            "haul: \"letter.age\" is authentic, 97.7 KiB in TIME\n".to_owned(),
        ),
    ] {
        let run = workdir.run(args).expect_status(0);
        assert_eq!(without_times(&run.stderr_text()), said, "{args:?}");
    }
    let run = workdir.haul.run(["seal", "-r", recipient.trim(), "-o", "stream.age", "-"]).expect_status(0);
    assert_eq!(without_times(&run.stderr_text()), "haul: \"-\" -> \"stream.age\", 0 B in TIME\n");
}

#[test]
fn many_files_are_counted_and_equal_failures_grouped() {
    let workdir = Workdir::new();
    let server = Server::start(|request| match request.path() {
        "/a" | "/b" => Answer::ok("12345"),
        "/c" => Answer::new(403),
        _ => Answer::new(404),
    });
    let list: String =
        ["a", "b", "c", "1", "2", "3", "4", "5", "6"].map(|name| server.url(&format!("/{name}\n"))).concat();
    workdir.write("urls", list);
    let run = workdir.run(&["get", "-i", "urls", "-d", "out"]).expect_status(1);
    let err = run.stderr_text();
    assert_eq!(err.matches("404 Not Found").count(), 4, "{err}");
    assert!(err.contains("haul: error: cannot fetch 3 others: the server answered 404 Not Found\n"), "{err}");
    assert!(err.contains("403 Forbidden"), "{err}");
    assert!(err.contains("haul: 2 files fetched, 7 failed, 10 B in "), "{err}");
    assert!(!err.contains("threads") && !err.contains("uring"), "the engine is a detail: {err}");
    let run = workdir.run(&["get", "-v", "-i", "urls", "-d", "again"]).expect_status(1);
    let err = run.stderr_text();
    assert_eq!(err.matches("404 Not Found").count(), 6, "each is a detail: {err}");
    assert!(err.contains(" (auto: "), "{err}");
    let run = workdir.run(&["get", "--json", "-i", "urls", "-d", "third"]).expect_status(1);
    assert_eq!(run.stdout_text().matches("404 Not Found").count(), 6, "JSON has them all");
}

#[test]
fn an_interrupted_run_says_what_is_left_and_lists_it() {
    for (options, left, names) in [
        (&["-c"][..], &["1 kept in parts (-c goes on), 4 not begun"][..], 5),
        (&[], &["1 dropped, 4 not begun", "1 file fetched, 5 not begun"][..], 5),
    ] {
        let (workdir, gate) = (Workdir::new(), Gate::new());
        let held = gate.clone();
        let server = Server::start(move |request| match request.path() {
            "/done" => Answer::ok("done"),
            _ => Answer::ok(vec![1; 900_000]).header("ETag", "\"1\"").gate_at(500_000, &held),
        });
        let all: Vec<String> =
            ["done", "a", "b", "c", "d", "e"].map(|name| server.url(&format!("/{name}"))).to_vec();
        workdir.write("urls", all.join("\n"));
        let args = [
            &["get", "-v", "--json", "-j", "1", "-e", "threads=1", "--failures", "left", "-i", "urls"],
            options,
        ]
        .concat();
        let mut running = workdir.haul.watch(args);
        // The first is done, and the second has begun.
        assert!(running.next_line().is_some_and(|line| line.contains("/done")));
        gate.wait_reached(1);
        // With -c, the bytes before the gate are in a file.
        let part = workdir.path("a.haul-part");
        while !options.is_empty() && part.metadata().map_or(0, |part| part.len()) < 300_000 {
            std::thread::yield_now();
        }
        running.interrupt();
        let (status, err) = running.finish();
        assert_eq!(status, 130);
        let summary = err.lines().find(|line| line.contains("interrupted: ")).unwrap_or_default();
        assert!(summary.contains("interrupted: 1 file fetched, "), "{err}");
        let is_told = |text: &&str| summary.contains(text);
        // Without -c, nothing shows whether the head of the response has been read.
        assert!(left.iter().any(is_told), "{err}");
        let listed = String::from_utf8(workdir.read("left")).unwrap();
        let listed: BTreeSet<String> = listed
            .lines()
            .map(|line| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["url"].as_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!((listed.len(), listed), (names, all[1..].iter().cloned().collect()));
        gate.open();
        // What is listed can be fetched.
        let again = workdir.run(&[&["get", "-i", "left"], options].concat()).expect_status(0);
        assert!(again.stderr_text().contains("5 files fetched"), "{}", again.stderr_text());
    }
}
