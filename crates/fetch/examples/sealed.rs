//! Fetches URLs straight into sealed files: `cargo run --example sealed -- age1… URL…`.

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::path::Path;
use std::sync::Arc;

use haul_engine::{Engine, run};
use haul_fetch::{Config, Destination, FetchJob, FetchTask, Request, basename};
use haul_io::{Cancel, Publish};
use haul_seal::SealedFormat;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let recipient = args.next().ok_or("no recipient given")?.parse()?;
    let format = Arc::new(SealedFormat::new(vec![recipient])?);
    let job = FetchJob::new(Config { format: Some(format), ..Config::default() });
    let tasks: Vec<_> = args
        .map(|url| {
            let name = basename(Request::get(&url).url());
            FetchTask::new(&url, Destination::File(Publish::new(Path::new(&(name + ".age")))))
        })
        .collect();
    let config = haul_engine::Config::new(Engine::Serial, Cancel::new()?);
    let report = run(&job, tasks.into_iter(), &config, |_event| {});
    println!("{} sealed, {} failed", report.succeeded, report.failed);
    Ok(())
}
