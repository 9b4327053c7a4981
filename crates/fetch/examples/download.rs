//! Downloads many URLs into a directory, and continues where an earlier run stopped: `cargo run --example download --
//! DIR URL...`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use haul_fetch::{Client, Config, DownloadEvent, Downloads};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (dir, urls) = (args.next().ok_or("no directory was given")?, args.collect::<Vec<_>>());
    let client = Client::new(Config::default())?;
    // The program.
    let report = Downloads::new(&client).into_dir(dir).per_host(4).on_event(show).run(urls)?.all()?;
    println!("{} files, {} bytes", report.succeeded, report.bytes);
    // Its end.
    Ok(())
}

fn show(event: &DownloadEvent<'_>) {
    match event {
        DownloadEvent::Progress { url, bytes, bytes_total: Some(total), .. } => {
            println!("{url}: {bytes} of {total}")
        }
        DownloadEvent::Retrying { url, retry } => {
            println!("{url}: {}, again in {:?}", retry.reason, retry.pause)
        }
        DownloadEvent::Failed { url, error, .. } => println!("{url}: {error}"),
        _ => {}
    }
}
