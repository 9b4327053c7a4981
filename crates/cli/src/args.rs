//! What was typed.
//!
//! Owns: the command line's grammar and its help.
//! Does not own: defaults that depend on the machine, conflicts between values (plans do).

mod ask;
mod check;
mod get;
mod network;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use haul_engine::Engine;

pub(crate) use self::ask::AskArgs;
use self::check::{INSPECT_EXAMPLES, VERIFY_EXAMPLES};
pub(crate) use self::check::{InspectArgs, VerifyArgs};
pub(crate) use self::get::{GetArgs, NameArg, SegmentsArg};
pub(crate) use self::network::NetworkArgs;
use crate::voice::Verbosity;

#[derive(Parser)]
#[command(name = "haul", version, about = "Moves data in bulk and keeps it sealed", max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Fetch many URLs at once
    #[command(after_long_help = GET_EXAMPLES)]
    Get(Box<GetArgs>),
    /// Encrypt files and trees (age format)
    #[command(after_long_help = SEAL_EXAMPLES)]
    Seal(SealArgs),
    /// Decrypt files and trees
    #[command(after_long_help = OPEN_EXAMPLES)]
    Open(OpenArgs),
    /// Authenticate every chunk of sealed files, write nothing
    #[command(after_long_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Say what sealed files tell without a key
    #[command(after_long_help = INSPECT_EXAMPLES)]
    Inspect(InspectArgs),
    /// Combine files with a repeating key by XOR: its own inverse, and NOT encryption
    #[command(after_long_help = XOR_EXAMPLES)]
    Xor(XorArgs),
    /// Make an identity (compatible with age-keygen)
    #[command(after_long_help = KEYGEN_EXAMPLES)]
    Keygen(KeygenArgs),
    /// Compare the strategies on this machine
    #[command(after_long_help = BENCH_EXAMPLES)]
    Bench(BenchArgs),
    /// Show what haul does, without a network: fetch, seal, open, verify
    Demo(DemoArgs),
}

const GET_EXAMPLES: &str = "Examples:
  haul get https://example.org/a.tar https://example.org/b.tar
  haul get -i urls.txt -d downloads -j 128
  haul get -o - https://example.org/data.json | jq .";
const SEAL_EXAMPLES: &str = "Examples:
  haul seal -r age1… letter.txt               makes letter.txt.age
  haul seal -R friends.txt -o sealed photos   mirrors the tree photos into sealed
  tar c photos | haul seal -r age1… - > photos.tar.age";
const OPEN_EXAMPLES: &str = "Examples:
  haul open -i key.txt letter.txt.age         makes letter.txt
  haul open -i key.txt -o photos sealed       mirrors the tree sealed into photos
  haul open -i key.txt -o - photos.tar.age | tar x";
const XOR_EXAMPLES: &str = "Examples:
  haul xor --key-file key.bin photos          transforms every file; again restores them";
const BENCH_EXAMPLES: &str = "Examples:
  haul bench queue                            the ring beside its peers
  haul bench seal --engines serial,threads=2  sealing a tree of 1000 files
  haul bench get --delay 20 --html plot.html  fetching from a slow server";
const KEYGEN_EXAMPLES: &str = "Examples:
  haul keygen -o key.txt                      prints the recipient to seal to
  haul keygen --pq -o key.txt                 a post-quantum one
  haul keygen -p -o key.age                   seals the identity with a passphrase
  haul keygen -y key.txt                      prints the recipient again";

impl Command {
    pub(crate) fn verbosity(&self) -> Verbosity {
        match self {
            Self::Get(args) => args.common.verbosity(),
            Self::Seal(args) => args.common.verbosity(),
            Self::Open(args) => args.common.verbosity(),
            Self::Verify(args) => args.common.verbosity(),
            Self::Inspect(args) => -clamped(args.quiet),
            Self::Xor(args) => args.common.verbosity(),
            Self::Keygen(args) => -clamped(args.quiet),
            Self::Bench(_) | Self::Demo(_) => 0,
        }
    }
}

/// Options of every command that runs tasks.
#[derive(Clone, clap::Args)]
pub(crate) struct CommonArgs {
    /// How to run: auto, serial, threads[=N], processes[=N], hybrid[=NxM] or uring[=RxD]
    #[arg(short, long, value_name = "E", default_value = "auto", value_parser = engine)]
    pub(crate) engine: EngineArg,
    /// At the end, say where the time went
    #[arg(long)]
    pub(crate) stats: bool,
    /// Print a JSON object a line: an event per finished task, then the report
    #[arg(long)]
    pub(crate) json: bool,
    /// Show a progress line on stderr (auto: only on a terminal)
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub(crate) progress: ProgressArg,
    /// Say less (twice: nothing)
    #[arg(short, long, action = ArgAction::Count, overrides_with = "verbose")]
    pub(crate) quiet: u8,
    /// Say more: a line per task
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say what would be done, do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// After a failed task, go on with the others (the default)
    #[arg(long, overrides_with = "fail_fast")]
    pub(crate) keep_going: bool,
    /// End the run at the first failed task
    #[arg(long)]
    pub(crate) fail_fast: bool,
}

impl CommonArgs {
    fn verbosity(&self) -> Verbosity {
        clamped(self.verbose) - clamped(self.quiet)
    }
}

fn clamped(count: u8) -> Verbosity {
    Verbosity::try_from(count).unwrap_or(Verbosity::MAX)
}

/// The engine as typed; `None` is `auto`.
#[derive(Clone, Copy)]
pub(crate) struct EngineArg(pub(crate) Option<Engine>);

fn engine(text: &str) -> Result<EngineArg, haul_engine::ParseEngineError> {
    if text == "auto" { Ok(EngineArg(None)) } else { text.parse().map(|engine| EngineArg(Some(engine))) }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressArg {
    Auto,
    Always,
    Never,
}

/// What of trees is taken.
#[derive(clap::Args)]
pub(crate) struct TreeArgs {
    /// Of trees, take only files of such names (or paths, with a slash); repeatable
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// Of trees, leave out files and directories of such names (or paths, with a slash); repeatable
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// What to do with symbolic links in trees
    ///
    /// follow takes what they lead to, also outside the tree; results beside it are made there too. Otherwise nothing outside
    /// a tree is read, written or removed, even if somebody puts a link into it meanwhile.
    #[arg(long, value_name = "HOW", default_value = "skip")]
    pub(crate) symlinks: SymlinksArg,
    /// Don't enter other file systems
    #[arg(long)]
    pub(crate) one_file_system: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SymlinksArg {
    Skip,
    Follow,
    Error,
}

/// Options that sealing and opening share.
#[derive(clap::Args)]
pub(crate) struct FileArgs {
    /// Files and trees; - is stdin
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The one result (- for stdout), or the directory that mirrors a tree or several inputs
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// What names of sealed files end in
    #[arg(long, value_name = "SUFFIX", default_value = ".age")]
    pub(crate) suffix: OsString,
    #[command(flatten)]
    pub(crate) secret: PassphraseArgs,
    /// Overwrite an existing result
    #[arg(long)]
    pub(crate) force: bool,
    /// Remove each source once its result is durable
    ///
    /// Of a file with several names (hard links) those that were sealed or opened are removed, each when its own result is
    /// durable. Names outside of what is walked stay, and lead to the source as before; haul says so of each.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Don't keep mode and time of modification, of files and of mirrored directories
    #[arg(long)]
    pub(crate) no_preserve: bool,
    /// Keep extended attributes of users (user.*): as they are, in clear text, also beside sealed content
    ///
    /// Those of files and of mirrored directories. Their names and values are put on the result, where anybody sees them who can read the file. Those that can't be set
    /// there are named.
    #[arg(long)]
    pub(crate) xattrs: bool,
    /// Whether results must survive a power cut at once (auto: when a source is removed)
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) durable: DurableArg,
    #[command(flatten)]
    pub(crate) trees: TreeArgs,
}

/// Where a passphrase comes from.
#[derive(clap::Args)]
pub(crate) struct PassphraseArgs {
    /// Ask for a passphrase on the terminal
    #[arg(short, long)]
    pub(crate) passphrase: bool,
    /// Read the passphrase from this file descriptor
    #[arg(long, value_name = "N")]
    pub(crate) passphrase_fd: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DurableArg {
    Auto,
    Always,
    Never,
}

#[derive(clap::Args)]
pub(crate) struct SealArgs {
    /// Whom to seal to: age1…, age1pq1…, an SSH public key, or a plugin's age1name1…; repeatable
    #[arg(short, long, value_name = "R")]
    pub(crate) recipient: Vec<String>,
    /// A file of recipients, one a line; repeatable
    #[arg(short = 'R', long, value_name = "FILE")]
    pub(crate) recipients_file: Vec<PathBuf>,
    /// A file of identities: seal to whoever has them; repeatable. Its passphrase is asked for if it has one
    #[arg(short, long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    /// Make text files that survive mail and forms, a third longer
    #[arg(short, long)]
    pub(crate) armor: bool,
    #[command(flatten)]
    pub(crate) files: FileArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(clap::Args)]
pub(crate) struct OpenArgs {
    /// A file of identities, or an SSH private key; repeatable. Its passphrase is asked for if it has one
    #[arg(short, long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) files: FileArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(clap::Args)]
pub(crate) struct XorArgs {
    /// Files and trees
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The file whose bytes are the key
    #[arg(long, value_name = "K")]
    pub(crate) key_file: PathBuf,
    /// Write into the files themselves: fastest; a file that is cut short in it is damaged
    ///
    /// A file with several names (hard links) is transformed once, under the first that is found, and so are all its names;
    /// the others are skipped.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Whether results must survive a power cut at once (auto: yes, as sources are replaced)
    #[arg(long, value_name = "WHEN", default_value = "auto", conflicts_with = "overwrite")]
    pub(crate) durable: DurableArg,
    #[command(flatten)]
    pub(crate) trees: TreeArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(clap::Args)]
pub(crate) struct KeygenArgs {
    /// The file to make; an existing one is never overwritten
    #[arg(short, long, value_name = "FILE", conflicts_with = "recipient_of")]
    pub(crate) output: Option<PathBuf>,
    /// Print the recipients of the identities in this file
    #[arg(short = 'y', value_name = "FILE")]
    pub(crate) recipient_of: Option<PathBuf>,
    /// Make a post-quantum identity
    #[arg(long, conflicts_with = "recipient_of")]
    pub(crate) pq: bool,
    #[command(flatten)]
    pub(crate) secret: PassphraseArgs,
    /// Say less (twice: nothing)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) quiet: u8,
}

#[derive(clap::Args)]
pub(crate) struct BenchArgs {
    /// What is compared
    pub(crate) what: BenchWhat,
    /// How many files, or requests
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) files: u32,
    /// The length of the largest
    #[arg(long, value_name = "BYTES", default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    pub(crate) max_bytes: u32,
    /// How often each is run
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: u16,
    /// Which engines, separated by commas
    #[arg(long, value_name = "E,…", value_delimiter = ',')]
    pub(crate) engines: Vec<String>,
    /// For get: how long the server takes for each answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(crate) delay: u16,
    /// For get: fetch this from a server of yours, instead of from one in this process
    #[arg(long, value_name = "URL", conflicts_with = "delay")]
    pub(crate) url: Option<String>,
    /// For files: empty the page cache before each run (root)
    #[arg(long)]
    pub(crate) cold: bool,
    /// For seal: every result must survive a power cut before it counts as done
    #[arg(long)]
    pub(crate) durable: bool,
    /// Where files are made; they are removed at the end
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Print a JSON object for each row
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchWhat {
    Seal,
    Xor,
    Get,
    Queue,
}

#[derive(clap::Args)]
pub(crate) struct DemoArgs {
    /// How many files
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub(crate) files: u16,
    /// How long the server takes for each answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(crate) delay: u16,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound() {
        Args::command().debug_assert();
    }
}
