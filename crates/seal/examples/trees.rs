//! Seals a tree, verifies the result and opens it again.
//!
//! `cargo run -p haul-seal --example trees [ENGINE] [DIRECTORY]` uses a small tree of its own if no directory is given.
//! The results lie in a temporary directory.

#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::error::Error;
use std::path::{Path, PathBuf};

use haul_seal::{Engine, Event, OpenTree, SealTree, VerifyTree, X25519Identity};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let engine: Engine = args.next().map_or(Ok(Engine::Serial), |name| name.parse())?;
    let directory = tempfile::tempdir()?;
    let tree = match args.next() {
        Some(tree) => tree.into(),
        None => small_tree(directory.path())?,
    };
    let (sealed, opened) = (directory.path().join("sealed"), directory.path().join("opened"));

    let ada = X25519Identity::generate();
    let seal = SealTree::new([ada.to_recipient().into()]).from(&tree).to(&sealed).engine(engine);
    let report = seal.on_event(|event| {
        if let Event::Settled(settled) = event {
            println!("{}: {:?}", settled.task.source().display(), settled.outcome);
        }
    });
    println!("sealed {} files", report.run()?.succeeded);
    let verified = VerifyTree::new([ada.clone().into()]).from(&sealed).engine(engine).run()?;
    println!("verified {} files, {} bytes", verified.succeeded, verified.bytes);
    let report = OpenTree::new([ada.into()]).from(&sealed).to(&opened).engine(engine).run()?;
    println!("opened {} files", report.succeeded);
    Ok(())
}

fn small_tree(directory: &Path) -> std::io::Result<PathBuf> {
    let tree = directory.join("tree");
    std::fs::create_dir_all(tree.join("letters"))?;
    std::fs::write(tree.join("letters/ada"), "Dear Ada")?;
    std::fs::write(tree.join("numbers"), vec![7; 3_000_000])?;
    Ok(tree)
}
