//! JSON lines: what they hold beyond their schema, which every run of every test is validated against.

use std::collections::BTreeSet;

use haul_testkit::{Answer, Server};
use serde_json::Value;

use crate::workdir::Workdir;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn failures_say_their_kind_their_target_and_the_damaged_chunk() {
    let workdir = Workdir::with_sealed(200_000);
    let mut sealed = workdir.read("letter.age");
    let at = sealed.len() - 70_000;
    sealed[at] ^= 1;
    workdir.write("bad.age", &sealed);
    let jobs = workdir.run(&["open", "--json", "-i", "key.txt", "-o", "out", "bad.age"]).expect_status(4);
    let mut damaged = lines(&jobs.stdout_text()).remove(0);
    assert_eq!(
        (&damaged["kind"], &damaged["exit"], &damaged["target"]),
        (&"damaged_chunk".into(), &4.into(), &"out".into())
    );
    assert_eq!(
        (&damaged["chunk"]["index"], &damaged["chunk"]["plain_start"], &damaged["chunk"]["plain_bytes"]),
        (&1.into(), &65_536.into(), &65_536.into())
    );
    // A stream says the same.
    let stream = workdir.haul.run(["open", "--json", "-i", "key.txt", "-o", "out", "/dev/stdin"]);
    assert_eq!(lines(&stream.stdout_text())[0]["kind"], "damaged_length");
    let command = format!("{} open --json -i key.txt -o out - < bad.age", env!("CARGO_BIN_EXE_haul"));
    let piped =
        std::process::Command::new("sh").args(["-c", &command]).current_dir(workdir.dir()).output().unwrap();
    let mut same = lines(&String::from_utf8(piped.stdout).unwrap()).remove(0);
    for line in [&mut damaged, &mut same] {
        let members = line.as_object_mut().unwrap();
        for name in ["subject", "queue_us", "device_us", "executor_us", "compute_us"] {
            assert!(members.remove(name).is_some(), "{name}");
        }
    }
    assert_eq!(damaged, same, "jobs and streams have one form");
}

#[test]
fn fetches_say_status_target_attempts_and_times() {
    let workdir = Workdir::new();
    let server = Server::start(|request| match request.path() {
        "/missing" => Answer::new(404),
        _ => Answer::ok("fine"),
    });
    let run =
        workdir.run(&["get", "--json", "-d", "d", &server.url("/a"), &server.url("/missing"), "nonsense"]);
    let found = lines(&run.expect_status(1).stdout_text());
    let line =
        |start: &str| found.iter().find(|line| line["subject"].as_str().is_some_and(|s| s.ends_with(start)));
    let missing = line("/missing").unwrap();
    assert_eq!((&missing["kind"], &missing["status"]), (&"status".into(), &404.into()));
    assert_eq!((&missing["attempts"], &missing["target"]), (&1.into(), &"d/missing".into()));
    assert_eq!(line("nonsense").unwrap()["kind"], "url");
    assert_eq!(line("/a").unwrap()["status"], 200);
    let report = found.last().unwrap();
    assert_eq!(
        (&report["event"], &report["version"], &report["exit"]),
        (&"report".into(), &1.into(), &1.into())
    );
}

#[test]
fn the_documents_name_every_kind_and_event() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");
    let page = std::fs::read_to_string(format!("{docs}json.md")).unwrap();
    let schema = std::fs::read_to_string(format!("{docs}json.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let definitions = schema["$defs"].as_object().unwrap();
    let kinds = definitions["failed"]["properties"]["kind"]["enum"].as_array().unwrap().iter();
    let events = definitions.values().map(|event| &event["properties"]["event"]["const"]);
    let members = definitions.values().flat_map(|event| event["properties"].as_object().unwrap().keys());
    let members: BTreeSet<_> = members.collect();
    for word in kinds.chain(events) {
        assert!(page.contains(&format!("`{}`", word.as_str().unwrap())), "{word}");
    }
    for member in ["target_hex", "subject_hex", "chunk", "version", "attempts", "unchanged"] {
        assert!(members.contains(&member.to_owned()) && page.contains(member), "{member}");
    }
}
