//! Awaits responses in any async runtime; here in the smallest one: `cargo run --example submit -- URL`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use haul_fetch::{Client, Config, Request, Response};

async fn program(client: &Client, request: Request) -> Result<Response, Box<dyn std::error::Error>> {
    // The program.
    client.ready().await;
    let response = client.submit(request)?.await?;
    Ok(response)
    // Its end.
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let request = Request::get(std::env::args().nth(1).ok_or("no URL was given")?);
    let client = Client::new(Config::default())?;
    let response = block_on(program(&client, request))?;
    println!("{} bytes", response.body.len());
    Ok(())
}

/// Wakes a parked thread.
struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Sleeps until the future is woken, then polls it.
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
