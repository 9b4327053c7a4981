//! Fetches into anything that can be written to: `cargo run --example fetch_into -- URL`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use haul_fetch::{Client, Config, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let request = Request::get(std::env::args().nth(1).ok_or("no URL was given")?);
    let client = Client::new(Config::default())?;
    // The program.
    let mut receiver = Vec::new();
    client.fetch_into(request, &mut receiver)?;
    println!("{} bytes", receiver.len());
    // Its end.
    Ok(())
}
