//! Seals a tree, verifies the result and opens it again: `cargo run --example trees -- TREE SEALED OPENED`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use haul_seal::{Cancel, Event, OpenTree, SealJob, SealTree, VerifyTree, X25519Identity};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [tree, out, back] = args.as_slice() else { return Err("three directories are needed".into()) };
    let (ada, cancel) = (X25519Identity::generate(), Cancel::new()?);
    let friends = [ada.to_recipient().into()];
    // The program.
    let sealed = SealTree::new(friends).from(tree).to(out).threads(4).cancel(&cancel).on_event(show).run()?;
    let verified = VerifyTree::new([ada.clone().into()]).from(out).run()?;
    let opened = OpenTree::new([ada.into()]).from(out).to(back).run()?;
    // Its end.
    println!("{} sealed, {} verified, {} opened", sealed.succeeded, verified.succeeded, opened.succeeded);
    Ok(())
}

fn show(event: &Event<SealJob>) {
    if let Event::Settled(settled) = event {
        println!("{}: {:?}", settled.task.source().display(), settled.outcome);
    }
}
