//! Reads a body as it arrives, in constant memory: `cargo run --example stream -- URL`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use haul_fetch::{Client, Config, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let request = Request::get(std::env::args().nth(1).ok_or("no URL was given")?);
    let client = Client::new(Config::default())?;
    // The program.
    let (head, mut body) = client.stream(request)?;
    let bytes = std::io::copy(&mut body, &mut std::io::sink())?;
    println!("{}, {bytes} bytes", head.status);
    // Its end.
    Ok(())
}
