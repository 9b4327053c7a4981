//! Reads the end of a sealed file as if it were not sealed: `cargo run --example random_access -- FILE KEY_FILE`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use haul_seal::{SealedFile, identities_in};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (file, keys) = args.next().zip(args.next()).ok_or("no file and key file were given")?;
    let (file, identities, mut last) =
        (File::open(file)?, identities_in(&std::fs::read(keys)?)?, String::new());
    // The program.
    let mut file = SealedFile::open(file, &identities)?;
    file.seek(SeekFrom::Start(file.len().saturating_sub(12)))?;
    file.read_to_string(&mut last)?;
    // Its end.
    println!("of {} bytes the last are {last:?}", file.len());
    Ok(())
}
