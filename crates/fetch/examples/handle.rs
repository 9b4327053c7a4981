//! Handles of submitted requests: waiting, awaiting, cancelling.
//!
//! `cargo run -p haul-fetch --example handle [URL]`: without a URL, a local server.

#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use haul_fetch::{Client, Config, Error, Request};
use haul_testkit::{Answer, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let local = Server::start(|_| Answer::ok("hello").delay(Duration::from_millis(100)));
    let url = std::env::args().nth(1).unwrap_or_else(|| local.url("/"));
    let client = Client::new(Config::default())?;

    // Both requests are active before the first is waited for.
    let (one, other) = (client.submit(Request::get(&url))?, client.submit(Request::get(&url))?);
    println!("waited:  {} and {} bytes", one.wait()?.body.len(), other.wait()?.body.len());

    let (one, other) = (client.submit(Request::get(&url))?, client.submit(Request::get(&url))?);
    let bytes = block_on(async move { Ok::<_, Error>(one.await?.body.len() + other.await?.body.len()) })?;
    println!("awaited: {bytes} bytes");

    let mut patience = client.submit(Request::get(&url))?;
    match patience.wait_timeout(Duration::from_millis(1)) {
        Some(result) => println!("quick:   {}", result?.status),
        None => {
            patience.cancel();
            println!("late:    {:?}", patience.wait().map(|response| response.status));
        }
    }
    Ok(())
}

/// Wakes a parked thread.
struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest runtime: it sleeps until the future is woken, then polls it.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unparks(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
