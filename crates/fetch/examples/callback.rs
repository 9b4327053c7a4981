//! Requests whose results a worker passes to a callback, which keeps what it captures: `cargo run --example callback --
//! URL...`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use haul_fetch::{Client, Closing, Config, Request};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::new(Config::default())?;
    // The program.
    for url in std::env::args().skip(1) {
        client.fetch_async(Request::get(&url), move |result| match result {
            Ok(response) => println!("{url}: {}", response.status),
            Err(error) => println!("{url}: {error}"),
        })?;
    }
    // Every callback has been called when this returns.
    client.close(Closing::Finish);
    // Its end.
    Ok(())
}
