//! Measures the time to seal and to open a header, for a key of each type:
//!
//! ```sh
//! cargo run --release -p haul-age-format --example headers
//! ```
#![allow(clippy::print_stdout, reason = "an example that prints what it measured")]

use std::time::Instant;

use haul_age_format::{
    Header, HybridIdentity, Identity, NONCE_BYTES, Parsed, X25519Identity, identities_in, open_header,
    seal_header, system_random,
};

const ROUNDS: u32 = 500;

fn main() {
    let ssh = |file: &str| identities_in(file.as_bytes()).expect("a key of the tests").remove(0);
    for (name, identity) in [
        ("X25519", Identity::X25519(X25519Identity::generate())),
        ("mlkem768x25519", Identity::Hybrid(HybridIdentity::generate())),
        ("ssh-ed25519", ssh(include_str!("../tests/ssh/ed25519"))),
        ("ssh-rsa, 2048 bits", ssh(include_str!("../tests/ssh/rsa"))),
    ] {
        let recipients = [identity.to_recipient().expect("a new key has a recipient")];
        let sealed = seal_header(&recipients, &mut system_random).expect("one recipient is enough").bytes;
        let seal = microseconds(|| drop(seal_header(&recipients, &mut system_random)));
        let open = microseconds(|| open(&sealed, &identity));
        println!(
            "{name:20} seal {seal:7.1} µs   open {open:7.1} µs   header {} bytes",
            sealed.len() - NONCE_BYTES
        );
    }
}

fn open(sealed: &[u8], identity: &Identity) {
    let Ok(Parsed::Complete { header, len }) = Header::parse(sealed) else {
        unreachable!("it was just sealed")
    };
    let nonce = sealed[len..].try_into().expect("the nonce follows");
    open_header(&header, nonce, std::slice::from_ref(identity)).expect("its own identity opens it");
}

/// The mean of many rounds.
fn microseconds(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..ROUNDS).for_each(|_| work());
    start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
}
