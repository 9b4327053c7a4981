//! Ten requests, one after another and then with four workers: what waiting in parallel saves.
//!
//! `cargo run --release -p haul-fetch --example ten_requests [URL]`: requests URL ten times; without it, from a local
//! server that answers each request after 500 ms.

#![allow(clippy::print_stdout, reason = "a program that prints figures")]

use std::time::Duration;

use haul_engine::{Engine, Report};
use haul_fetch::{Config, Destination, FetchJob, FetchTask};
use haul_io::Cancel;
use haul_testkit::{Answer, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut local = None;
    let url = match std::env::args().nth(1) {
        Some(url) => url,
        None => {
            let server = Server::start(|_| Answer::ok("hello").delay(Duration::from_millis(500)));
            local.insert(server).url("/")
        }
    };
    println!("ten requests for {url}");
    for (name, engine) in [
        ("one after the other", "serial"),
        ("four threads", "threads=4"),
        ("a ring, four in flight", "uring=1x4"),
    ] {
        let report = ten(&url, engine.parse()?)?;
        let Report { wall, succeeded, .. } = report;
        println!("{name:<22} {:>6.2} s, {succeeded} succeeded", wall.as_secs_f64());
    }
    Ok(())
}

fn ten(url: &str, engine: Engine) -> std::io::Result<Report> {
    let job = FetchJob::new(Config::default());
    let tasks = (0..10).map(|_| FetchTask::new(url, Destination::Discard));
    let config = haul_engine::Config { engine, cancel: Cancel::new()?, progress: Default::default() };
    Ok(haul_engine::run(&job, tasks, &config, |_| {}))
}
