//! Sends JSON, and looks at the status itself: `cargo run --example post_json -- URL`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::time::Duration;

use haul_fetch::serde_json::json;
use haul_fetch::{Client, Config, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("no URL was given")?;
    let (client, value) = (Client::new(Config::default())?, json!({ "name": "haul" }));
    // The program.
    let request = Request::post(url).json(&value).timeout(Duration::from_secs(5)).any_status();
    let made = client.fetch(request)?;
    println!("{} {}", made.status, made.text()?);
    // Its end.
    Ok(())
}
