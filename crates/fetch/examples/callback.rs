//! Requests whose results a worker passes to a callback, each with its own context.
//!
//! `cargo run -p haul-fetch --example callback [URL]...`: without URLs, a local server.

#![allow(clippy::print_stdout, reason = "a program that prints results")]

use haul_fetch::{Client, Closing, Config, Request};
use haul_testkit::{Answer, Server};

/// The context of a request, for its callback.
struct Context {
    number: usize,
    why: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let local = Server::start(|request| match request.path() {
        "/missing" => Answer::new(404),
        path => Answer::ok(format!("this is {path}")),
    });
    let mut urls: Vec<String> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        urls = ["/one", "/missing", "/two"].map(|path| local.url(path)).to_vec();
    }
    let client = Client::new(Config::default())?;
    for (number, url) in urls.into_iter().enumerate() {
        let context = Context { number, why: format!("somebody wanted {url}") };
        // The callback keeps whatever it captures.
        client.fetch_async(Request::get(&url), move |result| {
            let Context { number, why } = context;
            match result {
                Ok(response) => {
                    println!("{number}: {why}: {}, {} bytes", response.status, response.body_bytes)
                }
                Err(error) => println!("{number}: {why}: failed: {error}"),
            }
        })?;
    }
    // Every callback has been called when this returns.
    client.close(Closing::Finish);
    Ok(())
}
