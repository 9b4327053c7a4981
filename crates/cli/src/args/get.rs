//! The arguments of `haul get`.
//!
//! Owns: their grammar and help.
//! Does not own: their meaning ([`crate::get`]).

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use haul_fetch::Checksum;

use super::common::CommonArgs;
use super::network::NetworkArgs;
use super::requests::RequestArgs;
use super::sealing::{PackArgs, SealingArgs};
use super::units::{bytes, rate, time};

/// `haul get`.
#[derive(clap::Args)]
pub(crate) struct GetArgs {
    /// URLs to fetch
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// A file with a URL or a JSON object on each line (- for stdin)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// For a single URL: the file to write (- for stdout), or an object, s3://BUCKET/KEY
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["input", "dir"])]
    pub(crate) output: Option<PathBuf>,
    /// The directory for the files; or a bucket for objects, s3://BUCKET/PREFIX
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Name files after the whole path of the URL, its last segment, as the server proposes (Content-Disposition), or
    /// at random (hidden)
    #[arg(long, value_name = "HOW", default_value = "basename")]
    pub(crate) name: NameArg,
    /// Replace files that exist, each at once when its new content is complete; never a file of the same run
    #[arg(long, conflicts_with_all = ["resume", "sync"])]
    pub(crate) force: bool,
    /// Fetch every N-th URL only, the I-th part, chosen by a hash of the URL. auto takes I and N from
    /// SLURM_ARRAY_TASK_ID and _COUNT; auto/N takes I from these or from JOB_COMPLETION_INDEX
    #[arg(long, value_name = "I/N|auto|auto/N", value_parser = shard)]
    pub(crate) shard: Option<ShardArg>,
    /// Be a node of a fleet: fetch slices of the run redis://HOST/RUN, which "haul fleet create" has made. Files are
    /// named after whole URLs; what is there already is skipped, as with -c. With --pack, each slice becomes one shard
    #[arg(long, value_name = "REDIS_URL", conflicts_with_all = [
        "urls", "input", "output", "shard", "failures", "force", "sync", "checksum", "segments", "pack_size",
    ])]
    pub(crate) fleet: Option<String>,
    /// Write what failed, or is left after an interruption, to this file at the end, as a list for -i, without the
    /// logins of URLs
    #[arg(long, value_name = "FILE")]
    pub(crate) failures: Option<PathBuf>,
    /// Concurrent transfers [default: 64]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) jobs: Option<u16>,
    /// Concurrent transfers from one host [default: 16, or N of --jobs if that is more]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) per_host: Option<u16>,
    /// Fetch a large file over up to N parallel connections (auto: 4 for files of at least 64 MiB)
    #[arg(long, value_name = "N|auto", default_value = "1", value_parser = segments, conflicts_with = "resume")]
    pub(crate) segments: SegmentsArg,
    /// Requests per second to one host, such as 5 or 5/s
    #[arg(long, value_name = "N/s", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Retries after a transient failure
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) retries: u32,
    /// Also retry these statuses, such as 403,520 (408, 429, 500, 502-504 and 520-524 always are)
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(400..=599))]
    pub(crate) retry_status: Vec<u16>,
    /// Resume files that an earlier run began (NAME.haul-part), and skip complete ones. In a bucket: skip complete
    /// objects, and continue or remove the uploads of the same keys that an earlier run left. With --pack:
    /// skip what shards in the directory have
    #[arg(short = 'c', long = "continue")]
    pub(crate) resume: bool,
    /// Fetch only files that changed since the last run, as recorded in NAME.haul-from, and replace them
    #[arg(long, conflicts_with_all = ["resume", "no_fail_on_status"])]
    pub(crate) sync: bool,
    #[command(flatten)]
    pub(crate) packing: PackArgs,
    /// For a single URL: the expected checksum (sha256:HEX, sha512:HEX or blake3:HEX)
    #[arg(long, value_name = "SUM", conflicts_with_all = ["input", "checksums"])]
    pub(crate) checksum: Option<Checksum>,
    /// A file with the expected checksum of each result, in the format of sha256sum
    #[arg(long, value_name = "FILE")]
    pub(crate) checksums: Option<PathBuf>,
    /// Time to connect, including TLS, such as 10, 500ms or 2m; without a unit, in seconds
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) connect_timeout: Duration,
    /// Time without progress before an attempt fails
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(crate) read_timeout: Duration,
    /// Time for a whole transfer, including retries and the delays before them
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) max_time: Option<Duration>,
    /// Maximum number of redirects
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) max_redirects: u32,
    /// Follow redirects from https to http
    #[arg(long)]
    pub(crate) allow_downgrade: bool,
    /// Maximum length of a body in bytes, such as 500k, 1.5G or 1MiB
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(crate) max_size: Option<u64>,
    /// Request compressed bodies, and decompress them; archives (.gz, .tgz, .zip, .zst …) stay as they are
    #[arg(long, overrides_with = "no_compressed")]
    pub(crate) compressed: bool,
    /// Request bodies without compression (the default)
    #[arg(long, overrides_with = "compressed_archives")]
    pub(crate) no_compressed: bool,
    /// As --compressed, archives included
    #[arg(long, overrides_with = "no_compressed")]
    pub(crate) compressed_archives: bool,
    /// Maximum ratio of decompressed to compressed length, beyond the first 16 MiB
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_ratio: u32,
    /// Trust only the certificate authorities in this PEM file
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// Accept any certificate: an attacker can then read and change everything
    #[arg(long, conflicts_with = "cacert")]
    pub(crate) insecure: bool,
    /// Fail a task whose status is 400 or higher (the default)
    #[arg(long, overrides_with = "no_fail_on_status")]
    pub(crate) fail_on_status: bool,
    /// Keep the body whatever the status
    #[arg(long)]
    pub(crate) no_fail_on_status: bool,
    #[command(flatten)]
    pub(crate) requests: RequestArgs,
    #[command(flatten)]
    pub(crate) sealing: SealingArgs,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// The number of connections for one large file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SegmentsArg {
    Auto,
    Count(u8),
}

/// The part of all URLs to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShardArg {
    /// This part of this many.
    Part { index: u32, count: u32 },
    /// As the job scheduler's variables say; the count may be given.
    Auto { count: Option<u32> },
}

fn shard(text: &str) -> Result<ShardArg, String> {
    let (part, count) = text.split_once('/').map_or((text, None), |(part, count)| (part, Some(count)));
    let count = count.map(str::parse::<u32>).transpose().ok().filter(|count| *count != Some(0));
    match (part, part.parse::<u32>(), count) {
        ("auto", _, Some(count)) => Ok(ShardArg::Auto { count }),
        (_, Ok(index), Some(Some(count))) if index <= count => Ok(ShardArg::Part { index, count }),
        _ => Err("expected I/N with I from 1 to N (or from 0 to N-1), auto, or auto/N".to_owned()),
    }
}

fn segments(text: &str) -> Result<SegmentsArg, String> {
    match text.parse::<u8>() {
        _ if text == "auto" => Ok(SegmentsArg::Auto),
        Ok(count @ 1..=64) => Ok(SegmentsArg::Count(count)),
        _ => Err("expected auto or a number from 1 to 64".to_owned()),
    }
}

/// How files are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NameArg {
    Path,
    Basename,
    Disposition,
    /// Random names, with -r or -p; names.age, sealed, says which is which
    Hidden,
}
