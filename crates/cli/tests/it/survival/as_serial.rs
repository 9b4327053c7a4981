//! Every engine opens the same files and reports the same as serial, damaged ones too.
//!
//! Owns: comparing results, reports and messages.
//! Does not own: kills and interruptions ([`super`]).

use std::path::Path;

use haul_testkit::{Haul, Tree, files_below, seeded_bytes};
use serde_json::Value;

use super::{ENGINES, contents};

/// Opens a tree with some damaged files. Returns the exit code, the results, the report and the sorted messages.
fn open_on(haul: &Haul, engine: &str, output: &Path) -> (i32, Vec<Vec<u8>>, Value, Vec<String>) {
    let output_text = output.to_string_lossy();
    // Without -v, equal failures are grouped after the third: which three are shown depends on the order of their ends.
    let args = ["open", "--json", "-v", "-e", engine, "-i", "key.txt", "-o", &output_text, "sealed"];
    let run = haul.run(args);
    let events = run.stdout_text();
    let mut report: Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    for varies in ["engine", "engine_reason", "wall_s", "cpu_s", "user_s", "system_s", "context_switches"] {
        report.as_object_mut().unwrap().remove(varies);
    }
    let stderr = run.stderr_text();
    let mut messages: Vec<_> =
        stderr.lines().filter(|line| line.contains("error:")).map(str::to_owned).collect();
    messages.sort();
    (run.status, contents(output).into_values().collect(), report, messages)
}

fn all_engines_are_as_serial(runs: usize) {
    let dir = tempfile::tempdir().unwrap();
    let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path());
    let plain = dir.path().join("plain");
    Tree::seeded(80).files(60).sizes(0..=70_000).depth(2).write(&plain).unwrap();
    std::fs::write(plain.join("large"), seeded_bytes(81, 6_000_000)).unwrap();
    std::fs::write(plain.join("large2"), seeded_bytes(82, 6_000_000)).unwrap();
    let recipient = haul.run(["keygen", "-o", "key.txt"]).expect_status(0).stdout_text();
    haul.run(["seal", "-e", "hybrid=2x2", "-r", recipient.trim(), "-o", "sealed", "plain"]).expect_status(0);
    let sealed = dir.path().join("sealed");
    for (index, path) in files_below(&sealed).unwrap().iter().enumerate() {
        let path = sealed.join(path);
        let mut bytes = std::fs::read(&path).unwrap();
        match index % 10 {
            3 => *bytes.last_mut().unwrap() ^= 1,
            5 => bytes.truncate(100),
            7 => bytes[0] = b'x',
            _ => continue,
        }
        std::fs::write(&path, bytes).unwrap();
    }
    let mut large2 = std::fs::read(sealed.join("large2.age")).unwrap();
    large2[4_500_000] ^= 1;
    std::fs::write(sealed.join("large2.age"), large2).unwrap();
    let expected = open_on(&haul, "serial", &dir.path().join("serial"));
    assert!(expected.0 == 4 && expected.3.len() > 10);
    for engine in ENGINES {
        for run in 0..runs {
            let output = dir.path().join(format!("{engine}-{run}"));
            let found = open_on(&haul, engine, &output);
            assert!(found == expected, "{engine}: {found:?} instead of {expected:?}");
            std::fs::remove_dir_all(output).unwrap();
        }
    }
}

#[test]
fn every_engine_reports_and_writes_the_same_as_serial() {
    all_engines_are_as_serial(2);
}

#[test]
#[ignore = "soak: a hundred runs of each engine"]
fn a_hundred_runs_of_every_engine_are_as_serial() {
    all_engines_are_as_serial(100);
}
