//! Reads the end of a sealed file as if it were not sealed.
//!
//! `cargo run -p haul-seal --example random_access FILE KEY_FILE` reads the last bytes of a file; without arguments, of
//! one of its own.

#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::error::Error;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use haul_seal::{Identity, SealedFile, X25519Identity, identities_in, seal_bytes};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (file, identities) = match (args.next(), args.next()) {
        (Some(file), Some(keys)) => (File::open(file)?, identities_in(&std::fs::read(keys)?)?),
        _ => sealed_log()?,
    };
    let mut file = SealedFile::open(file, &identities)?;
    let end = file.len().saturating_sub(30);
    file.seek(SeekFrom::Start(end))?;
    let mut last = Vec::new();
    file.read_to_end(&mut last)?;
    println!("of {} bytes the last are {:?}", file.len(), String::from_utf8_lossy(&last));
    Ok(())
}

fn sealed_log() -> Result<(File, Vec<Identity>), Box<dyn Error>> {
    let ada = X25519Identity::generate();
    let log: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
    let mut file = tempfile::tempfile()?;
    file.write_all(&seal_bytes(log.as_bytes(), &[ada.to_recipient().into()])?)?;
    Ok((file, vec![ada.into()]))
}
