//! Tries again after transient failures, as the server asks, and tells failures apart: `cargo run --example retry --
//! URL`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use haul_fetch::{Client, Config, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let request = Request::get(std::env::args().nth(1).ok_or("no URL was given")?);
    let client = Client::new(Config::default())?;
    // The program.
    match client.fetch_retrying(request) {
        Ok(response) => println!("{} bytes", response.body.len()),
        Err(error) if error.is_transient() => println!("later, after {:?}: {error}", error.retry_after()),
        Err(error) => println!("never: {error}"),
    }
    // Its end.
    Ok(())
}
