//! Seals bytes in memory and opens them again.
//!
//! `cargo run -p haul-seal --example bytes`.

#![allow(clippy::print_stdout, reason = "a program that prints results")]

use haul_seal::{Error, X25519Identity, open_bytes, seal_bytes};

fn main() -> Result<(), Error> {
    let (alice, bob) = (X25519Identity::generate(), X25519Identity::generate());
    let plain = b"a token, a note, a key";
    let sealed = seal_bytes(plain, &[alice.to_recipient().into(), bob.to_recipient().into()])?;
    let opened = open_bytes(&sealed, &[bob.into()])?;
    println!("{} bytes became {} and came back: {}", plain.len(), sealed.len(), opened == plain);
    Ok(())
}
