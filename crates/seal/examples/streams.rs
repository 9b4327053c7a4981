//! Seals a stream from a reader to a writer and opens it again, on all cores and in bounded memory: `cargo run
//! --example streams -- FILE`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::fs::File;
use std::io::{Read, sink};

use haul_seal::{StreamOptions, X25519Identity, open_stream, seal_stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("no file to write was given")?;
    let (identity, options) = (X25519Identity::generate(), StreamOptions::default());
    // Ten megabytes that are never in memory at once.
    let plain = std::io::repeat(7).take(10_000_000);
    // The program.
    let sealed = seal_stream(plain, File::create(&path)?, &[identity.to_recipient().into()], &options)?;
    let opened = open_stream(File::open(&path)?, sink(), &[identity.into()], &options)?;
    // Its end.
    println!(
        "{} bytes became {}, and {} came back",
        sealed.plain_bytes, sealed.sealed_bytes, opened.plain_bytes
    );
    Ok(())
}
