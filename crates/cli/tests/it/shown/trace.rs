//! `--trace`: what Perfetto and `chrome://tracing` read.

use std::collections::{HashMap, HashSet};

use haul_testkit::{Answer, Server};
use serde_json::Value;

use crate::workdir::Workdir;

/// An event's row.
type RowIds = (u64, u64);

/// A trace that was read.
struct Read {
    /// The names of rows, with those of their groups.
    rows: HashMap<RowIds, String>,
    /// The complete events of each row: category, name, start and end in nanoseconds.
    spans: HashMap<RowIds, Vec<(String, String, i64, i64)>>,
    /// The tasks of all pieces.
    tasks: HashSet<u64>,
}

fn read(text: &[u8]) -> Read {
    let events: Vec<Value> = serde_json::from_slice(text).unwrap();
    let ids = |event: &Value| (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
    let name_of = |event: &Value| event["args"]["name"].as_str().unwrap().to_owned();
    let named = |kind| events.iter().filter(move |event| event["ph"] == "M" && event["name"] == kind);
    let groups: HashMap<u64, String> =
        named("process_name").map(|event| (ids(event).0, name_of(event))).collect();
    let rows = named("thread_name")
        .map(|event| (ids(event), format!("{}: {}", groups[&ids(event).0], name_of(event))));
    let rows = rows.collect();
    let (mut spans, mut tasks) = (HashMap::<_, Vec<_>>::new(), HashSet::new());
    let nanos = |value: &Value| (value.as_f64().unwrap() * 1e3).round() as i64;
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let (from, took) = (nanos(&event["ts"]), nanos(&event["dur"]));
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        spans.entry(ids(event)).or_default().push((text("cat"), text("name"), from, from + took));
        tasks.extend(event["args"]["task"].as_u64());
    }
    Read { rows, spans, tasks }
}

impl Read {
    /// Every row with events has a name; events of a row follow each other or lie within each other; phases lie within
    /// pieces. Returns the names of rows with pieces.
    fn check(&self) -> Vec<String> {
        let mut working = Vec::new();
        for (ids, spans) in &self.spans {
            let name = self.rows.get(ids).unwrap_or_else(|| panic!("the row {ids:?} has no name"));
            let mut spans = spans.clone();
            spans.sort_by_key(|(_, _, from, to)| (*from, -*to));
            let mut open: Vec<(String, i64)> = Vec::new();
            for (category, what, from, to) in spans {
                open.retain(|(_, end)| *end > from);
                if let Some((_, end)) = open.last() {
                    assert!(to <= *end, "{name}: {what} from {from} to {to} outlasts what it lies in, {end}");
                }
                let is_inner = open.last().is_some_and(|(outer, _)| outer == "piece");
                assert_eq!(category == "phase", is_inner, "{name}: {category} {what} at {from}");
                open.push((category, to));
            }
            if self.spans[ids].iter().any(|(category, ..)| category == "piece") {
                working.push(name.clone());
            }
        }
        working.sort();
        working
    }
}

#[test]
fn each_worker_of_each_engine_has_a_row_in_which_times_nest() {
    let workdir = Workdir::new();
    workdir.run(&["keygen", "-o", "key"]).expect_status(0);
    for index in 0..40 {
        workdir.write(format!("tree/{index:02}"), vec![b'x'; 1_000 * index]);
    }
    // In segments.
    workdir.write("tree/large", vec![b'y'; 20 << 20]);
    for (engine, allowed) in [
        ("serial", &["haul: main thread"][..]),
        ("threads=2", &["haul: thread 1", "haul: thread 2"]),
        ("processes=2", &["haul: main thread", "process 1: thread 1", "process 2: thread 1"]),
        ("hybrid=1x2", &["haul: main thread", "process 1: thread 1", "process 1: thread 2"]),
        ("uring=1x2", &["ring 1: lane 1", "ring 1: lane 2", "haul: thread 1", "haul: thread 2"]),
    ] {
        for args in [
            &["seal", "-i", "key", "tree", "-o", "sealed"][..],
            &["verify", "-i", "key", "sealed"],
            &["open", "-i", "key", "sealed", "-o", "opened"],
        ] {
            workdir.run(&[args, &["-e", engine, "--trace", "trace.json"]].concat()).expect_status(0);
            let trace = read(&workdir.read("trace.json"));
            let rows = trace.check();
            assert!(
                !rows.is_empty() && rows.iter().all(|row| allowed.contains(&row.as_str())),
                "{engine}: {rows:?}"
            );
            assert!((0..41).all(|task| trace.tasks.contains(&task)), "{engine} {args:?}: {:?}", trace.tasks);
        }
        std::fs::remove_dir_all(workdir.path("sealed")).unwrap();
        std::fs::remove_dir_all(workdir.path("opened")).unwrap();
    }
}

#[test]
fn a_comparison_has_a_row_of_runs_and_rows_for_each_engine() {
    let workdir = Workdir::new();
    let args =
        ["bench", "get", "--files", "20", "--delay", "1", "--rounds", "2", "--engines", "serial,uring=1x4"];
    workdir.run(&[&args[..], &["--trace", "trace.json"]].concat()).expect_status(0);
    let trace = read(&workdir.read("trace.json"));
    let rows = trace.check();
    assert!(rows.contains(&"serial: main thread".to_owned()), "{rows:?}");
    assert!(rows.iter().any(|row| row.ends_with(": lane 1") || row == "uring=1x4: thread 1"), "{rows:?}");
    let runs = trace.rows.iter().find(|(_, name)| *name == "haul: runs").unwrap().0;
    assert_eq!(trace.spans[runs].len(), 6, "two engines, a first round and two others");
}

#[test]
fn fetches_have_rows_and_streams_say_that_they_have_none() {
    let workdir = Workdir::new();
    let server = Server::start(|_| Answer::ok("body"));
    let url = server.url("/x");
    workdir.run(&["get", "--trace", "trace.json", "-d", "got", &url]).expect_status(0);
    assert_eq!(read(&workdir.read("trace.json")).check().len(), 1);
    workdir.run(&["keygen", "-o", "key"]).expect_status(0);
    let run = workdir.run(&["seal", "-i", "key", "--trace", "t", "-"]).expect_status(2);
    assert!(run.stderr_text().contains("--trace"), "{}", run.stderr_text());
    let run = workdir.run(&["get", "--trace", "no/t", "-d", "other", &url]).expect_status(1);
    assert!(run.stderr_text().contains("cannot write the trace \"no/t\""), "{}", run.stderr_text());
    assert!(!workdir.path("other/x").exists());
}
