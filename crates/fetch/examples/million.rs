//! A list of a million URLs in constant memory: read as it is processed, results counted by status.
//!
//! `cargo run --release -p haul-fetch --example million [COUNT [URL]]`: requests URL with a number appended, COUNT
//! times; without a URL, from a local server on which every tenth is missing.

#![allow(clippy::print_stdout, reason = "a program that prints results")]

#[path = "million/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::time::Instant;

use haul_engine::{Event, Failure};
use haul_fetch::{Config, Destination, Error, FetchJob, FetchTask, HostLimits, HostSource};
use haul_io::Cancel;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let count: u64 = args.next().map_or(Ok(1_000_000), |count| count.parse())?;
    let url = match args.next() {
        Some(url) => url,
        None => format!("http://{}/", server::start()?),
    };
    // Any iterator is a source, and so is the reader of a file: a line becomes a task when there is space for one.
    let tasks = (0..count).map(|number| FetchTask::new(&format!("{url}{number}"), Destination::Discard));
    let started = Instant::now();
    let source = HostSource::new(tasks, HostLimits::default(), move || started.elapsed());
    let config = haul_engine::Config::new("threads=16".parse()?, Cancel::new()?);
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    let report = haul_engine::run(&FetchJob::new(Config::default()), source, &config, |event| {
        if let Event::Settled(settled) = event {
            let end = match &settled.outcome {
                Ok(fetched) => fetched.response.status.to_string(),
                Err(Failure::Job(failed)) => match &failed.error {
                    Error::Status(response) => response.status.to_string(),
                    error => error.to_string(),
                },
                Err(_) => "not done".to_owned(),
            };
            *ends.entry(end).or_default() += 1;
        }
    });
    for (end, count) in ends {
        println!("{count:>9} {end}");
    }
    let seconds = report.wall.as_secs_f64();
    println!("{seconds:.1} s, {:.0} a second, peak memory {}", count as f64 / seconds, peak_memory()?);
    Ok(())
}

/// As the kernel formats it.
fn peak_memory() -> std::io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.unwrap_or("unknown").trim().to_owned())
}
