//! What was typed behind `haul get`.
//!
//! Owns: its options and their help.
//! Does not own: what they mean together ([`crate::get`]).

use std::path::PathBuf;

use clap::ValueEnum;
use haul_fetch::Checksum;

use super::network::bytes;
use super::{AskArgs, CommonArgs, NetworkArgs};

#[derive(clap::Args)]
pub(crate) struct GetArgs {
    /// What to fetch
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// A list of what to fetch: a URL or a JSON object a line (- for stdin)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// For a single URL: the file to make (- for stdout)
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["input", "dir"])]
    pub(crate) output: Option<PathBuf>,
    /// Where files go
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// How files are named: after the whole path, its last part, or as the server proposes
    #[arg(long, value_name = "HOW", default_value = "basename")]
    pub(crate) name: NameArg,
    /// At the end, write what failed to this file, as a list for -i
    #[arg(long, value_name = "FILE")]
    pub(crate) failures: Option<PathBuf>,
    /// Transfers at once
    #[arg(short, long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) jobs: u16,
    /// Transfers at once from one host
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) per_host: u16,
    /// Connections for one large file: fetch its parts beside each other (auto: 4, from 64 MiB on)
    #[arg(long, value_name = "N|auto", default_value = "1", value_parser = segments, conflicts_with = "resume")]
    pub(crate) segments: SegmentsArg,
    /// Requests a second to one host; 5/s is the same as 5
    #[arg(long, value_name = "N/s", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Further attempts after a failure that may pass
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) retries: u32,
    /// Go on with files that an earlier run began (NAME.haul-part), skip those that are complete
    #[arg(short = 'c', long = "continue")]
    pub(crate) resume: bool,
    /// Fetch only what changed since last time, by what is kept in NAME.haul-from; replaces files of these names
    #[arg(long, conflicts_with_all = ["resume", "no_fail_on_status"])]
    pub(crate) sync: bool,
    /// For a single URL: what it must hash to (sha256:, sha512: or blake3: and hexadecimal digits)
    #[arg(long, value_name = "SUM", conflicts_with_all = ["input", "checksums"])]
    pub(crate) checksum: Option<Checksum>,
    /// What each file must hash to: a file as sha256sum writes it
    #[arg(long, value_name = "FILE")]
    pub(crate) checksums: Option<PathBuf>,
    /// Seconds to connect, TLS included
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub(crate) connect_timeout: f64,
    /// Seconds a server may be silent
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    pub(crate) read_timeout: f64,
    /// Seconds a whole request may take, further attempts and the pauses between them included
    #[arg(long, value_name = "S", value_parser = seconds)]
    pub(crate) max_time: Option<f64>,
    /// Redirects that are followed
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) max_redirects: u32,
    /// Follow redirects from https to http
    #[arg(long)]
    pub(crate) allow_downgrade: bool,
    /// The longest body that is taken, in bytes (k, M and G stand for 1000, 1000², 1000³)
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) max_size: Option<u64>,
    /// Ask for compressed bodies, and decompress them
    #[arg(long, overrides_with = "no_compressed")]
    pub(crate) compressed: bool,
    /// Take bodies as they come (the default)
    #[arg(long)]
    pub(crate) no_compressed: bool,
    /// How many times as long a body may become when it is decompressed, beyond the first 16 MiB
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_ratio: u32,
    /// Believe the certificates in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// Believe any certificate: anybody may read and change what is fetched
    #[arg(long, conflicts_with = "cacert")]
    pub(crate) insecure: bool,
    /// A status from 400 on fails the task (the default)
    #[arg(long, overrides_with = "no_fail_on_status")]
    pub(crate) fail_on_status: bool,
    /// Keep the body whatever the status is
    #[arg(long)]
    pub(crate) no_fail_on_status: bool,
    #[command(flatten)]
    pub(crate) ask: AskArgs,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// How many connections one large file is fetched over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SegmentsArg {
    Auto,
    Count(u8),
}

fn segments(text: &str) -> Result<SegmentsArg, String> {
    match text.parse::<u8>() {
        _ if text == "auto" => Ok(SegmentsArg::Auto),
        Ok(count @ 1..=64) => Ok(SegmentsArg::Count(count)),
        _ => Err("auto, or a number from 1 to 64".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.strip_suffix("/s").unwrap_or(text).parse::<f64>() {
        Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(rate),
        _ => Err("a number of requests a second from 0.001 to 1000000".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && (0.001..=1e9).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0.001 on".to_owned()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NameArg {
    Path,
    Basename,
    Disposition,
}
