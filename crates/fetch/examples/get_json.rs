//! Reads JSON: `cargo run --example get_json -- URL`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use haul_fetch::serde_json::Value;
use haul_fetch::{Client, Config, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("no URL was given")?;
    // The program.
    let client = Client::new(Config::default())?;
    let data: Value = client.fetch(Request::get(url).query("q", "x"))?.json()?;
    println!("{data}");
    // Its end.
    Ok(())
}
