//! Fetches into a sealed file, so that no plaintext touches the disk: `cargo run --example fetch_sealed -- URL age1…
//! FILE`. This one needs both `haul-fetch` and `haul-seal`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::fs::File;

use haul_fetch::{Client, Config, Request};
use haul_seal::SealWriter;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [url, recipient, path] = args.as_slice() else {
        return Err("a URL, a recipient and a file are needed".into());
    };
    let (client, request) = (Client::new(Config::default())?, Request::get(url));
    let (file, recipients) = (File::create(path)?, [recipient.parse()?]);
    // The program.
    let mut receiver = SealWriter::new(file, &recipients)?;
    let response = client.fetch_into(request, &mut receiver)?;
    receiver.finish()?;
    // Its end.
    println!("{} bytes sealed", response.body_bytes);
    Ok(())
}
