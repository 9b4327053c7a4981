//! What `-v` says of retries.

use std::sync::atomic::{AtomicU32, Ordering};

use haul_testkit::{Answer, Server};
use serde_json::Value;

use crate::workdir::Workdir;

#[test]
fn retries_are_told_when_details_are_wanted() {
    for (verbose, told) in [(&["-v"][..], 2), (&[], 0)] {
        let requests = AtomicU32::new(0);
        let server = Server::start(move |_| match requests.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Answer::new(503).header("Retry-After", "0"),
            _ => Answer::ok("there"),
        });
        let workdir = Workdir::new();
        let run = workdir.run(&[&["get", "--json", &server.url("/x")], verbose].concat()).expect_status(0);
        let events: Vec<Value> =
            run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let retries: Vec<_> = events.iter().filter(|event| event["event"] == "retry").collect();
        assert_eq!(retries.len(), told, "{}", run.stdout_text());
        for (event, attempt) in retries.iter().zip(2..) {
            assert_eq!(event["attempt"], attempt);
            assert_eq!(event["host"], "127.0.0.1");
            assert_eq!(event["subject"], server.url("/x"));
        }
        assert_eq!(
            run.stderr_text().matches("503 Service Unavailable").count(),
            told,
            "{}",
            run.stderr_text()
        );
        assert_eq!(workdir.read("x"), b"there");
    }
}
