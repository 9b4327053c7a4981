//! `haul get --sync`: fetches only files that changed since the last run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::workdir::Workdir;
use haul_testkit::{Answer, Request, Server};

#[test]
fn a_second_run_reports_unchanged_files() {
    let workdir = Workdir::new();
    let changed = Arc::new(AtomicBool::new(false));
    let now = changed.clone();
    let server = Server::start(move |request: &Request| {
        let tag = if request.path() == "/b" && now.load(Ordering::SeqCst) { "\"2\"" } else { "\"1\"" };
        match (request.path(), request.header("if-none-match")) {
            ("/gone", _) if now.load(Ordering::SeqCst) => Answer::new(410),
            (_, Some(asked)) if asked == tag => Answer::new(304).header("ETag", tag),
            (path, _) => Answer::ok(format!("{path} {tag}")).header("ETag", tag),
        }
    });
    workdir.write("list", ["/a", "/b", "/gone"].map(|path| server.url(path)).join("\n").as_bytes());
    let sync = || workdir.run(&["get", "--sync", "--json", "-i", "list", "-d", "got"]);
    let first = sync().expect_status(0);
    assert!(first.stdout_text().contains("\"unchanged\":0"));
    assert!(first.stderr_text().contains("3 files fetched,"), "{}", first.stderr_text());
    changed.store(true, Ordering::SeqCst);
    let second = sync().expect_status(1);
    let (out, err) = (second.stdout_text(), second.stderr_text());
    let a = out.lines().find(|line| line.contains("got/a")).unwrap();
    assert!(a.contains("\"unchanged\":true") && a.contains("\"status\":304"), "{a}");
    let b = out.lines().find(|line| line.contains("got/b")).unwrap();
    assert!(!b.contains("unchanged") && b.contains("\"status\":200"), "{b}");
    let report = out.lines().last().unwrap();
    assert!(report.contains("\"unchanged\":1") && report.contains("\"succeeded\":2"), "{report}");
    assert!(err.contains("1 file fetched, 1 unchanged, 1 failed"), "{err}");
    let read = |name: &str| std::fs::read_to_string(workdir.path(name)).unwrap();
    assert_eq!([read("got/a"), read("got/b"), read("got/gone")], ["/a \"1\"", "/b \"2\"", "/gone \"1\""]);
    assert_eq!(workdir.names().len(), 7, "the list, three files, their records: {:?}", workdir.names());
    let one = workdir.run(&["get", "--sync", "-v", "-o", "got/a", &server.url("/a")]).expect_status(0);
    assert!(one.stderr_text().contains("unchanged"), "{}", one.stderr_text());
}

#[test]
fn conflicting_options_are_refused() {
    let workdir = Workdir::new();
    let url = "http://localhost/x";
    workdir.refuses("get-sync-stdout", &["get", "--sync", "-o", "-", url]);
    workdir.refuses("get-sync-disposition", &["get", "--sync", "--name", "disposition", url]);
    workdir.refuses("get-sync-continue", &["get", "--sync", "-c", url]);
}
