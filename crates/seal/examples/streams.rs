//! Seals a stream from a reader to a writer and opens it again, on all cores and in bounded memory.
//!
//! `cargo run -p haul-seal --example streams`.

#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::error::Error;
use std::io::{self, Read};

use haul_seal::{Cancel, StreamOptions, X25519Identity, open_stream, seal_stream};

fn main() -> Result<(), Box<dyn Error>> {
    let identity = X25519Identity::generate();
    let recipients = [identity.to_recipient().into()];
    let options = StreamOptions::new(Cancel::new()?);

    // A hundred megabytes that are never in memory at once.
    let plain = io::repeat(7).take(100_000_000);
    let sealed = tempfile::tempfile()?;
    let done = seal_stream(plain, &sealed, &recipients, &options)?;
    println!("sealed {} bytes as {}", done.plain_bytes, done.sealed_bytes);

    io::Seek::seek(&mut &sealed, io::SeekFrom::Start(0))?;
    let done = open_stream(&sealed, io::sink(), &[identity.into()], &options)?;
    println!("opened {} bytes; each was authenticated before it was written", done.plain_bytes);
    Ok(())
}
