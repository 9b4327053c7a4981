//! Seals a tree beside itself, verifies and opens what came of it.
//!
//! `cargo run -p haul-seal --example trees [ENGINE] [DIRECTORY]`: without a directory, a small tree that is made for the purpose. The
//! results lie in a directory that is removed at the end.

#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use haul_engine::{Config, Engine, Event, Job, Source, run};
use haul_io::{Blocking, Cancel};
use haul_seal::{
    Direction, FileOptions, Identity, OpenJob, Placement, Recipient, SealJob, Task, VerifyJob, Walk,
    X25519Identity,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let engine: Engine = args.next().map_or(Ok(Engine::Serial), |name| name.parse())?;
    let place = tempfile::tempdir()?;
    let tree = match args.next() {
        Some(tree) => tree.into(),
        None => small_tree(place.path())?,
    };
    let (sealed, opened) = (place.path().join("sealed"), place.path().join("opened"));

    let mut system = File::open("/dev/urandom")?;
    let identity = X25519Identity::generate_with(&mut |out| system.read_exact(out).expect("it never ends"));
    let options = FileOptions::default();
    let recipients = vec![Recipient::X25519(identity.to_recipient())];
    let identities = || vec![Identity::X25519(identity.clone())];

    let seal = SealJob::new(recipients, options)?;
    tell("sealed", engine, &seal, mirror(&tree, &sealed, Direction::Seal, &options)?)?;
    let verify = VerifyJob::new(identities());
    tell("verified", engine, &verify, walk(&sealed, None, Direction::Open)?)?;
    let open = OpenJob::new(identities(), options);
    tell("opened", engine, &open, mirror(&sealed, &opened, Direction::Open, &options)?)?;
    Ok(())
}

/// The files below `input`, and their names below `output`, which verifying doesn't need.
fn walk(input: &Path, output: Option<&Path>, direction: Direction) -> Result<Walk, Box<dyn Error>> {
    let placement = Placement { direction, suffix: ".age".into(), output: output.map(Path::to_owned) };
    Ok(Walk::new(vec![input.to_owned()], placement)?)
}

/// As [`walk`]; directories are made as well, empty ones too.
fn mirror(
    input: &Path,
    output: &Path,
    direction: Direction,
    options: &FileOptions,
) -> Result<impl Source<Task>, Box<dyn Error>> {
    Ok(walk(input, Some(output), direction)?.mirroring(Blocking::new(Cancel::new()?), options))
}

/// Runs `job` and tells of every failure, and of the whole.
fn tell<J: Job<Task = Task, Error = haul_seal::Error>>(
    done: &str,
    engine: Engine,
    job: &J,
    tasks: impl Source<Task>,
) -> Result<(), Box<dyn Error>> {
    let config = Config { engine, cancel: Cancel::new()?, progress: Default::default() };
    let report = run(job, tasks, &config, |event| {
        if let Event::Settled(settled) = event
            && let Err(failure) = &settled.outcome
        {
            println!("{}: {failure:?}", settled.task.source().display());
        }
    });
    println!("{done}: {} files, {} bytes; {} failed", report.succeeded, report.bytes, report.failed);
    if report.failed > 0 { Err("not all could be done".into()) } else { Ok(()) }
}

fn small_tree(place: &Path) -> std::io::Result<PathBuf> {
    let tree = place.join("tree");
    std::fs::create_dir_all(tree.join("letters"))?;
    std::fs::write(tree.join("letters/ada"), "Dear Ada")?;
    std::fs::write(tree.join("numbers"), vec![7; 3_000_000])?;
    Ok(tree)
}
