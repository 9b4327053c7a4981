//! The options of `haul get` for sealing what is fetched, and those for packing results, which `haul seal` has too.
//!
//! Owns: their grammar and help.
//! Does not own: their meaning ([`crate::get`]).

use std::path::PathBuf;

use clap::ValueEnum;

use super::keys::PassphraseArgs;
use super::units::bytes;

/// Few large results in the place of many small ones.
#[derive(clap::Args)]
pub(crate) struct PackArgs {
    /// Pack results into few large files with an index each: shard-000000.tar, with a recipient shard-000000.tar.age,
    /// and so on, in the directory or bucket for results. The format is tar
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) pack: Option<PackFormatArg>,
    /// The length of a shard. A longer member has a shard of its own
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = bytes, requires = "pack")]
    pub(crate) pack_size: u64,
}

/// What results are packed into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PackFormatArg {
    Tar,
}

/// Whom results are sealed to.
#[derive(clap::Args)]
#[command(next_help_heading = "Sealing")]
pub(crate) struct SealingArgs {
    /// Seal every file to this recipient, as NAME.age; repeatable. Nothing that is fetched is written in plain
    #[arg(short, long, value_name = "R")]
    pub(crate) recipient: Vec<String>,
    /// A file of recipients, one a line; repeatable
    #[arg(short = 'R', long, value_name = "FILE")]
    pub(crate) recipients_file: Vec<PathBuf>,
    /// With -c: a file of identities that open what an earlier run began; repeatable. Without one, such files start
    /// over
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) secret: PassphraseArgs,
    /// With -p, protect the directory by a post-quantum identity
    #[arg(long)]
    pub(crate) pq: bool,
    /// Write ASCII armor: text, a third longer
    #[arg(short, long, conflicts_with_all = ["resume", "sync"])]
    pub(crate) armor: bool,
}
