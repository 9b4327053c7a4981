//! Every engine against the serial one: the same tree gives the same tree, events and report.
//!
//! Owns: the trees, what of events and reports is compared.
//! Does not own: whether the serial engine is right (see `trees`, `mutations`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::mutations;
use crate::checker::{report, sealed};
use crate::choice::Choice;
use crate::fault::{Checked, Fault, ensure};
use crate::program::run::Ended;
use crate::tally::Tally;
use crate::world::setup::{self, Originals, Setup};

const ENGINES: [&str; 9] = [
    "serial",
    "threads=1",
    "threads=6",
    "processes=1",
    "processes=4",
    "hybrid=2x2",
    "uring=1x2",
    "uring=2x64",
    "auto",
];

/// The end of a run, as far as engines must agree.
#[derive(PartialEq)]
struct Result {
    status: i32,
    events: BTreeMap<String, BTreeMap<String, Value>>,
    report: BTreeMap<String, Value>,
    /// Names and plaintexts; sealed files differ in their randomness.
    tree: BTreeMap<PathBuf, Vec<u8>>,
}

/// Does one step.
pub(super) fn step(setup: &Setup, choice: &mut Choice, tally: &mut Tally) -> Checked {
    let originals = setup::originals(choice);
    let sealed = sealed_files(setup, choice, &originals)?;
    let args: &[&str] = choice.pick::<&[&str]>(&[
        &["seal", "-i", "key.txt"],
        &["seal", "-i", "key.txt", "--replace"],
        &["seal", "-i", "key.txt", "--force"],
        &["open", "-i", "key.txt"],
        &["open", "-i", "key.txt", "--force", "--replace"],
        &["verify", "-i", "key.txt"],
        &["xor", "--key-file", "xor.key"],
    ]);
    let mut serial = None;
    for engine in ENGINES {
        // The same path for every engine, so that subjects are equal.
        let root = setup.dir.join("work");
        setup::write(&originals, &root)?;
        for (name, bytes) in &sealed {
            fs::write(root.join(name), bytes)?;
        }
        let mut order = setup.order(args.iter().copied().chain(["--json", "-e", engine]));
        order.args.push(root.clone().into());
        let ended = setup.program.run(order)?;
        report::check(&ended)?;
        let result = Result::of(&ended, &root, setup)?;
        fs::remove_dir_all(&root)?;
        tally.one("differential: engine against serial");
        match &serial {
            None => serial = Some(result),
            Some(serial) => same(serial, &result, &ended.command)?,
        }
    }
    Ok(())
}

/// Sealed forms of some originals, whole and damaged, at the names where haul puts them.
fn sealed_files(
    setup: &Setup,
    choice: &mut Choice,
    originals: &Originals,
) -> Checked<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for (name, original) in originals {
        if !choice.chance(30) {
            continue;
        }
        let mut bytes = sealed::seal(&original.plain, &setup.identity.to_public()).map_err(Fault)?;
        if choice.chance(30) {
            bytes = mutations::mutated(choice, &bytes);
        }
        let mut name = name.clone().into_os_string();
        name.push(".age");
        files.insert(name.into(), bytes);
    }
    Ok(files)
}

impl Result {
    fn of(ended: &Ended, root: &Path, setup: &Setup) -> Checked<Self> {
        let chosen = |line: &Value, names: &[&str]| {
            let member = |name: &&str| Some(((*name).to_owned(), line.get(*name)?.clone()));
            names.iter().filter_map(member).collect::<BTreeMap<_, _>>()
        };
        let (report, events) =
            ended.lines.split_last().ok_or(Fault(format!("{}: no report", ended.command)))?;
        let of_task = ["event", "error", "skipped", "plain_bytes", "sealed_bytes", "target"];
        let of_run = ["succeeded", "failed", "skipped", "unchanged", "bytes", "exit", "interrupted"];
        let subject = |line: &Value| line["subject"].as_str().unwrap_or_default().to_owned();
        let mut tree = BTreeMap::new();
        for path in haul_testkit::files_below(root)? {
            let bytes = fs::read(root.join(&path))?;
            let plain = sealed::open(&bytes, &setup.identity).unwrap_or(bytes);
            tree.insert(path, plain);
        }
        Ok(Self {
            status: ended.status,
            events: events.iter().map(|line| (subject(line), chosen(line, &of_task))).collect(),
            report: chosen(report, &of_run),
            tree,
        })
    }
}

fn same(serial: &Result, other: &Result, command: &str) -> Checked {
    ensure!(serial.status == other.status, "{command}: status {}, serial {}", other.status, serial.status);
    ensure!(
        serial.report == other.report,
        "{command}: report {:?}, serial {:?}",
        other.report,
        serial.report
    );
    for (subject, event) in &serial.events {
        let have = other.events.get(subject);
        ensure!(have == Some(event), "{command}: {subject:?}: {have:?}, serial {event:?}");
    }
    ensure!(serial.events.len() == other.events.len(), "{command}: more events than serial");
    for (path, bytes) in &serial.tree {
        ensure!(other.tree.get(path) == Some(bytes), "{command}: {path:?} differs from serial's");
    }
    ensure!(serial.tree.len() == other.tree.len(), "{command}: more files than serial");
    Ok(())
}
