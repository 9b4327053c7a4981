//! The arguments of `haul bench` and `haul demo`.
//!
//! Owns: their grammar and help.
//! Does not own: the comparisons ([`crate::bench`]), the demo ([`crate::demo`]).

use std::path::PathBuf;

use clap::ValueEnum;

use super::common::ProgressArg;
use super::units::{bytes, time};

/// `haul bench`.
#[derive(clap::Args)]
pub(crate) struct BenchArgs {
    /// The work to compare engines at
    pub(crate) what: BenchWhat,
    /// Number of files or requests
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) files: u32,
    /// Length of the largest file or body, such as 60k or 1MiB
    #[arg(long, value_name = "BYTES", default_value = "60k", value_parser = length)]
    pub(crate) max_bytes: u32,
    /// Number of runs of each engine
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: u16,
    /// Engines to compare, separated by commas
    #[arg(long, value_name = "E,…", value_delimiter = ',')]
    pub(crate) engines: Vec<String>,
    /// For get: delay of each response, such as 20ms; without a unit, in milliseconds
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = delay)]
    pub(crate) delay: u16,
    /// For get: fetch this URL, instead of one from a server in this process
    #[arg(long, value_name = "URL", conflicts_with = "delay")]
    pub(crate) url: Option<String>,
    /// For seal and xor: drop the page cache before each run (needs root)
    #[arg(long)]
    pub(crate) cold: bool,
    /// For seal: flush each result to the disk before it counts as done
    #[arg(long)]
    pub(crate) durable: bool,
    /// Directory for temporary files, which are removed at the end
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Print a JSON object for each row
    #[arg(long)]
    pub(crate) json: bool,
    /// Show the progress on stderr (auto: only on a terminal)
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub(crate) progress: ProgressArg,
    /// Write an HTML page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write when each worker did what to this file, as Trace Event JSON for Perfetto
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}

/// The work that engines are compared at.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchWhat {
    Seal,
    Xor,
    Get,
    Queue,
}

/// `haul demo`.
#[derive(clap::Args)]
pub(crate) struct DemoArgs {
    /// Number of files
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub(crate) files: u16,
    /// Delay of each response, such as 20ms; without a unit, in milliseconds
    #[arg(long, value_name = "TIME", default_value = "20ms", value_parser = delay)]
    pub(crate) delay: u16,
}

/// The longest body, in bytes.
const LENGTH_MAX: u32 = 1 << 30;
/// The longest delay, in milliseconds.
const DELAY_MAX: u16 = 1_000;

fn length(text: &str) -> Result<u32, String> {
    let length = bytes(text).ok().and_then(|length| u32::try_from(length).ok());
    let length = length.filter(|length| (1..=LENGTH_MAX).contains(length));
    length.ok_or_else(|| "expected a length from 1 byte to 1GiB, such as 60k".to_owned())
}

/// Milliseconds.
fn delay(text: &str) -> Result<u16, String> {
    let millis = text.parse().ok().or_else(|| u16::try_from(time(text).ok()?.as_millis()).ok());
    millis
        .filter(|millis| *millis <= DELAY_MAX)
        .ok_or_else(|| "expected a time up to 1s, such as 20ms".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_delays_have_units() {
        for (text, bytes) in [("60k", Some(60_000)), ("1GiB", Some(LENGTH_MAX)), ("0", None), ("2G", None)] {
            assert_eq!(length(text).ok(), bytes, "{text}");
        }
        for (text, millis) in
            [("0", Some(0)), ("20", Some(20)), ("20ms", Some(20)), ("1s", Some(1_000)), ("2s", None)]
        {
            assert_eq!(delay(text).ok(), millis, "{text}");
        }
    }
}
