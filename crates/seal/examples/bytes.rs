//! Seals bytes in memory and opens them again: `cargo run --example bytes`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use haul_seal::{X25519Identity, open_bytes, seal_bytes};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let identity = X25519Identity::generate();
    let (alice, bob) = (identity.to_recipient().into(), X25519Identity::generate().to_recipient().into());
    let plain = b"a token, a note, a key";
    // The program.
    let sealed = seal_bytes(plain, &[alice, bob])?;
    let opened = open_bytes(&sealed, &[identity.into()])?;
    // Its end.
    println!("{} bytes became {} and came back: {}", plain.len(), sealed.len(), opened == plain);
    Ok(())
}
