//! Opening mutated files: haul, the crate `age` and the programs rage and age accept the same files, with the same
//! plaintext.
//!
//! Owns: the mutations, the verdicts, the table of known differences.
//! Does not own: formats.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use haul_testkit::{peer, seeded_bytes};

use crate::checker::{report, sealed};
use crate::choice::Choice;
use crate::fault::{Checked, Fault, ensure};
use crate::program::run::Ended;
use crate::tally::Tally;
use crate::world::setup::Setup;

/// Mutants of a step that the programs open too; each takes a process.
const PROGRAM_MUTANTS: usize = 8;

/// Mutants of a step that are opened to standard output.
const STREAMS: usize = 6;

/// Files that peers take and haul refuses, each with the reason: the peer, a part of haul's error, why haul is right.
const STRICTER: [(&str, &str, &str); 0] = [];

/// Does one step.
pub(super) fn step(setup: &Setup, choice: &mut Choice, tally: &mut Tally) -> Checked {
    let plain = seeded_bytes(choice.number(), *choice.pick(&[0, 1, 100, 65_535, 65_536, 65_537, 200_000]));
    let armored = choice.chance(40);
    let whole = whole(setup, &plain, armored)?;
    let folder = setup.dir.join("mutants");
    fs::create_dir(&folder)?;
    let mutants: Vec<Vec<u8>> = (0..60).map(|_| mutated(choice, &whole)).collect();
    for (index, mutant) in mutants.iter().enumerate() {
        fs::write(folder.join(format!("m{index}.age")), mutant)?;
    }
    let engine = *choice.pick(&["serial", "threads=4", "processes=2", "hybrid=2x2", "uring=2x16"]);
    let mut order = setup.order(["open", "-i", "key.txt", "--json", "-e", engine]);
    order.args.push(folder.clone().into());
    let ended = setup.program.run(order)?;
    let ends = report::check(&ended)?;
    for index in 0..STREAMS {
        stream(setup, engine_of_streams(choice), &folder.join(format!("m{index}.age")), &plain)?;
        tally.one("streams of mutants");
    }
    for (index, mutant) in mutants.iter().enumerate() {
        let path = folder.join(format!("m{index}"));
        let ours = fs::read(&path).ok();
        let subject = format!("{}.age", path.display());
        let error = ends.failed.get(&subject);
        ensure!(
            ours.is_some() == ends.done.contains_key(&subject),
            "{}: {subject}: {error:?}",
            ended.command
        );
        let mut verdicts = vec![("the crate age", sealed::open(mutant, &setup.identity).ok())];
        if index < PROGRAM_MUTANTS {
            for program in ["rage", "age"] {
                verdicts.extend(verdict(setup, program, mutant)?.map(|verdict| (program, verdict)));
            }
        }
        for (peer, theirs) in verdicts {
            tally.one(format!("differential: mutants against {peer}"));
            let is_known = STRICTER.iter().any(|(known, part, _)| {
                *known == peer && ours.is_none() && error.is_some_and(|error| error.contains(part))
            });
            let show = |verdict: &Option<Vec<u8>>| match verdict {
                Some(plain) => format!("{} bytes", plain.len()),
                None => "refused".to_owned(),
            };
            let (have, want) = (show(&ours), show(&theirs));
            ensure!(ours == theirs || is_known, "{subject}: haul {have} ({error:?}), {peer} {want}");
        }
    }
    Ok(())
}

/// Opens a mutant to standard output, which never gets a byte that isn't authenticated: what it gets is a beginning of
/// the plaintext, and all of it if the exit code is 0.
fn stream(setup: &Setup, engine: &str, mutant: &Path, plain: &[u8]) -> Checked {
    let out = setup.dir.join("streamed");
    let mut order = setup.order(["open", "-i", "key.txt", "-e", engine, "-o", "-"]);
    order.args.push(mutant.into());
    order.stdout = Some(out.clone());
    let ended = setup.program.run(order)?;
    let got = fs::read(&out)?;
    let Ended { command, status, stderr, .. } = &ended;
    ensure!(
        plain.starts_with(&got),
        "{command}: status {status}: {} bytes that aren't the plaintext's",
        got.len()
    );
    ensure!(*status != 0 || got == plain, "{command}: status 0 and {} of {} bytes", got.len(), plain.len());
    ensure!(matches!(status, 0 | 1 | 3 | 4), "{command}: status {status}: {stderr}");
    Ok(())
}

fn engine_of_streams(choice: &mut Choice) -> &'static str {
    choice.pick::<&str>(&["auto", "serial", "threads=3"])
}

fn whole(setup: &Setup, plain: &[u8], armored: bool) -> Checked<Vec<u8>> {
    let recipient = setup.identity.to_public();
    let sealed = if armored {
        age::encrypt_and_armor(&recipient, plain).map(String::into_bytes)
    } else {
        age::encrypt(&recipient, plain)
    };
    sealed.map_err(|error| Fault(format!("the soak itself: {error}")))
}

/// `bytes` with one to three mutations, or none.
pub(super) fn mutated(choice: &mut Choice, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..*choice.pick(&[0, 1, 1, 1, 2, 3]) {
        // Headers are short, so they get half of the mutations.
        let end = if choice.chance(50) { bytes.len().min(220) } else { bytes.len() };
        let at = choice.below(end + 1);
        let one = choice.number() as u8;
        match choice.below(10) {
            0..=3 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (one % 8);
                }
            }
            4 => bytes.truncate(at),
            5 => bytes.insert(at, *choice.pick(b"\n\r =-A\0\xff")),
            6 => {
                let end = (at + choice.within(1..=80)).min(bytes.len());
                bytes.drain(at..end);
            }
            7 => {
                let end = (at + choice.within(1..=70_000)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            8 => bytes.extend(seeded_bytes(u64::from(one), choice.within(1..=20))),
            // A line end of the other kind, where armor allows both.
            _ => {
                if let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
                    bytes.insert(at, b'\r');
                }
            }
        }
    }
    bytes
}

/// The plaintext that a program of others gives; none where it refuses. The outer none: it isn't installed.
fn verdict(setup: &Setup, program: &str, sealed: &[u8]) -> Checked<Option<Option<Vec<u8>>>> {
    let Some(program) = peer(program) else { return Ok(None) };
    let (from, to) = (setup.dir.join("peer.age"), setup.dir.join("peer"));
    fs::write(&from, sealed)?;
    let run = |to: &Path| {
        let mut command = Command::new(&program);
        command.args(["-d", "-i"]).arg(setup.dir.join("key.txt")).arg("-o").arg(to).arg(&from);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    let verdict = if run(&to)?.success() { Some(fs::read(&to).unwrap_or_default()) } else { None };
    // They leave what they had written before they found the damage.
    let _ = fs::remove_file(&to);
    Ok(Some(verdict))
}
