//! A request whose body is read as it is sent, and a response whose body is read as it arrives, in constant memory.
//!
//! `cargo run --release -p haul-fetch --example bodies [URL]`: posts 64 MiB to URL and reads the response; without a
//! URL, a local server responds with as many bytes.

#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::io::Read;

use haul_fetch::{Client, Config, Method, Request, RequestBody};
use haul_testkit::{Answer, Server};

const BYTES: u64 = 64 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let local = Server::start(|request| {
        Answer::ok(vec![b'y'; request.body.len()]).header("X-Received", &request.body.len().to_string())
    });
    let url = std::env::args().nth(1).unwrap_or_else(|| local.url("/"));
    let client = Client::new(Config::default())?;

    // Any reader: a pipe, an archive being written, a decoder. It is sent in chunks, as its length is unknown.
    let body = RequestBody::reader(std::io::repeat(b'x').take(BYTES));
    let (response, mut reader) = client.stream(Request::new(Method::POST, &url).body(body))?;
    println!("{}, the server received {:?} bytes", response.status, response.headers.get("x-received"));

    let (mut piece, mut bytes, mut pieces) = (vec![0; 64 * 1024], 0, 0);
    loop {
        match reader.read(&mut piece)? {
            // Only a complete body ends this way; any other is an error.
            0 => break,
            count => (bytes, pieces) = (bytes + count, pieces + 1),
        }
    }
    println!("{bytes} bytes came back in {pieces} pieces");
    Ok(())
}
