//! Downloads URLs into sealed files, `NAME.age`, so that no plaintext touches the disk: `cargo run --example
//! download_sealed -- age1… DIR URL…`. This one needs both `haul-fetch` and `haul-seal`.
#![allow(clippy::print_stdout, reason = "a program that prints results")]

use std::sync::Arc;

use haul_fetch::{Client, Config, Downloads};
use haul_seal::SealedFormat;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (recipient, dir) = args.next().zip(args.next()).ok_or("no recipient and directory were given")?;
    let (recipients, urls) = (vec![recipient.parse()?], args.collect::<Vec<_>>());
    // The program.
    let format = Arc::new(SealedFormat::new(recipients)?);
    let client = Client::new(Config { format: Some(format), ..Config::default() })?;
    let report = Downloads::new(&client).into_dir(dir).per_host(4).run(urls)?.all()?;
    println!("{} files, {} bytes", report.succeeded, report.bytes);
    // Its end.
    Ok(())
}
