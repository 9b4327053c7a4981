//! Measures how fast one core seals and opens chunks of 64 KiB, out of place:
//!
//! ```sh
//! cargo run --release -p haul-age-format --example chunks
//! cargo run --release -p haul-age-format --example chunks --features openssl
//! ```
#![allow(clippy::print_stdout, reason = "an example that prints what it measured")]

use std::time::Instant;

use haul_age_format::{
    CHUNK_BYTES, PayloadKey, Recipient, SEALED_CHUNK_BYTES, X25519Identity, seal_header, system_random,
};

const CHUNKS: u64 = 16 * 1024;
const ROUNDS: usize = 5;

fn main() {
    let recipient = Recipient::X25519(X25519Identity::generate().to_recipient());
    let key = seal_header(&[recipient], &mut system_random).expect("one recipient is enough").payload_key;
    let library = if cfg!(feature = "openssl") { "openssl" } else { "aws-lc-rs" };
    let (mut plain, mut sealed) = (vec![1; CHUNK_BYTES], vec![0; SEALED_CHUNK_BYTES]);
    let seal = best(|_| key.seal_chunk(0, false, &plain, &mut sealed));
    let open = {
        let sealed = sealed_again(&key, &plain);
        best(|_| key.open_chunk(0, false, &sealed, &mut plain).expect("what was sealed opens"))
    };
    println!("{library}: seal {seal:.2} GB/s, open {open:.2} GB/s");
}

fn sealed_again(key: &PayloadKey, plain: &[u8]) -> Vec<u8> {
    let mut sealed = vec![0; SEALED_CHUNK_BYTES];
    key.seal_chunk(0, false, plain, &mut sealed);
    sealed
}

/// The best of some rounds, in GB/s.
fn best(mut work: impl FnMut(u64)) -> f64 {
    let mut best: f64 = 0.0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        (0..CHUNKS).for_each(&mut work);
        let bytes = CHUNKS as f64 * CHUNK_BYTES as f64;
        best = best.max(bytes / start.elapsed().as_secs_f64() / 1e9);
    }
    best
}
