//! Seals a tree, verifies the result and opens it again.
//!
//! `cargo run -p haul-seal --example trees [ENGINE] [DIRECTORY]` uses a small tree of its own if no directory is given.
//! The results lie in a temporary directory.

#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::error::Error;
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
    let directory = tempfile::tempdir()?;
    let tree = match args.next() {
        Some(tree) => tree.into(),
        None => small_tree(directory.path())?,
    };
    let (sealed, opened) = (directory.path().join("sealed"), directory.path().join("opened"));

    let identity = X25519Identity::generate();
    let options = FileOptions::default();
    let recipients = vec![Recipient::X25519(identity.to_recipient())];
    let identities = || vec![Identity::X25519(identity.clone())];

    let seal = SealJob::new(recipients, options)?;
    report("sealed", engine, &seal, mirror(&tree, &sealed, Direction::Seal, &options)?)?;
    let verify = VerifyJob::new(identities());
    report("verified", engine, &verify, walk(&sealed, None, Direction::Open)?)?;
    let open = OpenJob::new(identities(), options);
    report("opened", engine, &open, mirror(&sealed, &opened, Direction::Open, &options)?)?;
    Ok(())
}

/// Walks the files of `input`; their results lie in `output`, which verifying doesn't need.
fn walk(input: &Path, output: Option<&Path>, direction: Direction) -> Result<Walk, Box<dyn Error>> {
    let placement = Placement { direction, suffix: ".age".into(), output: output.map(Path::to_owned) };
    Ok(Walk::new(vec![input.to_owned()], placement)?)
}

/// Like [`walk`], and also creates the directories of `output`, including empty ones.
fn mirror(
    input: &Path,
    output: &Path,
    direction: Direction,
    options: &FileOptions,
) -> Result<impl Source<Task>, Box<dyn Error>> {
    Ok(walk(input, Some(output), direction)?.mirroring(Blocking::new(Cancel::new()?), options))
}

/// Runs `job` and prints each failure and a summary.
fn report<J: Job<Task = Task, Error = haul_seal::Error>>(
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
    if report.failed > 0 { Err("some tasks failed".into()) } else { Ok(()) }
}

fn small_tree(directory: &Path) -> std::io::Result<PathBuf> {
    let tree = directory.join("tree");
    std::fs::create_dir_all(tree.join("letters"))?;
    std::fs::write(tree.join("letters/ada"), "Dear Ada")?;
    std::fs::write(tree.join("numbers"), vec![7; 3_000_000])?;
    Ok(tree)
}
